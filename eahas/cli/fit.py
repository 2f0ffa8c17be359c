"""`eahas fit`: from records to a benchmark folder."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from eahas.cli.arguments import Parser, add_command, whole
from eahas.cli.benchmark_args import add_making, folder_to_make, path_of
from eahas.cli.format_metrics import read, summary
from eahas.cli.inputs import read_json, read_records_of
from eahas.cli.progress import Bars
from eahas.cli.tuning import add_tuning, tuned, write_settings

SETTINGS = ("members", "steps", "seed", "degree")
FOLDS = 5  # as surrogates.crossfit has it
STEPS = "2500 for curves, 2000 for costs"
SIDES = ("train", "valid")


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "fit",
        run,
        "fit a benchmark to records and judge it on the runs that it has not seen",
        "eahas fit regnet-digits my-sweep/records.parquet --out my-benchmark",
        "eahas fit my-space.yaml my-sweep --out my-benchmark --members 10 --steps 6000",
        "eahas fit my-space.yaml my-sweep --out my-benchmark --model svd_lgb --tune 50",
    )
    add_making(command)
    command.add_argument(
        "--notice",
        metavar="FILE",
        help="a text that says whose the records are and where to get them, in place of the "
        "records themselves: for data that are not yours to give away",
    )
    command.add_argument(
        "--learn-from",
        metavar="SIDES",
        type=_sides,
        default=SIDES,
        help="train, or train,valid; default: train,valid",
    )
    command.add_argument(
        "--model",
        metavar="NAME",
        action="append",
        help="a family for curves or for scalars, as svd_lgb; may be given once for each; a "
        "wrong name lists all; default: bezier_nn_STAR and nn_E",
    )
    add_settings(command)
    command.add_argument(
        "--settings",
        metavar="FILE",
        help='a JSON file with more of the fit, as {"curves": {"hidden": [64, 64]}, "scalars": {}, '
        '"targets": {"runtime_s": {"model": "xgb_time", "settings": {"rounds": 800}}}}: what is '
        "named in targets has a model of its own; or the name of settings that ship, as "
        "accel-nasbench",
    )
    add_tuning(command)
    command.add_argument(
        "--folds",
        metavar="N",
        type=whole(2),
        default=FOLDS,
        help=f"of the calibration, each one more fit; default: {FOLDS}",
    )


def add_settings(command: Parser) -> None:
    """The settings that have an option of their own; they change both kinds of model."""
    command.add_argument(
        "--members",
        metavar="N",
        type=whole(2),
        help="of an ensemble; default: the model's, often 5",
    )
    command.add_argument(
        "--steps", metavar="N", type=whole(1), help=f"of the optimiser; default: {STEPS}"
    )
    command.add_argument(
        "--seed", metavar="N", type=whole(0), help="of folds, weights and batches; default: 0"
    )
    command.add_argument(
        "--degree", metavar="N", type=whole(1), help="of the Bezier curves; default: 5"
    )


def given_settings(arguments: Namespace) -> dict[str, int]:
    """Those of them that were given."""
    given = {name: getattr(arguments, name) for name in SETTINGS}
    return {name: value for name, value in given.items() if value is not None}


def run(arguments: Namespace) -> None:
    folder = folder_to_make(arguments)
    described: Any = {} if arguments.settings is None else settings_of(arguments.settings)
    notice = None if arguments.notice is None else Path(arguments.notice).read_text("utf-8")

    from surrogates.benchmark import fit, save
    from surrogates.components import described_parts, parts_of
    from surrogates.data.dataset import runs_from_records, unvaried
    from surrogates.data.energies import checked_energies
    from surrogates.data.outliers import cuts
    from sweeps.specs import load_spec

    common, spec = given_settings(arguments), load_spec(arguments.spec)
    parts = parts_of(spec, arguments.model or (), described, common)
    rows = read_records_of(arguments.records, spec)
    energies = checked_energies(rows, spec)
    runs = runs_from_records(rows, spec)
    parts, words = tuned(
        parts,
        runs,
        arguments,
        folder,
        seed=common.get("seed", 0),
        held=frozenset(common),
    )
    if words:
        path = write_settings(folder, described_parts(parts, spec, words))
        print(f"wrote {path}, to be given to --settings\n", flush=True)
    with Bars() as bars:
        fitted = fit(
            spec,
            rows,
            parts=parts,
            learn_from=arguments.learn_from,
            folds=arguments.folds,
            resamples=arguments.resamples,
            report=bars,
        )
    save(
        fitted,
        rows,
        folder,
        version=arguments.version,
        name=arguments.name,
        with_records=notice is None,
        notice=notice,
    )
    sides = {"learned from": runs.side(*arguments.learn_from), "judged on": runs.side("test")}
    print(read(rows, {what: len(set(side.config_id)) for what, side in sides.items()}))
    for note in (*cuts(sides["learned from"]), *unvaried(sides["learned from"])):
        print(f"note: {note}")
    print()
    print(summary(fitted.quality["held_out"], spec.targets, energies))
    print(f"\nwrote {folder}; ask it: eahas predict {path_of(folder)} --sample 0")


def settings_of(name_or_path: str) -> Any:
    """The content of a settings file, or of the settings that ship under a name."""
    from surrogates.settings import list_shipped, shipped

    if name_or_path in list_shipped() and not Path(name_or_path).exists():
        return shipped(name_or_path)
    return read_json(name_or_path)


def _sides(text: str) -> tuple[str, ...]:
    """An argument type: the sides of the split to learn from, train among them."""
    sides = tuple(text.split(","))
    if "train" not in sides or len(set(sides)) < len(sides) or not set(sides) <= set(SIDES):
        raise ArgumentTypeError(f"{text!r}; allowed are train, and train,valid")
    return sides

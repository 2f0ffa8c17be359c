"""`eahas fit`: fit a benchmark to records and write its folder."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from eahas.cli.arguments import Parser, add_command, whole
from eahas.cli.benchmark_args import add_benchmark_args, as_argument, output_folder
from eahas.cli.format_metrics import describe_records, summary
from eahas.cli.inputs import read_json, read_records_of
from eahas.cli.progress import Bars
from eahas.cli.tuning import add_tuning_options, tune_components, write_settings

SETTINGS = ("members", "steps", "seed", "degree")
FOLDS = 5  # the default of surrogates.uncertainty.crossfit
STEPS = "2500 for curves, 2000 for costs"
SIDES = ("train", "valid")


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "fit",
        run,
        "fit a benchmark to records and evaluate it on held-out runs",
        "eahas fit regnet-digits my-sweep/records.parquet --out my-benchmark",
        "eahas fit my-space.yaml my-sweep --out my-benchmark --members 10 --steps 6000",
        "eahas fit my-space.yaml my-sweep --out my-benchmark --model svd_lgb --tune 50",
    )
    add_benchmark_args(command)
    command.add_argument(
        "--notice",
        metavar="FILE",
        help="a text file that states who owns the records and where to get them; the benchmark "
        "then contains this text instead of records that you may not redistribute",
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
        help="a family for curves or for scalars, such as svd_lgb; may be given once for each; an "
        "unknown name lists all; default: bezier_nn_STAR and nn_E",
    )
    add_settings(command)
    command.add_argument(
        "--settings",
        metavar="FILE",
        help='a JSON file with settings, such as {"curves": {"hidden": [64, 64]}, "scalars": {}, '
        '"targets": {"runtime_s": {"model": "xgb_time", "settings": {"rounds": 800}}}}, where each '
        "entry of targets gives a scalar its own model; or the name of settings that ship, such as "
        "accel-nasbench",
    )
    add_tuning_options(command)
    command.add_argument(
        "--folds",
        metavar="N",
        type=whole(2),
        default=FOLDS,
        help=f"folds of the calibration; each needs another fit; default: {FOLDS}",
    )


def add_settings(command: Parser) -> None:
    """Add options for settings that apply to all models."""
    command.add_argument(
        "--members",
        metavar="N",
        type=whole(2),
        help="members of an ensemble; default: the family's, often 5",
    )
    command.add_argument(
        "--steps", metavar="N", type=whole(1), help=f"steps of the optimiser; default: {STEPS}"
    )
    command.add_argument(
        "--seed",
        metavar="N",
        type=whole(0),
        help="seed of folds, weights and batches; default: 0",
    )
    command.add_argument(
        "--degree", metavar="N", type=whole(1), help="degree of the Bezier curves; default: 5"
    )


def given_settings(arguments: Namespace) -> dict[str, int]:
    """The settings of `add_settings` that were given on the command line."""
    given = {name: getattr(arguments, name) for name in SETTINGS}
    return {name: value for name, value in given.items() if value is not None}


def run(arguments: Namespace) -> None:
    folder = output_folder(arguments)
    described: Any = {} if arguments.settings is None else read_settings(arguments.settings)
    notice = None if arguments.notice is None else Path(arguments.notice).read_text("utf-8")

    from surrogates.benchmark import fit, save
    from surrogates.components import components_from_settings, settings_from_components
    from surrogates.data.dataset import runs_from_records, unvaried
    from surrogates.data.energies import checked_energies
    from surrogates.data.outliers import find_outliers
    from sweeps.specs import load_spec

    common, spec = given_settings(arguments), load_spec(arguments.spec)
    components = components_from_settings(spec, arguments.model or (), described, common)
    rows = read_records_of(arguments.records, spec)
    energies = checked_energies(rows, spec)
    runs = runs_from_records(rows, spec)
    components, comments = tune_components(
        components,
        runs,
        arguments,
        folder,
        seed=common.get("seed", 0),
        fixed=frozenset(common),
    )
    if comments:
        path = write_settings(folder, settings_from_components(components, spec, comments))
        print(f"wrote {path}; use it with --settings\n", flush=True)
    with Bars() as bars:
        fitted = fit(
            spec,
            rows,
            components=components,
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
    learned, test = runs.side(*arguments.learn_from), runs.side("test")
    print(describe_records(rows, len(set(learned.config_id)), len(set(test.config_id))))
    for note in (*find_outliers(learned), *unvaried(learned)):
        print(f"note: {note}")
    print()
    print(summary(fitted.quality["held_out"], spec.targets, energies))
    print(f"\nwrote {folder}; next: eahas predict {as_argument(folder)} --sample 0")


def read_settings(name_or_path: str) -> Any:
    """The content of a settings file, or of the shipped settings with this name."""
    from surrogates.settings import list_shipped, shipped

    if name_or_path in list_shipped() and not Path(name_or_path).exists():
        return shipped(name_or_path)
    return read_json(name_or_path)


def _sides(text: str) -> tuple[str, ...]:
    """An argument type: the parts of the split to fit to, which must include train."""
    sides = tuple(text.split(","))
    if "train" not in sides or len(set(sides)) < len(sides) or not set(sides) <= set(SIDES):
        raise ArgumentTypeError(f"{text!r}; allowed are train, and train,valid")
    return sides

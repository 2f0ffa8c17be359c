"""`eahas fit`: from records to a benchmark folder."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from eahas.checkpoint import replaceable
from eahas.cli.arguments import Parser, add_command, whole
from eahas.cli.inputs import read_json, read_records_of
from eahas.cli.progress import Bars
from eahas.cli.scores import summary
from eahas.errors import FitError, unknown

GROUPS = ("curves", "scalars")
SETTINGS = ("members", "steps", "seed", "degree")
STEPS = "2500 for curves, 2000 for costs"


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "fit",
        run,
        "fit a benchmark to records and judge it on the runs that it has not seen",
        "eahas fit regnet-digits my-sweep/records.parquet --out my-benchmark",
        "eahas fit my-space.yaml my-sweep --out my-benchmark --members 10 --steps 6000",
    )
    command.add_argument("spec", metavar="SPEC", help="a spec that ships, or a .yaml or .json file")
    command.add_argument("records", metavar="RECORDS", help="a Parquet file or a sweep folder")
    command.add_argument("--out", metavar="DIR", required=True, help="the benchmark folder")
    command.add_argument(
        "--version",
        metavar="N",
        type=whole(1),
        help="version of the benchmark; default: the spec's. A published one keeps its answers",
    )
    command.add_argument(
        "--model",
        metavar="NAME",
        action="append",
        help="a family for curves or for scalars, as svd_lgb; may be given twice; a wrong name "
        "lists all; default: bezier_nn_STAR and nn_E",
    )
    add_settings(command)
    command.add_argument(
        "--settings",
        metavar="FILE",
        help='a JSON file with more of the fit, as {"curves": {"hidden": [64, 64]}, "scalars": {}}',
    )
    command.add_argument(
        "--resamples",
        metavar="N",
        type=whole(1),
        default=200,
        help="of the bootstrap; default: 200",
    )


def add_settings(command: Parser) -> None:
    """The settings that have an option of their own; they change both kinds of model."""
    command.add_argument(
        "--members", metavar="N", type=whole(2), help="networks in an ensemble; default: 5"
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
    folder = replaceable(arguments.out)
    detailed: Any = {} if arguments.settings is None else read_json(arguments.settings)
    if not isinstance(detailed, dict):
        raise FitError(f"{arguments.settings}: an object with {' and '.join(GROUPS)}")
    for name in detailed:
        if name not in GROUPS:
            raise FitError(f"{arguments.settings}: {unknown('group', name, GROUPS)}")

    from surrogates.benchmark import default_parts, energy_facts, family_for, fit, save
    from surrogates.families import configured
    from sweeps.specs import load_spec

    common, models = given_settings(arguments), arguments.model or []
    spec = load_spec(arguments.spec)
    settings: Any = {
        kind: configured(
            configured(family_for(kind, spec, models).settings, detailed.get(kind, {})), common
        )
        for kind in GROUPS
        if getattr(spec, kind)
    }
    rows = read_records_of(arguments.records, spec)
    with Bars() as bars:
        fitted = fit(
            spec,
            rows,
            parts=default_parts(spec, models, settings),
            resamples=arguments.resamples,
            report=bars,
        )
    save(fitted, rows, folder, version=arguments.version)
    source = energy_facts(rows)["source"]
    print(summary(fitted.quality["held_out"], spec.targets, source))
    print(f"\nwrote {folder}; ask it: eahas predict {path_of(folder)} --sample 0")


def path_of(folder: Path) -> str:
    """A folder as a command reads it back, never to be taken for the name of what ships."""
    return str(folder) if len(folder.parts) > 1 else f"./{folder}"

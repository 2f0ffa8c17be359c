"""`eahas table`: from the records of a space that was trained whole to a tabular benchmark."""

from __future__ import annotations

import re
from argparse import Namespace
from typing import Any

from eahas.benchmark import NAME
from eahas.checkpoint import replaceable
from eahas.cli.arguments import UsageError, add_command, whole
from eahas.cli.fit import path_of
from eahas.cli.inputs import read_records_of
from eahas.cli.progress import Bars
from eahas.cli.scores import summary
from eahas.errors import shown


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "table",
        run,
        "make a benchmark that looks up: every configuration trained, nothing predicted",
        "eahas sweep sample regnet-digits-table --all --out my-sweep",
        "eahas table regnet-digits-table my-sweep/records.parquet --out my-table",
    )
    command.add_argument("spec", metavar="SPEC", help="a spec that ships, or a .yaml or .json file")
    command.add_argument("records", metavar="RECORDS", help="a Parquet file or a sweep folder")
    command.add_argument("--out", metavar="DIR", required=True, help="the benchmark folder")
    command.add_argument("--name", help="of the benchmark; default: that of its space")
    command.add_argument(
        "--version",
        metavar="N",
        type=whole(1),
        help="version of the benchmark; default: the spec's. A published one keeps its answers",
    )
    command.add_argument(
        "--partial",
        action="store_true",
        help="go without the configurations that have no run; they are refused when asked for",
    )
    command.add_argument(
        "--resamples",
        metavar="N",
        type=whole(1),
        default=200,
        help="of the bootstrap; default: 200",
    )


def run(arguments: Namespace) -> None:
    name = arguments.name
    if name is not None and not re.fullmatch(NAME, name):
        raise UsageError(f"--name {shown(name)}: letters, digits, '.', '_' and '-' only")
    folder = replaceable(arguments.out)

    from surrogates.benchmark import energy_facts
    from surrogates.table import make, save
    from sweeps.specs import load_spec

    spec = load_spec(arguments.spec)
    rows = read_records_of(arguments.records, spec)
    with Bars() as bars:
        made = make(
            spec, rows, partial=arguments.partial, resamples=arguments.resamples, report=bars
        )
    save(made, rows, folder, name=name, version=arguments.version)
    table, found = made.table, made.quality
    source = energy_facts(rows)["source"]
    print(
        f"{len(table.flats):,} of {table.points:,} configurations, {table.present.sum():,} runs "
        f"with {table.members} seeds\n\n{found['judged']}\n"
        f"{summary(found['held_out'], spec.targets, source)}"
    )
    which = "--sample 0" if len(table.flats) == table.points else "--config CONFIG.json"
    print(f"\nwrote {folder}; ask it: eahas predict {path_of(folder)} {which}")

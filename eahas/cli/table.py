"""`eahas table`: from the records of a space that was trained whole to a tabular benchmark."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from eahas.cli.arguments import add_command
from eahas.cli.benchmark_args import add_making, folder_to_make, path_of
from eahas.cli.format_metrics import summary
from eahas.cli.inputs import read_records_of
from eahas.cli.progress import Bars


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "table",
        run,
        "make a benchmark that looks up: every configuration trained, nothing predicted",
        "eahas sweep sample regnet-digits-table --all --out my-sweep",
        "eahas table regnet-digits-table my-sweep/records.parquet --out my-table",
    )
    add_making(command)
    command.add_argument(
        "--partial",
        action="store_true",
        help="go without the configurations that have no run; they are refused when asked for",
    )


def run(arguments: Namespace) -> None:
    folder = folder_to_make(arguments)

    from surrogates.data.energies import checked_energies
    from surrogates.table import make, save
    from sweeps.specs import load_spec

    spec = load_spec(arguments.spec)
    rows = read_records_of(arguments.records, spec)
    with Bars() as bars:
        made = make(
            spec, rows, partial=arguments.partial, resamples=arguments.resamples, report=bars
        )
    save(made, rows, folder, name=arguments.name, version=arguments.version)
    table, found = made.table, made.quality
    print(
        f"{len(table.flats):,} of {table.points:,} configurations, {table.present.sum():,} runs "
        f"with {table.members} seeds\n\n{found['judged']}\n"
        f"{summary(found['held_out'], spec.targets, checked_energies(rows, spec))}"
    )
    which = "--sample 0" if len(table.flats) == table.points else "--config CONFIG.json"
    print(f"\nwrote {folder}; ask it: eahas predict {path_of(folder)} {which}")

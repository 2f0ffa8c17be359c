"""`eahas table`: make a tabular benchmark from the records of a completely trained space."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from eahas.cli.arguments import add_command
from eahas.cli.benchmark_args import add_benchmark_args, as_argument, output_folder
from eahas.cli.format_metrics import summary
from eahas.cli.inputs import read_records_of
from eahas.cli.progress import Bars


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "table",
        run,
        "make a tabular benchmark, which looks up runs instead of predicting them",
        "eahas sweep sample regnet-digits-table --all --out my-sweep",
        "eahas table regnet-digits-table my-sweep/records.parquet --out my-table",
    )
    add_benchmark_args(command)
    command.add_argument(
        "--partial",
        action="store_true",
        help="allow configurations without a run; a query for one is an error",
    )


def run(arguments: Namespace) -> None:
    folder = output_folder(arguments)

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
    table, quality = made.table, made.quality
    print(
        f"{len(table.flats):,} of {table.points:,} configurations, {table.present.sum():,} runs "
        f"with {table.members} seeds\n\n{quality['judged']}\n"
        f"{summary(quality['held_out'], spec.targets, checked_energies(rows, spec))}"
    )
    which = "--sample 0" if len(table.flats) == table.points else "--config CONFIG.json"
    print(f"\nwrote {folder}; next: eahas predict {as_argument(folder)} {which}")

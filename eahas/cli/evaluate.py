"""`eahas evaluate`: how good a benchmark is, computed anew from its own records."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from eahas import api
from eahas.benchmark.benchmark import RECORDS, Benchmark
from eahas.benchmark.storage.folder import read_file
from eahas.cli.arguments import UsageError, add_benchmark, add_command, whole
from eahas.cli.format_metrics import tables
from eahas.cli.inputs import read_records_of
from eahas.cli.progress import Bars
from eahas.errors import EahasError, warn_estimated
from eahas.records.records import Records


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "evaluate",
        run,
        "how well a benchmark predicts the runs that its fit never saw",
        "eahas evaluate regnet-digits",
        "eahas evaluate my-benchmark --records new-sweep/records.parquet --json",
    )
    add_benchmark(command)
    command.add_argument(
        "--records",
        metavar="RECORDS",
        help="judge on these runs (Parquet file or sweep folder), not on the benchmark's own",
    )
    command.add_argument(
        "--resamples", type=whole(1), default=200, help="of the bootstrap; default: 200"
    )
    command.add_argument("--json", action="store_true", help="as JSON, for programs")


def run(arguments: Namespace) -> None:
    bench = api.load_benchmark(arguments.benchmark, task=arguments.task, device=arguments.device)
    found = judge(bench, arguments.records, arguments.resamples)
    if bench.energy_source == "estimated" and any(target.is_energy for target in bench.targets):
        warn_estimated(bench.id, bench.manifest["energy"]["formula"])
    if arguments.json:
        facts = {"benchmark": bench.id, "energy_source": bench.energy_source, **found}
        print(json.dumps(facts, allow_nan=False))
    else:
        own = arguments.records is None
        print(f"{bench.id}\n{tables(found, bench.targets, bench.energy_source, own=own)}")


def judge(bench: Benchmark, records: str | None, resamples: int) -> dict[str, Any]:
    """The `quality` of a manifest, on a benchmark's own records or on others of its space.

    A table has seen all of its own: it is judged on them by leaving out one seed.
    """
    from surrogates import table
    from surrogates.data.dataset import runs_from_records
    from surrogates.evaluation import quality

    rows = own_records(bench) if records is None else read_records_of(records, bench.spec)
    runs = runs_from_records(rows, bench.spec)
    models: Any = bench.models
    with Bars() as bars:
        if bench.table is not None and records is None:
            return table.judged(runs, resamples=resamples, report=bars)
        return quality.judged(models, runs, resamples=resamples, report=bars)


def own_records(bench: Benchmark) -> Records:
    """The records in a benchmark's folder, held against its manifest first."""
    try:
        bench.require_records()
    except EahasError as error:
        raise UsageError(f"{error}; give them with --records") from None
    if len(bench.parts) > 1:
        folders = ", ".join(str(part.folder) for part in bench.parts)
        raise UsageError(f"{bench.id} has several parts; evaluate one of {folders}")
    models = bench.parts[0] if bench.parts else bench
    read_file(models.folder, RECORDS, models.manifest)
    return read_records_of(models.folder / RECORDS, models.spec)

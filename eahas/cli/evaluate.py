"""`eahas evaluate`: compute the quality of a benchmark again from its records."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from eahas import api
from eahas.benchmark.benchmark import RECORDS, Benchmark
from eahas.benchmark.energies import without_sources
from eahas.benchmark.storage.folder import read_file
from eahas.cli.arguments import UsageError, add_benchmark, add_command, whole
from eahas.cli.format_metrics import tables
from eahas.cli.inputs import read_records_of
from eahas.cli.progress import Bars
from eahas.errors import EahasError
from eahas.records.energies import energies_of
from eahas.records.records import Records


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "evaluate",
        run,
        "print how well a benchmark predicts runs that it was not fitted to",
        "eahas evaluate regnet-digits",
        "eahas evaluate my-benchmark --records new-sweep/records.parquet --json",
    )
    add_benchmark(command)
    command.add_argument(
        "--records",
        metavar="RECORDS",
        help="evaluate on these runs (Parquet file or sweep folder) instead of the benchmark's own",
    )
    command.add_argument(
        "--resamples",
        type=whole(1),
        default=200,
        help="number of bootstrap resamples; default: 200",
    )
    command.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(arguments: Namespace) -> None:
    bench = api.load_benchmark(arguments.benchmark, task=arguments.task, device=arguments.device)
    metrics = evaluate(bench, arguments.records, arguments.resamples)
    bench.warn_not_measured(bench.targets)
    if arguments.json:
        energies = {name: facts.to_dict() for name, facts in bench.energies.items()}
        facts = {
            "benchmark": bench.id,
            "energy_source": bench.energy_source,
            "energies": energies,
            **metrics,
        }
        print(json.dumps(facts, allow_nan=False))
    else:
        own = arguments.records is None
        print(f"{bench.id}\n{tables(metrics, bench.targets, bench.energies, own=own)}")


def evaluate(bench: Benchmark, records: str | None, resamples: int) -> dict[str, Any]:
    """The `quality` of a manifest, for a benchmark's own records or for others of its space.

    A table contains all of its records, so it is evaluated on them by leaving out one seed.
    """
    from surrogates import table
    from surrogates.data.dataset import runs_from_records
    from surrogates.evaluation import quality

    if records is None:
        rows = read_own_records(bench)
    else:
        rows = read_records_of(records, bench.spec)
        require_same_energies(bench, rows)
    runs = runs_from_records(rows, bench.spec)
    models: Any = bench.models
    with Bars() as bars:
        if bench.table is not None and records is None:
            return table.table_quality(runs, resamples=resamples, report=bars)
        return quality.benchmark_quality(models, runs, resamples=resamples, report=bars)


def read_own_records(bench: Benchmark) -> Records:
    """The records in a benchmark's folder, after a check against its manifest.

    The energies of an older folder may have no source; its records are read nevertheless.
    """
    try:
        bench.require_records()
    except EahasError as error:
        raise UsageError(f"{error}; give them with --records") from None
    if len(bench.parts) > 1:
        folders = ", ".join(str(part.folder) for part in bench.parts)
        raise UsageError(f"{bench.id} has several parts; evaluate one of {folders}")
    models = bench.parts[0] if bench.parts else bench
    read_file(models.folder, RECORDS, models.manifest)
    return read_records_of(models.folder / RECORDS, without_sources(models.spec, models.energies))


def require_same_energies(bench: Benchmark, rows: Records) -> None:
    """Raise EahasError where the energies of other records cover something else."""
    for name, facts in energies_of(rows, bench.spec).items():
        if name in bench.model_of and not facts.is_comparable(bench.energies[name]):
            raise EahasError(
                f"{name} of {bench.id} ({bench.energies[name].scope}) and of the records "
                f"({facts.scope}) cover different things and are never compared"
            )

"""Restore a sweep folder from a records file, so that the sweep can continue on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eahas.errors import SweepError
from eahas.files import write_json
from eahas.records.parquet import read_records
from eahas.records.records import Record, Records
from sweeps.compatibility import record_in, require_recipe
from sweeps.plan import DONE, extra_anchor, load_plan, require_planned

AT_COLLECT = "machine_factor"  # depends on all rows, so collect computes it again


def restore(folder: Path, records_path: Path | str) -> int:
    """Write the runs of a records file into `done/` of a sampled sweep folder.

    The plan is made again with `sample`, from the same spec, counts and seed. `launch` then makes
    the runs that the records do not contain, on this machine or another. A run that is in `done/`
    already is not changed. Returns the number of restored runs.

    Raises SweepError if the folder is not a sweep folder or a record is not one of its planned
    runs, RecordError if the file cannot be read; then nothing is written.
    """
    folder = Path(folder)
    return restore_records(folder, read_records(records_path, load_plan(folder)[0]), records_path)


def restore_records(folder: Path, records: Records, source: Path | str) -> int:
    """As `restore`, with the records themselves; error messages name their `source`."""
    spec, runs = load_plan(folder)
    planned = {run.run_id: run for run in runs}
    for row in records:
        run = planned.get(row["run_id"]) or extra_anchor(runs, row["run_id"])
        if run is None:
            raise SweepError(
                f"{source}: run {row['run_id']} is not in the plan of {folder}; "
                "it belongs to another sweep"
            )
        require_planned(run, row, str(source))
        require_recipe(spec, row, str(source))
    restored = 0
    for row in records:
        done = folder / DONE / f"{row['run_id']}.json"
        if not done.exists():
            write_json(done, _as_made(row))
            restored += 1
    return restored


def prefer(folder: Path, records: Records) -> None:
    """Replace other records of the same runs in `done/` by these.

    A record in the folder may be older than the one in the store. A failed record replaces only a
    failed one, because the run may have been made again since.
    """
    for row in records:
        done = folder / DONE / f"{row['run_id']}.json"
        existing = record_in(done)
        if existing is None or identifying_facts(existing) == identifying_facts(row):
            continue
        if row["status"] != "failed" or existing.get("status") == "failed":
            write_json(done, _as_made(row))


def identifying_facts(record: Record) -> tuple[Any, ...]:
    """The values by which two records of the same planned run differ."""
    return tuple(record.get(name) for name in ("status", "started_at", "machine"))


def _as_made(row: Record) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != AT_COLLECT}

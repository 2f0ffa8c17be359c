"""Back from a records file to a sweep folder, so that a sweep goes on elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eahas.errors import SweepError
from eahas.files import write_json
from eahas.records.parquet import read_records
from sweeps.compatibility import record_in, require_recipe
from sweeps.plan import DONE, extra_anchor, load_plan, require_planned

AT_COLLECT = "machine_factor"  # relates the machines of all rows, so it is computed from all rows


def restore(folder: Path, records_path: Path | str) -> int:
    """Put the runs of a records file into `done/` of a sampled sweep folder.

    The plan is made anew with `sample`, from the same spec, counts and seed; then `launch` makes
    what the records lack, on this machine or another. A run that is in `done/` already stays as it
    is. Returns how many were restored.

    Raises SweepError where the folder is no sweep or a record is not one of its planned runs,
    RecordError where the file cannot be read; then nothing is written.
    """
    folder = Path(folder)
    spec, runs = load_plan(folder)
    planned = {run.run_id: run for run in runs}
    rows = read_records(records_path, spec)
    for row in rows:
        run = planned.get(row["run_id"]) or extra_anchor(runs, row["run_id"])
        if run is None:
            raise SweepError(
                f"{records_path}: run {row['run_id']} is not in the plan of {folder}; "
                "it belongs to another sweep"
            )
        require_planned(run, row, str(records_path))
        require_recipe(spec, row, str(records_path))
    restored = 0
    for row in rows:
        done = folder / DONE / f"{row['run_id']}.json"
        if not done.exists():
            write_json(done, _as_made(row))
            restored += 1
    return restored


def prefer(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Put rows in place of other records of the same runs in `done/`.

    What a folder holds beside a store may be older than it. A failed row gives way: the run may
    have been made again since.
    """
    for row in rows:
        done = folder / DONE / f"{row['run_id']}.json"
        there = record_in(done)
        if there is None or marks(there) == marks(row):
            continue
        if row["status"] != "failed" or there.get("status") == "failed":
            write_json(done, _as_made(row))


def marks(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells two records of one planned run apart."""
    return tuple(record.get(name) for name in ("status", "started_at", "machine"))


def _as_made(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != AT_COLLECT}

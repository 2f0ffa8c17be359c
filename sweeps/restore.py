"""Back from a records file to a sweep folder, so that a sweep goes on elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eahas.errors import SweepError
from eahas.files import write_json
from eahas.records import read_records
from sweeps.alike import require_recipe
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


def _as_made(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != AT_COLLECT}

"""The third stage: every finished run of a sweep folder in one checked Parquet file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eahas.errors import SweepError, shown
from eahas.records.parquet import write_records
from eahas.records.schema import check_rows
from eahas.spec.spec import Spec
from sweeps.compatibility import require_one_boundary
from sweeps.machine_speed import machine_factors, require_related
from sweeps.plan import DONE, PlannedRun, extra_anchor, load_plan, require_planned

RECORDS_FILE = "records.parquet"


def collect(
    folder: Path, out: Path | None = None, *, related: bool = True
) -> tuple[Spec, list[dict[str, Any]]]:
    """Write `records.parquet` (or `out`) and return the spec and the rows in planned order.

    A sweep that is not finished gives what there is. Raises as `finished`; then no file is written.
    """
    folder = Path(folder)
    spec, rows = finished(folder, related=related)
    write_records(folder / RECORDS_FILE if out is None else out, rows, spec)
    return spec, rows


def finished(folder: Path, *, related: bool = True) -> tuple[Spec, list[dict[str, Any]]]:
    """The spec and the checked rows of what a sweep folder has finished; nothing is written.

    Raises SweepError where nothing is finished, a record file is damaged or another run's, energies
    cover different things, or (if they are to be `related`) machines cannot be related; RecordError
    where a record does not follow the schema.
    """
    folder = Path(folder)
    spec, runs = load_plan(folder)
    ids = sorted(path.stem for path in (folder / DONE).glob("anchor-*.json"))
    extra = [run for run_id in ids if (run := extra_anchor(runs, run_id)) is not None]
    rows = []
    for run in [*runs, *extra]:
        path = folder / DONE / f"{run.run_id}.json"
        if path.exists():
            rows.append(_read(path, run))
    if not rows:
        raise SweepError(f"{folder} holds no finished run yet; make some with: eahas sweep launch")
    checked = check_rows(rows, spec)
    require_one_boundary(spec, checked)
    if related:
        require_related(rows)
    factors = machine_factors(rows)  # of the unchecked rows, which have a time whatever the targets
    return spec, [{**row, "machine_factor": factors.get(row["run_id"], 1.0)} for row in checked]


def _read(path: Path, run: PlannedRun) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SweepError(f"{path} is damaged ({error}); remove it and launch again") from None
    if not isinstance(record, dict):
        raise SweepError(
            f"{path} is damaged (it holds {shown(record)}); remove it and launch again"
        )
    require_planned(run, record, str(path))
    return {name: value for name, value in record.items() if value is not None}

"""The third stage: write every finished run of a sweep folder to one Parquet file of records."""

from __future__ import annotations

import json
from pathlib import Path

from eahas.errors import SweepError, shown
from eahas.records.parquet import write_records
from eahas.records.records import Records
from eahas.records.schema import check_rows, with_machine_factors
from eahas.spec.spec import Spec
from sweeps.compatibility import require_one_boundary
from sweeps.machine_speed import machine_factors, require_related
from sweeps.plan import DONE, PlannedRun, extra_anchor, load_plan, require_planned

RECORDS_FILE = "records.parquet"


def collect(folder: Path, out: Path | None = None, *, related: bool = True) -> tuple[Spec, Records]:
    """Write `records.parquet` (or `out`) and return the spec and the records in planned order.

    The sweep need not be complete. Raises the errors of `finished`; then no file is written.
    """
    folder = Path(folder)
    spec, records = finished(folder, related=related)
    write_records(folder / RECORDS_FILE if out is None else out, records, spec)
    return spec, records


def finished(folder: Path, *, related: bool = True) -> tuple[Spec, Records]:
    """The spec and the records of the finished runs of a sweep folder. Nothing is written.

    Raises SweepError if no run is finished, if a record file is damaged or belongs to another run,
    if the energies of the runs have different boundaries,
    or, with `related`, if the times of the machines cannot be related; RecordError if a record does
    not follow the schema.
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
    records = check_rows(rows, spec)
    require_one_boundary(spec, records)
    if related:
        require_related(records)
    # From the rows as read: the records lose a runtime that is not a target of the spec.
    factors = machine_factors(rows)
    each = {run_id: factors.get(run_id, 1.0) for run_id in (row["run_id"] for row in records)}
    return spec, with_machine_factors(records, each)


def _read(path: Path, run: PlannedRun) -> dict[str, object]:
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

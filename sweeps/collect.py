"""The third stage: every finished run of a sweep folder in one checked Parquet file."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eahas.errors import SweepError, shown
from eahas.records import check_rows, write_records
from eahas.spec import Spec
from sweeps.plan import DONE, PlannedRun, load_plan, require_planned

RECORDS_FILE = "records.parquet"


def collect(folder: Path, out: Path | None = None) -> tuple[Spec, list[dict[str, Any]]]:
    """Write `records.parquet` (or `out`) and return the spec and the rows in planned order.

    A sweep that is not finished gives what there is. Raises SweepError where nothing is finished, a
    record file is damaged or another run's, or machines cannot be related; RecordError where a
    record does not follow the schema. Then no file is written.
    """
    folder = Path(folder)
    spec, runs = load_plan(folder)
    rows = []
    for run in runs:
        path = folder / DONE / f"{run.run_id}.json"
        if path.exists():
            rows.append(_read(path, run))
    if not rows:
        raise SweepError(f"{folder} holds no finished run yet; make some with: eahas sweep launch")
    checked = check_rows(rows, spec)
    factors = machine_factors(rows)  # of the unchecked rows, which have a time whatever the targets
    rows = [{**row, "machine_factor": factors.get(row.get("machine", ""), 1.0)} for row in checked]
    write_records(folder / RECORDS_FILE if out is None else out, rows, spec)
    return spec, rows


def machine_factors(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How much slower than the reference each machine is, by its anchor runs.

    The reference is the machine with the most runs. The factor is the ratio of the medians of the
    anchor's runtime (of its wall time, where the runtime is no target of the spec); times and
    energies divided by it are the reference machine's. Raises SweepError where a second machine
    made runs but no anchor.
    """
    ok = [row for row in rows if row["status"] == "ok" and row.get("machine")]
    machines = Counter(row["machine"] for row in ok)
    if len(machines) < 2:
        return dict.fromkeys(machines, 1.0)
    anchors: dict[str, list[float]] = {machine: [] for machine in machines}
    for row in ok:
        seconds = row.get("runtime_s", row.get("wall_s"))
        if row.get("role") == "anchor" and seconds is not None:
            anchors[row["machine"]].append(seconds)
    for machine, times in anchors.items():
        if not times:
            raise SweepError(
                f"machine {machine} made {machines[machine]} runs but no anchor, so its times "
                "cannot be related to the others'; launch there until an anchor is done"
            )
    reference = statistics.median(anchors[machines.most_common(1)[0][0]])
    return {machine: statistics.median(times) / reference for machine, times in anchors.items()}


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

"""The third stage: every finished run of a sweep folder in one checked Parquet file."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eahas.errors import SweepError
from eahas.records import check_rows, write_records
from eahas.spec import Spec
from sweeps.launch import DONE
from sweeps.plan import load_plan

RECORDS_FILE = "records.parquet"


def collect(folder: Path, out: Path | None = None) -> tuple[Spec, list[dict[str, Any]]]:
    """Write `records.parquet` (or `out`) and return the spec and the rows in planned order.

    Raises SweepError where nothing is finished or a record file is damaged, RecordError where a
    record does not follow the schema; then no file is written.
    """
    spec, runs = load_plan(folder)
    rows = []
    for run in runs:
        path = folder / DONE / f"{run.run_id}.json"
        if path.exists():
            rows.append(_read(path))
    if not rows:
        raise SweepError(f"{folder} holds no finished run yet; make some with: eahas sweep launch")
    factors = machine_factors(rows)
    rows = check_rows(({**r, "machine_factor": factors.get(r.get("machine"), 1.0)} for r in rows), spec)
    write_records(folder / RECORDS_FILE if out is None else out, rows, spec)
    return spec, rows


def machine_factors(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How much slower than the reference each machine is, by its anchor runs.

    The reference is the machine with the most runs. The factor is the ratio of the medians of the
    anchor's runtime; times and energies divided by it add up. Raises SweepError where a second
    machine made runs but no anchor.
    """
    machines = Counter(r["machine"] for r in rows if r.get("machine") and r["status"] == "ok")
    if len(machines) < 2:
        return dict.fromkeys(machines, 1.0)
    anchors: dict[str, list[float]] = {machine: [] for machine in machines}
    for row in rows:
        if row.get("role") == "anchor" and row["status"] == "ok":
            anchors[row["machine"]].append(row["runtime_s"])
    for machine, times in anchors.items():
        if not times:
            raise SweepError(
                f"machine {machine} made {machines[machine]} runs but no anchor, so its times "
                "cannot be related to the others'; launch there until an anchor is done"
            )
    reference = statistics.median(anchors[machines.most_common(1)[0][0]])
    return {machine: statistics.median(times) / reference for machine, times in anchors.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SweepError(f"{path} is damaged ({error}); remove it and launch again") from None
    return {name: value for name, value in record.items() if value is not None}

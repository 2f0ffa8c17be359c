"""Machine speed: how slow each machine was during each run, from machine-speed reference runs.

The reference runs (role `anchor`) train one configuration again every 50 runs. The ratio of its
runtimes on two machines is the factor between them. Its drift on one machine shows the load of
other programs, because even CPU time grows when caches and memory are shared.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eahas.errors import SweepError
from eahas.records.schema import started_at

Row = Mapping[str, Any]
NEIGHBOURS = 3  # reference runs in each median, because a single one is as noisy as any run


def machine_factors(rows: Sequence[Row]) -> dict[str, float]:
    """The factor of each run by its `run_id`. A time divided by it is that of the reference.

    Between two reference runs the factor is interpolated over the start times. The reference is the
    median runtime of the reference runs on the machine with the most runs. Runs of a machine
    without a reference run have no factor.
    """
    ok = _ok(rows)
    machines = Counter(str(row["machine"]) for row in ok)
    each = {machine: _reference_runtimes(ok, machine) for machine in machines}
    runtimes = {machine: track for machine, track in each.items() if track is not None}
    if not runtimes:
        return {}
    largest = max(runtimes, key=lambda machine: machines[machine])
    reference = statistics.median(runtimes[largest][1])
    return {
        str(row["run_id"]): float(np.interp(_start_s(row), *runtimes[row["machine"]])) / reference
        for row in ok
        if row["machine"] in runtimes
    }


def unrelated(rows: Sequence[Row]) -> dict[str, int]:
    """The number of runs of each machine whose times cannot be related to other machines."""
    ok = _ok(rows)
    machines = Counter(str(row["machine"]) for row in ok)
    with_anchor = {row["machine"] for row in ok if row.get("role") == "anchor"}
    if len(machines) < 2:
        return {}
    return {machine: count for machine, count in machines.items() if machine not in with_anchor}


def require_related(rows: Sequence[Row]) -> None:
    """Raise SweepError if one of several machines has no machine-speed reference run."""
    for machine, count in unrelated(rows).items():
        raise SweepError(
            f"machine {machine} made {count} runs but no anchor (machine-speed reference run), so "
            "its times cannot be related to the others; launch there again: it makes one first"
        )


def _ok(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["status"] == "ok" and row.get("machine")]


def _reference_runtimes(
    rows: Sequence[Row], machine: str
) -> tuple[list[float], list[float]] | None:
    """Start times and smoothed runtimes of the reference runs of a machine; None if it has none."""
    anchors = sorted(
        (_start_s(row), float(row.get("runtime_s", row.get("wall_s", 0.0))))
        for row in rows
        if row["machine"] == machine and row.get("role") == "anchor"
    )
    if not anchors:
        return None
    times = [seconds for _, seconds in anchors]
    last = max(0, len(times) - NEIGHBOURS)
    firsts = (min(max(0, i - NEIGHBOURS // 2), last) for i in range(len(times)))
    smooth = [statistics.median(times[first : first + NEIGHBOURS]) for first in firsts]
    return [start for start, _ in anchors], smooth


def _start_s(row: Row) -> float:
    """The start of a run in seconds since 1970; 0 if the record does not contain it."""
    start = started_at(row)
    return 0.0 if start is None else start.timestamp()

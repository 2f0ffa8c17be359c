"""Relating times: how slow each machine was, at each moment, by its runs of the anchor.

The anchor is one configuration that is trained again every 50 runs. Its runtime on one machine over
that on another is the factor between them; its drift on one machine is what other work on the same
processor cost, for even CPU time grows when caches and memory are shared.
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
NEIGHBOURS = 3  # one anchor is as noisy as one run: each moment takes the median of three


def machine_factors(rows: Sequence[Row]) -> dict[str, float]:
    """The factor of each run by its `run_id`; a time divided by it is the reference's.

    Between anchors the factor is interpolated over the time at which runs started. The reference
    is the machine with the most runs at its usual speed, the median of its anchors. Runs of a
    machine without an anchor have no factor.
    """
    ok = _ok(rows)
    machines = Counter(str(row["machine"]) for row in ok)
    anchors = {machine: _track(ok, machine) for machine in machines}
    tracks = {machine: track for machine, track in anchors.items() if track is not None}
    if not tracks:
        return {}
    reference = statistics.median(tracks[max(tracks, key=lambda machine: machines[machine])][1])
    return {
        str(row["run_id"]): float(np.interp(_started(row), *tracks[row["machine"]])) / reference
        for row in ok
        if row["machine"] in tracks
    }


def unrelated(rows: Sequence[Row]) -> dict[str, int]:
    """How many runs each machine made whose times cannot be related to another machine's."""
    ok = _ok(rows)
    machines = Counter(str(row["machine"]) for row in ok)
    with_anchor = {row["machine"] for row in ok if row.get("role") == "anchor"}
    if len(machines) < 2:
        return {}
    return {machine: count for machine, count in machines.items() if machine not in with_anchor}


def require_related(rows: Sequence[Row]) -> None:
    """Raise SweepError where one of several machines has no anchor."""
    for machine, count in unrelated(rows).items():
        raise SweepError(
            f"machine {machine} made {count} runs but no anchor, so its times "
            "cannot be related to the others'; launch there once more: it makes one first"
        )


def _ok(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["status"] == "ok" and row.get("machine")]


def _track(rows: Sequence[Row], machine: str) -> tuple[list[float], list[float]] | None:
    """When the anchors of a machine started, and their runtimes smoothed; None without any."""
    found = sorted(
        (_started(row), float(row.get("runtime_s", row.get("wall_s", 0.0))))
        for row in rows
        if row["machine"] == machine and row.get("role") == "anchor"
    )
    if not found:
        return None
    times = [seconds for _, seconds in found]
    last = max(0, len(times) - NEIGHBOURS)
    firsts = (min(max(0, i - NEIGHBOURS // 2), last) for i in range(len(times)))
    smooth = [statistics.median(times[first : first + NEIGHBOURS]) for first in firsts]
    return [moment for moment, _ in found], smooth


def _started(row: Row) -> float:
    """Seconds since 1970 at which the run began; 0 where the record does not say."""
    began = started_at(row)
    return 0.0 if began is None else began.timestamp()

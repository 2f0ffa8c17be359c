"""Replay traces of a GPU's sensor. They are synthetic: made here, not recorded on a device.

The load is a list of (seconds, watts); a ripple is laid over it. What the sensor shows changes only
at its ticks, as on real devices: every 100 ms (`slow.csv`) or 20 ms (`fast.csv`). Run this file to
write the CSV files again; a test holds them to what it writes.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "traces"

Rows = list[tuple[float, float, int]]


@dataclass(frozen=True)
class Load:
    """A made-up load: (duration_s, power_w) one after another, and the sensor's tick."""

    name: str
    tick_s: float
    segments: tuple[tuple[float, float], ...]
    ripple_w: float = 8.0
    ripple_s: float = 0.7
    start_mj: int = 3_141_592_653


IDLE_THEN_EPOCHS = (
    (6.0, 72.0),
    *((3.0, 410.0), (1.0, 240.0)) * 4,
    (2.0, 75.0),
)
SLOW = Load("slow", 0.1, IDLE_THEN_EPOCHS)
FAST = Load("fast", 0.02, ((1.0, 72.0), *((0.6, 410.0), (0.2, 240.0)) * 10))


def power_w(load: Load, t_s: float) -> float:
    """Power at an instant."""
    ripple = load.ripple_w * math.sin(2 * math.pi * t_s / load.ripple_s)
    left = t_s
    for duration_s, watts in load.segments:
        if left < duration_s:
            return watts + ripple
        left -= duration_s
    return load.segments[-1][1] + ripple


def energy_j(load: Load, start_s: float, end_s: float) -> float:
    """True energy between two instants: the integral of `power_w` (segments and sine, exactly)."""
    total, begin_s = 0.0, 0.0
    for duration_s, watts in load.segments:
        inside = min(end_s, begin_s + duration_s) - max(start_s, begin_s)
        total += watts * max(inside, 0.0)
        begin_s += duration_s
    omega = 2 * math.pi / load.ripple_s
    return total + load.ripple_w / omega * (math.cos(omega * start_s) - math.cos(omega * end_s))


def synthesise(load: Load) -> Rows:
    """Rows (t_s, power_w, counter_mj), one a tick of the sensor."""
    ticks = round(sum(duration_s for duration_s, _ in load.segments) / load.tick_s)
    rows = []
    for tick in range(ticks + 1):
        t_s = round(tick * load.tick_s, 6)
        counter_mj = load.start_mj + int(1000 * energy_j(load, 0.0, t_s))
        rows.append((t_s, round(power_w(load, t_s), 3), counter_mj))
    return rows


def to_csv(load: Load) -> str:
    """The file of a load."""
    out = io.StringIO()
    out.write("# synthetic replay trace, made by traces.py; not recorded on a device\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("t_s", "power_w", "counter_mj"))
    writer.writerows(synthesise(load))
    return out.getvalue()


def read_trace(path: Path) -> Rows:
    """Rows of a CSV file."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [
        (float(row["t_s"]), float(row["power_w"]), int(row["counter_mj"]))
        for row in csv.DictReader(lines)
    ]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for load in (SLOW, FAST):
        (FOLDER / f"{load.name}.csv").write_text(to_csv(load))

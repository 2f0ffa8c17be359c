"""Times of several machines and moments are related by the anchor runs."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from eahas.errors import SweepError
from sweeps.machine_speed import machine_factors, require_related, unrelated

IDS = itertools.count()


def run(machine: str, runtime_s: float, minute: int = 0, **changed: Any) -> dict[str, Any]:
    return {
        "run_id": f"r{next(IDS)}",
        "machine": machine,
        "status": "ok",
        "role": "anchor",
        "runtime_s": runtime_s,
        "started_at": f"2026-01-01T10:{minute:02d}:00+00:00",
    } | changed


def by_machine(rows: list[dict[str, Any]]) -> dict[str, set[float]]:
    factors = machine_factors(rows)
    found: dict[str, set[float]] = {}
    for row in rows:
        if row["run_id"] in factors:
            found.setdefault(row["machine"], set()).add(factors[row["run_id"]])
    return found


def test_a_machine_of_half_the_speed_has_the_factor_two() -> None:
    rows = [run("slow", 4.0, m) for m in range(3)] + [run("fast", 2.0, m) for m in range(4)]
    assert by_machine(rows) == {"slow": {2.0}, "fast": {1.0}}  # fast made more, so it is 1


def test_a_busy_hour_is_seen_between_its_anchors() -> None:
    rows = [
        run("a", s, m) for m, s in zip((0, 10, 20, 30, 40, 50), (2, 2, 2, 3, 3, 3), strict=True)
    ]
    early, late, between = (run("a", 9.0, m, role="main") for m in (5, 55, 25))
    factors = machine_factors([*rows, early, late, between])
    assert factors[late["run_id"]] / factors[early["run_id"]] == pytest.approx(1.5)
    assert factors[early["run_id"]] < factors[between["run_id"]] < factors[late["run_id"]]


def test_one_odd_anchor_moves_nothing() -> None:
    rows = [run("a", 9.0 if m == 20 else 2.0, m) for m in (0, 10, 20, 30, 40)]
    assert by_machine(rows) == {"a": {1.0}}


def test_runs_that_did_not_end_well_relate_nothing() -> None:
    rows = [run("a", 1.0), run("a", 50.0, status="diverged"), run("b", 2.0)]
    rows += [run("a", 1.0, role="main")] * 3 + [{"run_id": "x", "status": "failed"}]
    assert by_machine(rows) == {"a": {1.0}, "b": {2.0}}


def test_one_machine_needs_no_anchor() -> None:
    assert machine_factors([run("a", 1.0, role="main")]) == {}


def test_a_second_machine_needs_one() -> None:
    rows = [run("a", 1.0), run("b", 1.0, role="main"), run("b", 1.0, role="repeat")]
    with pytest.raises(SweepError, match="machine b made 2 runs but no anchor"):
        require_related(rows)
    assert unrelated(rows) == {"b": 2}
    assert by_machine(rows) == {"a": {1.0}}
    require_related(rows[:1])
    require_related(rows[1:])


@pytest.mark.parametrize("odd", [0, 40])
def test_an_odd_first_or_last_anchor_moves_nothing(odd: int) -> None:
    rows = [run("a", 9.0 if m == odd else 2.0, m) for m in (0, 10, 20, 30, 40)]
    assert by_machine(rows) == {"a": {1.0}}

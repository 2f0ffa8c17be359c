"""A window, scaled, beside the whole run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from eahas.errors import SweepError
from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo.data import load_dataset
from sweeps.plan import plan_list
from sweeps.validate_energy import Scaled, page, spread_by_power, summary, validate_energy


def rows_of(spec: Spec, count: int) -> list[dict[str, Any]]:
    """Runs that nobody made; the power of the k-th is k + 1 W."""
    runs = [run for run in plan_list(spec, count) if run.role == "main"]
    return [
        {
            "config_id": run.config_id,
            "seed": 0,
            "status": "ok",
            "train_energy_j": 10.0 * (k + 1),
            "wall_s": 10.0,
            **run.config,
        }
        for k, run in enumerate(runs)
    ]


def test_the_runs_are_spread_over_the_power(spec: Spec) -> None:
    rows = rows_of(spec, 31)
    chosen = spread_by_power(list(reversed(rows)), 4)
    assert [row["train_energy_j"] for row in chosen] == [10.0, 110.0, 210.0, 310.0]


def test_runs_without_energy_do_not_count(spec: Spec) -> None:
    rows = rows_of(spec, 3)
    rows[0]["status"] = "diverged"
    del rows[1]["train_energy_j"]
    with pytest.raises(SweepError, match="1 configurations of the records have an energy"):
        spread_by_power(rows, 2)


def test_a_run_too_short_to_be_metered_whole_does_not_count(spec: Spec) -> None:
    rows = rows_of(spec, 3)
    rows[0]["wall_s"] = 1.9
    assert len(spread_by_power(rows, 2, min_s=2.0)) == 2
    with pytest.raises(SweepError, match=r"2 configurations .* more than 2 s, but 3 are needed"):
        spread_by_power(rows, 3, min_s=2.0)


def test_without_a_number_it_is_thirty_or_all(spec: Spec) -> None:
    assert len(spread_by_power(rows_of(spec, 33))) == 30
    assert len(spread_by_power(rows_of(spec, 3))) == 3
    with pytest.raises(SweepError, match="0 configurations of the records"):
        spread_by_power([])


def test_a_run_that_breaks_costs_no_other(
    tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sweeps.validate_energy as module

    tiny["measurement"] |= {"ramp_s": 0.0}
    spec = spec_from_dict(tiny)
    real, calls = module._meter_both, []

    def full(trainer: Any, config_id: str) -> Scaled:
        calls.append(config_id)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")
        return real(trainer, config_id)

    monkeypatch.setattr(module, "_meter_both", full)
    rows, data = rows_of(spec, 2), load_dataset(spec.data)
    found, left_out = validate_energy(spec, rows, data, device="cpu", window_s=0.01)
    assert [each.config_id for each in found] == calls[1:]
    assert left_out == {calls[0]: "OutOfMemoryError: CUDA out of memory."}


def test_a_run_that_diverges_is_left_out(tiny: dict[str, Any]) -> None:
    tiny["parameters"]["OPTIM.BASE_LR"] = {"type": "choice", "choices": [1e20]}
    spec = spec_from_dict(tiny)
    data = load_dataset(spec.data)
    found, left_out = validate_energy(spec, rows_of(spec, 1), data, device="cpu", window_s=0.0)
    assert found == []
    assert left_out["c00000"].startswith("loss is nan")


def test_a_run_is_metered_both_ways(tiny: dict[str, Any]) -> None:
    tiny["measurement"] |= {"ramp_s": 0.0, "idle_s": 0.0, "window_s": 9.0}
    spec = spec_from_dict(tiny)
    rows = spread_by_power(rows_of(spec, 3), 2)
    told: list[tuple[int, int, int]] = []
    found, left_out = validate_energy(
        spec,
        rows,
        load_dataset(spec.data),
        device="cpu",
        window_s=0.05,
        progress=lambda done, total, so_far: told.append((done, total, len(so_far[0]))),
    )
    assert [scaled.config_id for scaled in found] == [row["config_id"] for row in rows]
    assert left_out == {}
    assert told == [(1, 2, 1), (2, 2, 2)]
    for scaled in found:
        assert scaled.whole_j == pytest.approx(10.0 * scaled.whole_s)  # estimated: 10 W x CPU time
        assert scaled.window_j == pytest.approx(10.0 * scaled.window_s)
        assert 0.2 < scaled.window_s / scaled.whole_s < 5
        assert scaled.time_error == pytest.approx(scaled.energy_error)


def test_the_summary_counts_what_is_within_five_percent() -> None:
    one = Scaled("c", "nvml-counter", 100.0, 10.0, 10.2, 1000.0, 980.0)
    found = [one, dataclasses.replace(one, window_j=1100.0, power_w=300.0)]
    facts = summary(found, {})
    assert facts["power_w"] == [100.0, 300.0]
    assert "runs: 2, mean power 100 to 300 W (nvml-counter);" in page(facts)
    assert "estimated" not in page(facts)
    guessed = summary([dataclasses.replace(one, source="estimated")], {})
    assert "estimated joules are CPU time" in page(guessed)
    assert facts["energy"]["share_within"] == 0.5
    assert facts["energy"]["worst"] == pytest.approx(0.1)
    assert facts["time"]["bias"] == pytest.approx(0.02)
    assert "50 % of runs" in page(facts)
    assert "in energy: missed" in page(facts)
    assert "in energy: met" in page(summary([one], {}))
    nothing = summary([], {"c00007": "too short"})
    assert nothing["runs"] == 0
    assert page(nothing).splitlines() == [
        "no run could be metered in both ways",
        "skipped: c00007: too short",
    ]

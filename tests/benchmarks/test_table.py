"""The script that holds a surrogate against the truth, on made-up runs of a few configurations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from benchmarks import table as script
from benchmarks.held_out import uncertainty_cells
from eahas import api
from eahas.spec.targets import KNOWN_TARGETS

TEST, RUNTIME = KNOWN_TARGETS["test"], KNOWN_TARGETS["runtime_s"]


def compared(truth, predicted, runs=None) -> script.Compared:
    """By hand: a dictionary each of `test` and `runtime_s`."""
    as_arrays = [{k: np.array(v, dtype=float) for k, v in d.items()} for d in (truth, predicted)]
    runs = runs or {name: np.stack([v] * 3, axis=1) for name, v in as_arrays[0].items()}
    return script.Compared(
        (len(truth["test"]), 0), (TEST, RUNTIME), as_arrays[0], runs, as_arrays[1]
    )


PERFECT = {"test": [90, 95, 97, 60, 80, 96], "runtime_s": [1, 2, 4, 3, 5, 4]}


def test_the_truth_itself_loses_nothing() -> None:
    found = compared(PERFECT, PERFECT)
    for row in script.fronts(found, "runtime_s"):
        assert row[3:6] == ["3", "3", "100.0 %"]
    for target, unit in ((TEST, "points"), (RUNTIME, "%")):
        for row in script.regrets(found, target):
            assert row[3:] == [f"0.00 {unit}"] * 3
        for row in script.ranking(found, target, 5):
            assert row[3].startswith("1 ")


def test_regret_is_in_points_or_percent() -> None:
    wrong = {"test": [99, 98, 1, 2, 3, 4], "runtime_s": [9, 1, 9, 9, 9, 9]}
    found = compared(PERFECT, wrong)
    first = next(script.regrets(found, TEST))
    assert first[:4] == ["test", "surrogate", "all seeds", "7.00 points"]
    first = next(script.regrets(found, RUNTIME))
    assert first[3:5] == ["100.00 %", "0.00 %"]


def test_a_front_that_misses_the_best_is_worth_less() -> None:
    wrong = {"test": [99, 50, 50, 50, 50, 50], "runtime_s": [1, 2, 2, 2, 2, 2]}
    row = next(script.fronts(compared(PERFECT, wrong), "runtime_s"))
    whole = 30 * (np.log10(2) - 0) + 35 * (np.log10(4) - np.log10(2)) + 37 * np.log10(5 / 4)
    assert row[3] == "1"
    assert float(row[5].split()[0]) == pytest.approx(100 * 30 * np.log10(5) / whole, abs=0.06)
    assert row[6] == "5, 40 %"


def test_one_seed_is_held_against_the_others() -> None:
    runs = np.array([[1.0, 4.0, 16.0], [2.0, np.nan, 8.0], [3.0, 3.0, 3.0]])
    np.testing.assert_allclose(script.mean_over_seeds(runs, RUNTIME), [4.0, 4.0, 3.0])
    np.testing.assert_allclose(script.mean_over_seeds(runs, TEST), [7.0, 5.0, 3.0])
    truth = {"test": [7, 5, 3], "runtime_s": [4, 4, 3]}
    found = compared(truth, truth, {"test": runs, "runtime_s": runs})
    names = [(name, against, len(pairs)) for name, against, pairs in script.predictors(found)]
    assert names == [
        ("surrogate", "all seeds", 1),
        ("surrogate", "other seeds", 3),
        ("one seed's run", "other seeds", 3),
    ]
    one, others = list(script.predictors(found))[2][2][1]
    np.testing.assert_array_equal(one["test"], [4.0, np.nan, 3.0])
    np.testing.assert_allclose(others["test"], [8.5, np.nan, 3.0])
    alone = compared(
        truth, truth, {name: np.array([v], dtype=float).T for name, v in truth.items()}
    )
    assert [name for name, _, _ in script.predictors(alone)] == ["surrogate"]


def test_a_shared_run_is_no_truth() -> None:
    script.require_disjoint({(1, 0, "a")}, {(1, 0, "b"), (2, 0, "a")})
    with pytest.raises(AssertionError, match="1 runs occur in both"):
        script.require_disjoint({(1, 0, "a"), (3, 1, "c")}, {(1, 0, "a")})


def test_without_a_table_it_says_so(capsys) -> None:
    try:
        api.load_benchmark(script.TABLE)
    except api.CheckpointError:
        script.main([])
        assert "does not ship" in capsys.readouterr().out


def test_the_report_is_whole(tmp_path, capsys) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("torch")
    from surrogates import table
    from sweeps.specs import load_spec

    spec, bench = load_spec("regnet-digits-table"), api.load_benchmark("regnet-digits")
    rows = []
    for i, point in enumerate(spec.space.sample(12, seed=0)):
        for seed in range(3):
            p, flat = bench.predict(point, noise_seed=seed), spec.space.check(point)
            rows.append(
                {
                    "run_id": f"c{i}-s{seed}",
                    "config_id": f"c{i}",
                    "space": spec.name,
                    "space_version": spec.version,
                    "seed": seed,
                    "status": "ok",
                    "split": "test",
                    "epochs": p.epochs,
                    "energy_source": "estimated",
                    **{name: curve.tolist() for name, curve in p.curves.items()},
                    **{name: getattr(p, name) for name in bench.scalar_names},
                    **flat,
                }
            )
    made = table.make(spec, rows, partial=True, resamples=3)
    table.save(made, rows, tmp_path / "part")
    script.main(["--table", str(tmp_path / "part"), "--resamples", "5"])
    lines = capsys.readouterr().out.splitlines()
    assert "12 of 960 configurations with up to 3 seeds" in lines[0]
    assert "0 of its configurations also occur in the fit" in lines[0]
    for line, below in pairwise(lines):
        if below.startswith("| ---"):
            width = line.count("|")
        if line.startswith("|"):
            assert line.count("|") == width, line
    assert sum("one seed's run" in line for line in lines) == 5 + 2 + 5
    assert not any("nan" in line for line in lines)


def test_the_worst_part_is_told_with_its_runs() -> None:
    share = {"value": 0.81, "low": 0.75, "high": 0.87}
    worst = {"stratum": "OPTIM.MAX_EPOCH=10", "runs": 90, "level": 0.9, "coverage": share}
    facts = {"coverage": {"0.9": share}, "crps": {"value": 0.1234}, "worst": worst}
    held = "81 % [75, 87]"
    assert uncertainty_cells(facts) == [held, "0.123", f"OPTIM.MAX_EPOCH=10: {held} of 90"]
    assert uncertainty_cells(facts | {"worst": None})[-1] == ""

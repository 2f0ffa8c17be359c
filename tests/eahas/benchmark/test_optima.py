"""What is truly best: exact, by the means over the seeds, and only where there is a table."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.optima import true_values
from eahas.errors import ConfigError, EahasError


@pytest.fixture(scope="module")
def bench(tabled, saved_table, tmp_path_factory):
    return api.load_benchmark(saved_table(tmp_path_factory.mktemp("t") / "listed", tabled()))


def end_of(bench, config, name: str) -> float:
    p = bench.predict(config)
    return float(p.curves[name][-1]) if name in bench.curve_names else getattr(p, name)


@pytest.mark.parametrize("name", ["valid", "loss", "runtime_s", "test_energy_j", "score"])
def test_the_best_are_those_of_all_predictions(bench, name) -> None:
    found = bench.best(name, n=16)
    values = [point.values[name] for point in found]
    told = [end_of(bench, config, name) for config in bench.space.points()]
    sign = -1 if name in ("valid", "score") else 1
    known = sorted((v for v in told if np.isfinite(v)), key=lambda v: sign * v)
    assert values == pytest.approx(known)
    assert bench.best(name) == found[:1]
    for point in found:
        assert end_of(bench, point.config, name) == pytest.approx(point.values[name])


def test_at_an_epoch_only_those_count_that_train_so_long(bench) -> None:
    for at, count in ((1, 16), (2, 16), (3, 8), (5, 8)):
        for name in ("valid", "runtime_s", "test_energy_j"):
            found = bench.best(name, n=16, at=at)
            assert len(found) == count
            for point in found:
                told = bench.query(point.config, at=at)[name]
                assert point.values[name] == pytest.approx(told)
    for at in (0, 6, 1.5, True, "2"):
        with pytest.raises(ConfigError, match=r"allowed are whole epochs in 1..5"):
            bench.best("valid", at=at)


def test_the_front_holds_all_that_nothing_beats(bench) -> None:
    for cost, target, sign in (("runtime_s", "valid", -1), ("test_energy_j", "loss", 1)):
        found = bench.front(cost, target)
        every = [
            (end_of(bench, c, cost), sign * end_of(bench, c, target)) for c in bench.space.points()
        ]
        every = [pair for pair in every if np.isfinite(pair).all()]
        beaten = [any(o != p and o[0] <= p[0] and o[1] <= p[1] for o in every) for p in every]
        expected = sorted(p for p, b in zip(every, beaten, strict=True) if not b)
        got = [(point.values[cost], sign * point.values[target]) for point in found]
        np.testing.assert_allclose(got, expected)
        assert all(a[0] < b[0] and a[1] > b[1] for a, b in pairwise(got))
    assert bench.front("runtime_s") == bench.front("runtime_s", "valid")


def test_what_is_not_known_is_never_best(tabled) -> None:
    table = tabled()
    table.values["score"][3] = np.nan
    assert np.isnan(true_values(table, "score")[3])
    assert np.isfinite(np.delete(true_values(table, "score"), 3)).all()


def test_bad_questions_are_refused(bench) -> None:
    with pytest.raises(EahasError, match=r"target 'runtime' is unknown; .* mean 'runtime_s'"):
        bench.best("runtime")
    with pytest.raises(EahasError, match=r"target 'energy' is unknown"):
        bench.front("energy")
    for n in (0, -1, 1.0, True, "all"):
        with pytest.raises(EahasError, match=r"allowed are whole numbers from 1"):
            bench.best("valid", n=n)


def test_a_surrogate_does_not_know_the_truth(toy) -> None:
    bench = api.load_benchmark(toy)
    for make_query in (lambda: bench.best("valid"), lambda: bench.front("runtime_s")):
        with pytest.raises(EahasError, match="true optima are known only for a table"):
            make_query()


def test_a_front_may_have_several_costs(bench) -> None:
    names = ("runtime_s", "test_energy_j", "valid")
    front = bench.front(names[:2], "valid")
    signs = np.array([1, 1, -1])
    every = signs * np.array([[end_of(bench, c, n) for n in names] for c in bench.space.points()])
    every = every[np.isfinite(every).all(axis=1)]
    best = [p for p in every if not ((every <= p).all(axis=1) & (every < p).any(axis=1)).any()]
    got = np.array([[point.values[n] for n in names] for point in front]) * signs
    np.testing.assert_allclose(got, np.unique(best, axis=0))
    assert len(front) >= len(bench.front("runtime_s", "valid"))

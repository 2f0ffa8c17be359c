"""Predicted fronts over many drawn configurations."""

from __future__ import annotations

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.fronts import predicted_fronts
from eahas.errors import ConfigError, EahasError
from eahas.space.sampling import sample_columns


@pytest.fixture(scope="module")
def bench(toy):
    return api.load_benchmark(toy)


def test_columns_are_answered_as_the_same_configurations_are(bench) -> None:
    columns = sample_columns(bench.space, 50, seed=2)
    many = bench.predict_columns(columns)
    listed = bench.predict(many.configs)
    for name in bench.scalar_names:
        np.testing.assert_allclose(getattr(many, name), getattr(listed, name), rtol=1e-6)


def test_columns_that_do_not_fit_are_refused(bench) -> None:
    columns = sample_columns(bench.space, 5)
    with pytest.raises(ConfigError, match="columns of one length"):
        bench.predict_columns({k: v for k, v in columns.items() if k != "units"})
    with pytest.raises(ConfigError, match="columns of one length"):
        bench.predict_columns({**columns, "units": columns["units"][:3]})


def test_nothing_that_was_drawn_beats_the_front(bench) -> None:
    found = predicted_fronts(bench, 400, objective="score", seed=1)
    assert {t.name for t in found.costs} == set(bench.scalar_names) - {"score"}
    score, cost = found.values["score"], found.values["runtime_s"]
    front = found.fronts["runtime_s"]
    for i in range(400):
        assert not ((score[i] > score[front]) & (cost[i] < cost[front])).any()
        assert ((score[front] >= score[i]) & (cost[front] <= cost[i])).any()


def test_without_a_name_the_end_of_the_learning_curve_is_the_aim(bench) -> None:
    found = predicted_fronts(bench, 100)
    assert found.objective.name == bench.main_curve
    listed = bench.predict_columns(found.columns)
    ends = listed.learning_curve[np.arange(100), listed.epochs - 1]
    np.testing.assert_allclose(found.values[bench.main_curve], ends)


def test_the_table_has_a_row_for_each_point(bench) -> None:
    found = predicted_fronts(bench, 200, costs=["runtime_s"])
    rows = found.table()
    assert len(rows) == len(found.fronts["runtime_s"]) > 0
    names = ("opt.kind", "units", "early")
    assert bench.space.contains(
        {k: rows[0][k] for k in bench.space.names if rows[0][k] is not None}
    )
    assert [type(rows[0][name]) for name in names] == [str, int, bool]


def test_an_unknown_target_is_refused_by_name(bench) -> None:
    with pytest.raises(EahasError, match="'speed' is unknown"):
        predicted_fronts(bench, 10, costs=["speed"])
    with pytest.raises(EahasError, match="needs another target"):
        predicted_fronts(bench, 10, objective="score", costs=["score"])


def test_a_joint_front_has_all_costs(bench) -> None:
    fronts = predicted_fronts(bench, 300, objective="score", costs=["runtime_s", "drift"], seed=1)
    rows = fronts.joint()
    values = np.stack([fronts.values["runtime_s"], fronts.values["drift"]], axis=1)
    signs = [1 if t.direction == "minimize" else -1 for t in fronts.costs]
    points = np.column_stack([values * signs, -fronts.values["score"]])
    for i in range(300):
        dominated = ((points <= points[i]).all(axis=1) & (points < points[i]).any(axis=1)).any()
        assert dominated == (i not in rows)
    assert fronts.joint("runtime_s").tolist() == fronts.fronts["runtime_s"].tolist()
    with pytest.raises(EahasError, match="cost 'speed' is unknown"):
        fronts.joint("speed")

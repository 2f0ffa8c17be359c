"""The restated recipe of EA-HAS-Bench's surrogate: what it learns from, and how it draws."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import _bsc
from eahas.benchmark.benchmark import RECORDS
from eahas.models.curves import bezier
from eahas.records.parquet import read_records
from surrogates.data.dataset import runs_from_records


@pytest.fixture(scope="module")
def runs():
    pytest.importorskip("pyarrow")
    from eahas import api

    bench = api.load_benchmark("regnet-digits")
    return runs_from_records(read_records(bench.folder / RECORDS, bench.spec), bench.spec)


def test_the_control_points_it_learns_from_draw_the_curves_again(runs) -> None:
    some = runs.side("train").where_rows(np.arange(30))
    points = _bsc._control_points(some, 1)
    drawn = _bsc._decode(points, some.epochs)
    for row, seen, length in zip(drawn, some.curves[:, 1], some.epochs, strict=True):
        error = np.sqrt(np.mean((row[:length] - seen[:length]) ** 2))
        assert error < 0.6 * seen[:length].std() + 0.5


def test_a_curve_that_goes_forward_is_drawn_as_ours_is() -> None:
    rng = np.random.default_rng(0)
    x = bezier.x_control_points(rng.normal(size=(4, 5)))
    y = rng.uniform(0, 100, size=(4, 6))
    in_epochs = 1.0 + x * 49
    points = np.concatenate([y[:, [0, -1]], in_epochs[:, 1:-1], y[:, 1:-1]], axis=1)
    drawn = _bsc._decode(points, np.full(4, 50))
    np.testing.assert_allclose(drawn, bezier.decode(x, y, 50), atol=0.5)


def test_whatever_it_predicts_every_epoch_has_a_value() -> None:
    points = np.random.default_rng(1).normal(scale=300.0, size=(20, 10))
    assert np.isfinite(_bsc._decode(points, np.full(20, 25))).all()


def test_the_same_seed_gives_the_same_curves(runs) -> None:
    few = runs.side("train").where_rows(np.arange(40))
    quick = _bsc.BscSettings(epochs=2)
    first, again, other = (_bsc.fit_and_predict(few, few, 1, seed, quick) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.nanmax(np.abs(first - other)) > 0

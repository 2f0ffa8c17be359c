"""Figures: what is drawn and what is written beside it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from eahas import api
from eahas.errors import EahasError, MissingExtraError

pytest.importorskip("matplotlib")

from eahas.benchmark.prediction import prediction_view
from eahas.report.plotting import plot_front, plot_prediction, save_figure


@pytest.fixture(scope="module")
def bench():
    return api.load_benchmark("regnet-digits")


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_one_configuration_has_every_curve_its_band_and_its_costs(bench):
    prediction = bench.predict(bench.space.sample(seed=0))
    figure = prediction.plot(level=0.8)
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    np.testing.assert_array_equal(drawn["validation accuracy"], prediction.learning_curve)
    assert len(drawn) == len(axes.collections) == len(bench.spec.curves)
    assert axes.get_xlim() == (1, prediction.epochs)
    assert axes.get_ylim() == (0, 100)
    texts = words(figure)
    assert bench.id in texts
    assert f"{prediction.runtime_s:.2f} s" in texts
    assert "training energy (estimated)" in texts
    assert any("80 % interval" in text and "not measured" in text for text in texts)


def test_a_real_run_is_drawn_as_dots(bench):
    prediction = bench.predict(bench.space.sample(seed=0))
    seen = {"valid": np.linspace(10, 90, prediction.epochs)}
    (axes,) = plot_prediction(prediction_view(prediction), seen=seen).axes
    dots = [line for line in axes.get_lines() if line.get_marker() == "o" and len(line.get_ydata())]
    np.testing.assert_array_equal(dots[0].get_ydata(), seen["valid"])


def test_of_a_list_the_first_few_are_drawn_and_the_rest_are_counted(bench):
    prediction = bench.predict(bench.space.sample(9, seed=1))
    figure = prediction.plot()
    (axes,) = figure.axes
    assert len(axes.collections) == 6
    assert axes.get_xlim()[1] == max(prediction.epochs[:6])
    assert "and 3 more" in words(figure)
    assert "[5]" in words(figure)


def test_a_level_outside_its_range_is_refused(bench):
    with pytest.raises(EahasError, match="level=2"):
        bench.predict(bench.space.sample(seed=0)).plot(level=2)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_a_front_shows_runs_by_length_and_those_that_none_beats(scale):
    points = [(1.0, 50.0), (2.0, 60.0), (3.0 * scale, 10.0)]
    labels = {"title": "t", "cost": "time [s]", "error": "error [%]"}
    figure = plot_front(points, [points[0], points[2]], [10, 10, 20], **labels)
    (axes,) = figure.axes
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == ["10", "20", "front"]
    assert axes.get_xlabel() == "time [s]"
    assert axes.get_xscale() == ("log" if scale > 1 else "linear")
    assert "3 runs; 2 of them on the front" in words(figure)


def test_a_figure_is_saved_by_its_suffix(bench, tmp_path):
    figure = bench.predict(bench.space.sample(seed=0)).plot()
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        path = save_figure(figure, tmp_path / "new" / f"figure{suffix}")
        assert path.read_bytes().startswith(start)
    with pytest.raises(EahasError, match=r"allowed: .*\.png"):
        save_figure(figure, tmp_path / "figure")


def test_no_global_state_is_touched(bench):
    code = (
        "import sys; from eahas import api; b = api.load_benchmark('regnet-digits');"
        "b.predict(b.space.sample(seed=0)).plot(); print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_without_matplotlib_the_extra_is_named(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"eahas\[plot\]"):
        bench.predict(bench.space.sample(seed=0)).plot()

"""What a type checker sees of the public interface: `make lint` checks it, nothing runs it."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

from eahas import api

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def one_configuration(bench: api.Benchmark) -> None:
    config = bench.space.sample(seed=0)
    assert_type(config, dict[str, Any])
    p = bench.predict(config)
    assert_type(p, api.Prediction[float, int])
    assert_type(p.epochs, int)
    assert_type(p.runtime_s, float)
    assert_type(p.learning_curve, FloatArray)
    assert_type(p["valid"], float | FloatArray)
    assert_type(p.curves["valid"], FloatArray)
    assert_type(p.support, float)
    assert_type(bench.query(config, at=3), dict[str, float])
    assert_type(bench.trajectory(config), dict[str, FloatArray])


def many_configurations(bench: api.Benchmark) -> None:
    configs = bench.space.sample(10, seed=0)
    assert_type(configs, list[dict[str, Any]])
    p = bench.predict(configs, noise_seed=7)
    assert_type(p, api.Prediction[FloatArray, IntArray])
    assert_type(p.epochs, IntArray)
    assert_type(p.runtime_s, FloatArray)
    assert_type(p["runtime_s"], FloatArray)
    assert_type(p.support, FloatArray)
    assert_type(bench.predict_columns({}), api.Prediction[FloatArray, IntArray])


def targets(bench: api.Benchmark) -> None:
    for target in bench.targets:
        assert_type(target.kind, Literal["curve", "scalar"])
        assert_type(target.direction, Literal["maximize", "minimize"])

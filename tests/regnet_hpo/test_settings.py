"""The fixed part of the recipe: its defaults, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eahas.errors import SpecError
from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo.settings import EmaSettings, measure_settings, train_settings


def test_the_defaults_are_the_published_recipe(tiny: dict[str, Any]) -> None:
    settings = train_settings(spec_from_dict(tiny | {"training": {"ema": {}}}))
    assert (settings.batch_size, settings.eval_batch_size) == (1024, 1000)
    assert (settings.label_smoothing, settings.weight_decay, settings.momentum) == (0.1, 5e-4, 0.9)
    assert (settings.warmup_epochs, settings.warmup_factor, settings.min_lr) == (5, 0.1, 1e-6)
    assert (settings.crop_padding, settings.flip) == (4, 0.5)
    assert settings.precise_bn_samples == 8192
    assert settings.ema == EmaSettings(alpha=2.5e-4, update_period=32)


def test_no_ema_and_no_mixed_precision_unless_asked_for(tiny: dict[str, Any]) -> None:
    settings = train_settings(spec_from_dict(tiny | {"training": {}}))
    assert settings.ema is None
    assert settings.mixed_precision is False


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batchsize": 3}, "did you mean 'batch_size'"),
        ({"batch_size": 1}, "batch_size is a whole number from 2, got 1"),
        ({"batch_size": 25.0}, "batch_size is a whole number from 2, got 25.0"),
        ({"batch_size": True}, "batch_size is a whole number from 2, got True"),
        ({"batch_size": None}, "batch_size is a whole number from 2, got None"),
        ({"flip": 1.5}, "flip is a number in 0..1, got 1.5"),
        ({"flip": "0.5"}, "flip is a number in 0..1, got '0.5'"),
        ({"momentum": 0}, "momentum is a number in 1e-06..1, got 0"),
        ({"label_smoothing": -0.1}, "label_smoothing is a number in 0..1"),
        ({"mixed_precision": 1}, "mixed_precision is true or false, got 1"),
        ({"ema": {"update_period": 0}}, "training: ema: update_period is a whole number from 1"),
        ({"ema": {"rate": 1}}, "training: ema: field 'rate' is unknown"),
        ({"ema": True}, "training: ema: a mapping of names to values, got True"),
    ],
)
def test_bad_training_settings_are_refused_by_name(
    spec_with: Callable[..., Spec], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=r"^training") as raised:
        train_settings(spec_with(training=given))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"runtime": "cpu"}, "runtime 'cpu' is unknown; allowed: wall, cpu_time"),
        ({"energy": "guess"}, "energy 'guess' is unknown; allowed: auto, nvml_counter"),
        ({"threads": -1}, "threads is a whole number from 0, got -1"),
        ({"idle_s": "long"}, "idle_s is a number from 0, got 'long'"),
        ({"runtime": 3}, "runtime 3 is unknown; allowed: wall, cpu_time"),
    ],
)
def test_bad_measurement_settings_are_refused_by_name(
    spec_with: Callable[..., Spec], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=r"^measurement") as raised:
        measure_settings(spec_with(measurement=given))
    assert message in str(raised.value)

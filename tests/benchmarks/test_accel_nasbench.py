"""The arithmetic of the comparison with Accel-NASBench."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("torch")

from benchmarks._anb_xgb import NAMES, TUNED
from benchmarks.accel_nasbench import PUBLISHED, controls, paired


def test_the_interval_is_students_where_training_sets_do_not_overlap() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1.0, size=10)
    mean, reach = paired(differences, test_over_train=0.0)
    low, high = stats.t.interval(0.95, 9, differences.mean(), stats.sem(differences))
    assert (mean - reach, mean + reach) == pytest.approx((low, high))


def test_overlap_widens_it() -> None:
    differences = np.arange(10.0)
    assert paired(differences)[1] == pytest.approx(1.5 * paired(differences, 0.0)[1])


def test_controls_are_pairs_of_one_network() -> None:
    rows = [
        {"config_id": "a", "role": "main", "accuracy": 70.0, "throughput_a100": 100.0},
        {"config_id": "a", "role": "control", "accuracy": 70.7},
        {"config_id": "b", "role": "control", "accuracy": 50.0},
    ]
    rows += [{**rows[0], **dict.fromkeys(PUBLISHED, 1.0), "config_id": "c"}]
    rows += [{**rows[3], "role": "control"}]
    networks, spread, variance = controls(rows)["accuracy"]
    assert networks == 2
    assert variance == pytest.approx(0.7**2 / 2 / 2)
    assert spread == pytest.approx(np.sqrt(np.log(1.01) ** 2 / 2 / 2))


def test_every_target_has_the_settings_of_its_peer() -> None:
    assert set(TUNED) == set(PUBLISHED)
    assert all(len(values) == len(NAMES) for values in TUNED.values())

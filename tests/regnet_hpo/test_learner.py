"""The warm-up before a step is captured changes nothing, and neither does building a network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from eahas.spec.spec import Spec
from regnet_hpo.data import DataSet
from regnet_hpo.learner import Learner


@pytest.fixture
def spec(spec_with: Callable[..., Spec], digits: DataSet) -> Spec:
    """One batch per epoch and one batch of precise batch norm, the smallest numbers possible."""
    images = len(digits.train)
    return spec_with(
        training={
            "batch_size": images,
            "precise_bn_samples": images,
            "ema": {"alpha": 0.02, "update_period": 1},
        }
    )


def warm_up(learner: Learner) -> None:
    learner.network.train()
    learner.step.warm_up(learner.step_state)
    for suffix, precise in learner.precise.items():
        precise.warm_up(partial(learner.precise_state, suffix))


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_a_warm_up_does_not_change_the_training(
    spec: Spec, config: dict[str, Any], digits: DataSet, optimiser: str
) -> None:
    config |= {"OPTIM.OPTIMIZER": optimiser, "TRAIN.CUTOUT_LENGTH": 3, "OPTIM.BASE_LR": 0.01}
    plain, warmed_up = (Learner(spec, config, 0, digits, "cpu") for _ in range(2))
    before = {name: tensor.clone() for name, tensor in warmed_up.step_state().items()}
    warm_up(warmed_up)
    for name, tensor in warmed_up.step_state().items():
        if name in before:
            assert torch.equal(tensor, before[name]), name
        else:
            assert not tensor.any(), name
    for epoch in range(2):
        assert warmed_up.train_epoch(epoch) == plain.train_epoch(epoch)
        assert warmed_up.evaluate(epoch) == plain.evaluate(epoch)


def test_a_continued_run_can_be_warmed_up(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    config |= {"OPTIM.OPTIMIZER": "adam", "OPTIM.BASE_LR": 0.01}
    plain, continued = (Learner(spec, config, 0, digits, "cpu") for _ in range(2))
    plain.train_epoch(0)
    continued.load_state_dict(copy.deepcopy(plain.state_dict()))
    warm_up(continued)
    assert continued.train_epoch(1) == plain.train_epoch(1)
    assert continued.evaluate(1) == plain.evaluate(1)


def test_the_state_of_a_step_is_all_that_it_changes(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    learner = Learner(spec, config, 0, digits, "cpu")
    learner.train_epoch(0)
    held = {tensor.data_ptr() for tensor in learner.step_state().values()}
    moments = learner.optimiser.state_dict()["state"].values()
    learned = [*learner.network.parameters(), *learner.network.buffers()]
    learned += [value for each in moments for value in each.values() if torch.is_tensor(value)]
    assert {tensor.data_ptr() for tensor in learned} <= held


def test_building_a_network_leaves_torchs_random_state(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    before = torch.get_rng_state()
    Learner(spec, config, 0, digits, "cpu")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_memory_format_changes_only_the_speed(
    spec_with: Callable[..., Spec], config: dict[str, Any], digits: DataSet
) -> None:
    last, contiguous = (
        Learner(spec_with(training={"channels_last": given}), config, 0, digits, "cpu")
        for given in (True, False)
    )
    for learner, form in ((last, torch.channels_last), (contiguous, torch.contiguous_format)):
        wide = [p for p in learner.network.parameters() if p.ndim == 4 and min(p.shape[1:]) > 1]
        assert wide
        assert all(p.is_contiguous(memory_format=form) for p in wide)
        inputs, _ = learner.splits["test"]
        assert inputs.is_contiguous(memory_format=form)
    for epoch in range(2):
        loss, accuracy = last.train_epoch(epoch)
        assert (loss, accuracy) == pytest.approx(contiguous.train_epoch(epoch), rel=1e-3)
        assert last.evaluate(epoch) == pytest.approx(contiguous.evaluate(epoch), abs=2.1)

"""Schedules and optimisers, against their formulas restated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from eahas.spec.spec import Spec
from regnet_hpo.cuda_graph import CudaGraph
from regnet_hpo.network import RegNet
from regnet_hpo.optim import build_optimiser, learning_rate, set_learning_rate
from regnet_hpo.settings import TrainSettings
from regnet_hpo.train import Trainer

EPOCHS = 50
E = np.arange(EPOCHS)
MIN_LR = 1e-6
SHAPES = {
    "cos": MIN_LR + (1 - MIN_LR) * (1 + np.cos(np.pi * E / EPOCHS)) / 2,
    "lin": MIN_LR + (1 - MIN_LR) * (1 - E / EPOCHS),
    "exp": 10.0 ** (-6 * E / EPOCHS),
}


def rates(policy: str, settings: TrainSettings, epochs: int = EPOCHS) -> np.ndarray:
    config = {"OPTIM.MAX_EPOCH": epochs, "OPTIM.LR_POLICY": policy, "OPTIM.BASE_LR": 0.3}
    return np.array([learning_rate(e, config, settings) for e in range(epochs + 1)])


@pytest.mark.parametrize("policy", SHAPES)
def test_the_schedules_are_the_published_ones(policy: str) -> None:
    warmup = np.minimum(1, 0.1 + 0.9 * E / 5)
    found = rates(policy, TrainSettings(warmup_epochs=5, warmup_factor=0.1))[:-1]
    np.testing.assert_allclose(found, 0.3 * warmup * SHAPES[policy], rtol=1e-12)


@pytest.mark.parametrize("policy", SHAPES)
def test_the_schedules_without_warm_up_fall_from_the_base_to_its_fraction(policy: str) -> None:
    found = rates(policy, TrainSettings(warmup_epochs=0, min_lr=0.01))
    assert found[0] == 0.3
    assert (np.diff(found) < 0).all()
    assert found[-1] == pytest.approx(0.01 * 0.3)


def test_a_warm_up_longer_than_the_training_never_reaches_the_base() -> None:
    found = rates("lin", TrainSettings(warmup_epochs=5), epochs=3)[:-1]
    assert found.max() < 0.3


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)],
)
def test_everything_but_batch_norm_decays(name: str, kind: type) -> None:
    net = network()
    found = build_optimiser(net, {"OPTIM.OPTIMIZER": name, "OPTIM.BASE_LR": 0.1}, TrainSettings())
    assert type(found) is kind
    decay = {id(p): g["weight_decay"] for g in found.param_groups for p in g["params"]}
    conv, norm, linear = net
    assert [decay[id(p)] for p in (conv.weight, linear.weight, linear.bias)] == [5e-4] * 3
    assert [decay[id(p)] for p in (norm.weight, norm.bias)] == [0.0, 0.0]
    assert len(decay) == len(list(net.parameters()))


def test_sgd_has_nesterov_momentum() -> None:
    """One parameter, gradient g: the first step is lr (1 + m) g, the second lr (1 + m + m^2) g."""
    weight = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        weight.weight.zero_()
    settings = TrainSettings(momentum=0.9, weight_decay=0.0)
    found = build_optimiser(weight, {"OPTIM.OPTIMIZER": "sgd", "OPTIM.BASE_LR": 0.1}, settings)
    at = []
    for _ in range(2):
        weight.weight.grad = torch.ones(1, 1)
        found.step()
        at.append(weight.weight.item())
    assert at == pytest.approx([-0.19, -0.19 - 0.271])


def test_the_rate_is_set_in_every_group() -> None:
    found = build_optimiser(
        network(), {"OPTIM.OPTIMIZER": "adam", "OPTIM.BASE_LR": 0.1}, TrainSettings()
    )
    set_learning_rate(found, 0.02)
    assert [group["lr"] for group in found.param_groups] == [0.02, 0.02]


def test_the_trainer_sets_the_rate_once_an_epoch(
    spec: Spec, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(spec, config, 0)
    assert isinstance(trainer.learner.network, RegNet)
    seen: list[float] = []
    step = trainer.learner.step

    def watched() -> None:
        seen.append(trainer.learner.optimiser.param_groups[0]["lr"])
        step()

    monkeypatch.setattr(trainer.learner, "step", CudaGraph(watched))
    trainer.run()
    expected = [learning_rate(e, config, trainer.learner.settings) for e in range(3)]
    assert seen == [rate for rate in expected for _ in range(2)]  # 60 images, batches of 25

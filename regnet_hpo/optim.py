"""The optimiser and the learning-rate schedule of a configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from regnet_hpo.settings import LR_POLICIES, OPTIMISERS, TrainSettings


def learning_rate(epoch: int, config: Mapping[str, Any], settings: TrainSettings) -> float:
    """The learning rate of epoch `epoch`, counted from 0, with the schedules of pycls.

    BASE_LR is multiplied, for epoch e of E, by 0.5(1 + cos(pi e/E)) (cos) or 1 - e/E (lin), both
    scaled to end at `min_lr`, or by min_lr^(e/E) (exp). During the first `warmup_epochs` epochs
    the rate is also multiplied by a factor that rises linearly from `warmup_factor` to 1.
    """
    done = epoch / config["OPTIM.MAX_EPOCH"]
    policy, lowest = config["OPTIM.LR_POLICY"], settings.min_lr
    assert policy in LR_POLICIES, policy
    if policy == "exp":
        factor = lowest**done
    else:
        shape = 0.5 * (1 + math.cos(math.pi * done)) if policy == "cos" else 1 - done
        factor = (1 - lowest) * shape + lowest
    if epoch < settings.warmup_epochs:
        warm = epoch / settings.warmup_epochs
        factor *= settings.warmup_factor * (1 - warm) + warm
    return config["OPTIM.BASE_LR"] * factor


def build_optimiser(
    network: nn.Module, config: Mapping[str, Any], settings: TrainSettings
) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, Adam or AdamW.

    Weight decay applies to all parameters, biases included, except those of batch norm. On a GPU
    the learning rate is a tensor on the device, so that a captured step uses its current value.
    """
    norms = [p for m in network.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()]
    in_norm = {id(p) for p in norms}
    others = [p for p in network.parameters() if id(p) not in in_norm]
    groups = [
        {"params": others, "weight_decay": settings.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    name, lr = config["OPTIM.OPTIMIZER"], config["OPTIM.BASE_LR"]
    assert name in OPTIMISERS, name
    device = next(network.parameters()).device
    on_gpu = device.type == "cuda"
    if on_gpu:
        lr = torch.tensor(lr, device=device)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=settings.momentum, nesterov=True, fused=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(groups, lr=lr, fused=True, capturable=on_gpu)


def set_learning_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all parameter groups."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load the moments of a saved state; the learning rate is not changed."""
    rates = [group["lr"] for group in optimiser.param_groups]
    optimiser.load_state_dict(state)
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate

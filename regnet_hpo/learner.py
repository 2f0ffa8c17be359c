"""A network that learns: its data on the device, its steps, and what it has learned so far."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eahas.space.architectures.regnet import NetworkFacts, stages_of
from eahas.spec.spec import Spec
from regnet_hpo.augment import draw_pass, normalised
from regnet_hpo.batches import Pass
from regnet_hpo.cuda_graph import CudaGraph
from regnet_hpo.data import DataSet
from regnet_hpo.ema import Ema
from regnet_hpo.evaluate import PreciseNorm, correct, full_precision, percent
from regnet_hpo.network import RegNet, initialise
from regnet_hpo.optim import build_optimiser, learning_rate, load_optimiser, set_learning_rate
from regnet_hpo.settings import TrainSettings, run_settings

INIT, EPOCH = 0, 1  # what a seed is spent on; one stream each


class Learner:
    """A configuration in training. It knows nothing of time, energy and records.

    Args:
        spec: with a network section.
        config: checked, flat.
        seed: of the weights and of every pass.
        data: its images go to the device: as bytes what is trained on, as numbers the rest.
        device: "cpu", "cuda", ...
    """

    def __init__(
        self, spec: Spec, config: Mapping[str, Any], seed: int, data: DataSet, device: str
    ) -> None:
        assert isinstance(spec.network, NetworkFacts)
        self.config, self.seed = config, seed
        self.settings: TrainSettings = run_settings(spec, config)
        self.device = torch.device(device)
        self.stages = stages_of(config, spec.network)
        network = RegNet(self.stages, spec.network)
        initialise(network, generator(seed, INIT))
        last = self.settings.channels_last
        self._format = torch.channels_last if last else torch.contiguous_format
        laid_out: Any = {"memory_format": self._format}  # torch's stub lacks it
        self.network = network.to(self.device, **laid_out)
        self.optimiser = build_optimiser(self.network, config, self.settings)
        self.ema: Ema | None = None
        if self.settings.ema is not None:
            self.ema = Ema(
                self.network,
                self.settings.ema,
                batch_size=self.settings.batch_size,
                max_epoch=self.max_epoch,
                warmup_epochs=self.settings.warmup_epochs,
            )
        self._lay_out(data)
        self.loss_sum = torch.zeros((), device=self.device)
        self.right = torch.zeros((), dtype=torch.long, device=self.device)
        self.step = CudaGraph(self._step)
        self.precise = {
            suffix: PreciseNorm(each, lambda: self.precise_pass.batch()[0])
            for suffix, each in self._judged()
        }

    @property
    def max_epoch(self) -> int:
        return int(self.config["OPTIM.MAX_EPOCH"])

    @property
    def curves(self) -> list[str]:
        """Names of the accuracies that each epoch gives."""
        judged = [f"{name}{suffix}" for suffix, _ in self._judged() for name in self.splits]
        return ["train", *judged]

    def _lay_out(self, data: DataSet) -> None:
        values = torch.from_numpy(data.table).to(self.device)
        images, labels = (
            torch.from_numpy(part).to(self.device)
            for part in (data.train.images, data.train.labels)
        )
        self.batch_size = min(self.settings.batch_size, len(labels))
        self._shape = (len(labels), images.shape[1])
        self.train_pass, self.precise_pass = (
            Pass(
                images,
                labels,
                values,
                batches=samples // self.batch_size,  # the last short batch is dropped
                batch_size=self.batch_size,
                crop_padding=self.settings.crop_padding,
                cutout=self.config["TRAIN.CUTOUT_LENGTH"],
                memory_format=self._format,
            )
            for samples in (len(labels), min(self.settings.precise_bn_samples, len(labels)))
        )
        self.splits = {
            name: (
                normalised(torch.from_numpy(split.images).to(self.device), values).contiguous(
                    memory_format=self._format
                ),
                torch.from_numpy(split.labels).to(self.device),
            )
            for name, split in (("valid", data.valid), ("test", data.test))
        }

    def _judged(self) -> list[tuple[str, nn.Module]]:
        """The networks that are evaluated, with the suffix of their curves."""
        judged: list[tuple[str, nn.Module]] = [("", self.network)]
        return judged if self.ema is None else [*judged, ("_ema", self.ema.network)]

    def capture(self) -> None:
        """On a GPU turn the steps into CUDA graphs, so that no epoch waits for the host.

        Call it before the first epoch; nothing that was learned is changed.
        """
        if self.device.type != "cuda":
            return
        self.network.train()
        with _no_garbage_collection():
            self.step.capture(self.step_state, self.device)
            if self.precise_pass.batches:
                for suffix, precise in self.precise.items():
                    precise.capture(functools.partial(self.precise_state, suffix), self.device)
        torch.cuda.synchronize(self.device)

    def release(self) -> None:
        """Let the graphs go, and the memory of the device that they hold."""
        self.step.release()
        for precise in self.precise.values():
            precise.release()

    def step_state(self) -> dict[str, Tensor]:
        """Every tensor that a step changes."""
        moments = self.optimiser.state_dict()["state"]
        return {
            **self.network.state_dict(),
            **{
                f"optimiser {which} {name}": value
                for which, each in moments.items()
                for name, value in each.items()
                if torch.is_tensor(value)
            },
            "loss": self.loss_sum,
            "right": self.right,
            "at": self.train_pass.at,
        }

    def precise_state(self, suffix: str) -> dict[str, Tensor]:
        """Every tensor that a batch of precise batch norm changes."""
        return {**dict(self._judged())[suffix].state_dict(), "at": self.precise_pass.at}

    def _draw(self, batches: int, *key: int) -> Tensor:
        """The random part of a pass; `key` names its stream."""
        drawn = draw_pass(
            *self._shape,
            self.batch_size,
            batches,
            generator(self.seed, EPOCH, *key),
            flip=self.settings.flip,
            crop_padding=self.settings.crop_padding,
            cutout=self.config["TRAIN.CUTOUT_LENGTH"],
        )
        return drawn.pin_memory() if self.device.type == "cuda" else drawn

    def train_epoch(self, epoch: int) -> tuple[float, float]:
        """A pass over the training images: the mean loss, and the accuracy in percent."""
        steps = self.train_pass.batches
        set_learning_rate(self.optimiser, learning_rate(epoch, self.config, self.settings))
        self.network.train()
        self.train_pass.begin(self._draw(steps, epoch))
        self.loss_sum.zero_()
        self.right.zero_()
        for step in range(steps):
            self.step()
            if self.ema is not None:
                self.ema.update(self.network, epoch, step)
        loss = self.loss_sum.item() / steps  # waits for the device, once an epoch
        return loss, 100.0 * self.right.item() / (steps * self.batch_size)

    def _step(self) -> None:
        """Learn from the next batch; its loss and its right answers are added up on the device."""
        inputs, labels = self.train_pass.batch()
        with contextlib.nullcontext() if self.settings.mixed_precision else full_precision():
            loss, logits = self.loss(inputs, labels)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        self.loss_sum += loss.detach()
        self.right += (logits.detach().argmax(1) == labels).sum()

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The smoothed loss and the logits, under the run's autocast."""
        with torch.autocast(
            self.device.type,
            dtype=torch.bfloat16,
            enabled=self.settings.mixed_precision,
            cache_enabled=False,  # else a graph would go on reading weights that were cast before
        ):
            logits = self.network(inputs)
            loss = F.cross_entropy(
                logits.to(torch.promote_types(logits.dtype, torch.float32)),
                labels,
                label_smoothing=self.settings.label_smoothing,
            )
        return loss, logits

    def evaluate(self, epoch: int) -> dict[str, float]:
        """Accuracies on valid and test after precise batch norm, of the weights and their EMA."""
        found = {}
        batches = self.precise_pass.batches
        drawn = self._draw(batches, epoch, 1)  # augmented as in training
        for suffix, network in self._judged():
            if batches:
                self.precise_pass.begin(drawn)
                self.precise[suffix](batches)
            for name, split in self.splits.items():
                right = correct(network, *split, self.settings.eval_batch_size)
                found[f"{name}{suffix}"] = percent(right)
        return found

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "ema": self.ema.network.state_dict() if self.ema is not None else {},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state. It must come before `capture`."""
        self.network.load_state_dict(state["network"])
        load_optimiser(self.optimiser, state["optimiser"])
        if self.ema is not None:
            self.ema.network.load_state_dict(state["ema"])


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """What is garbage goes first: the end of an old graph in the midst of a capture breaks it."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def generator(*key: int) -> torch.Generator:
    """A stream of random numbers of its own for each key."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)

"""Training of one network: its data on the device, its steps, its evaluation and its state."""

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
from regnet_hpo.augment import normalised, sample_epoch
from regnet_hpo.batches import EpochBatches
from regnet_hpo.cuda_graph import CudaGraph
from regnet_hpo.data import DataSet
from regnet_hpo.ema import Ema
from regnet_hpo.evaluate import PreciseNorm, correct, full_precision, percent
from regnet_hpo.network import RegNet, initialise
from regnet_hpo.optim import build_optimiser, learning_rate, load_optimiser, set_learning_rate
from regnet_hpo.settings import TrainSettings, run_settings

INIT, EPOCH = 0, 1  # streams of random numbers of a seed


class Learner:
    """The training of one configuration, without time, energy and records.

    Args:
        spec: a spec with a network section.
        config: a checked, flat configuration.
        seed: the seed of the initial weights and of the random choices of every epoch.
        data: its images are copied to the device, those of the training split as bytes and the
            others as floating-point numbers.
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
        with torch.random.fork_rng(devices=[]):  # torch initialises layers from its global state
            network = RegNet(self.stages, spec.network)
        initialise(network, generator(seed, INIT))
        channels_last = self.settings.channels_last
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        memory_format: Any = {"memory_format": self._format}  # missing in torch's type stub
        self.network = network.to(self.device, **memory_format)
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
        self._load(data)
        self.loss_sum = torch.zeros((), device=self.device)
        self.num_correct = torch.zeros((), dtype=torch.long, device=self.device)
        self.step = CudaGraph(self._step)
        self.precise = {
            suffix: PreciseNorm(each, lambda: self.precise_batches.next()[0])
            for suffix, each in self._evaluated()
        }

    @property
    def max_epoch(self) -> int:
        """The number of epochs of the whole run."""
        return int(self.config["OPTIM.MAX_EPOCH"])

    @property
    def curves(self) -> list[str]:
        """The names of the accuracies of an epoch."""
        return ["train", *(f"{name}{end}" for end, _ in self._evaluated() for name in self.splits)]

    def _load(self, data: DataSet) -> None:
        """Copy the images to the device."""
        values = torch.from_numpy(data.table).to(self.device)
        images, labels = (
            torch.from_numpy(array).to(self.device)
            for array in (data.train.images, data.train.labels)
        )
        self.batch_size = min(self.settings.batch_size, len(labels))
        self._shape = (len(labels), images.shape[1])
        self.train_batches, self.precise_batches = (
            EpochBatches(
                images,
                labels,
                values,
                count=size // self.batch_size,  # the last short batch is dropped
                batch_size=self.batch_size,
                crop_padding=self.settings.crop_padding,
                cutout=self.config["TRAIN.CUTOUT_LENGTH"],
                memory_format=self._format,
            )
            for size in (len(labels), min(self.settings.precise_bn_samples, len(labels)))
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

    def _evaluated(self) -> list[tuple[str, nn.Module]]:
        """The networks that are evaluated, with the suffix of their curves."""
        networks: list[tuple[str, nn.Module]] = [("", self.network)]
        return networks if self.ema is None else [*networks, ("_ema", self.ema.network)]

    def capture(self) -> None:
        """On a GPU, capture the steps as CUDA graphs, so that no epoch waits for the host.

        Call it before the first epoch. It does not change the state of the training.
        """
        if self.device.type != "cuda":
            return
        self.network.train()
        with _no_garbage_collection():
            self.step.capture(self.step_state, self.device)
            if self.precise_batches.count:
                for suffix, precise in self.precise.items():
                    precise.capture(functools.partial(self.precise_state, suffix), self.device)
        torch.cuda.synchronize(self.device)

    def release(self) -> None:
        """Free the graphs and their memory on the device."""
        self.step.release()
        for precise in self.precise.values():
            precise.release()

    def step_state(self) -> dict[str, Tensor]:
        """All tensors that a step changes, by name."""
        moments = self.optimiser.state_dict()["state"]
        return {
            **self.network.state_dict(),
            **{
                f"optimiser {parameter} {name}": value
                for parameter, state in moments.items()
                for name, value in state.items()
                if torch.is_tensor(value)
            },
            "loss": self.loss_sum,
            "num_correct": self.num_correct,
            "index": self.train_batches.index,
        }

    def precise_state(self, suffix: str) -> dict[str, Tensor]:
        """All tensors that a batch of precise batch norm changes, by name."""
        network = dict(self._evaluated())[suffix]
        return {**network.state_dict(), "index": self.precise_batches.index}

    def _sample(self, batches: int, *key: int) -> Tensor:
        """The sample table of an epoch, see `sample_epoch`; `key` selects the random stream."""
        samples = sample_epoch(
            *self._shape,
            self.batch_size,
            batches,
            generator(self.seed, EPOCH, *key),
            flip=self.settings.flip,
            crop_padding=self.settings.crop_padding,
            cutout=self.config["TRAIN.CUTOUT_LENGTH"],
        )
        return samples.pin_memory() if self.device.type == "cuda" else samples

    def train_epoch(self, epoch: int) -> tuple[float, float]:
        """Train one epoch, counted from 0: the mean loss, and the training accuracy in percent.

        The accuracy is that of the batches while the network is trained on them.
        """
        steps = self.train_batches.count
        set_learning_rate(self.optimiser, learning_rate(epoch, self.config, self.settings))
        self.network.train()
        self.train_batches.start(self._sample(steps, epoch))
        self.loss_sum.zero_()
        self.num_correct.zero_()
        for step in range(steps):
            self.step()
            if self.ema is not None:
                self.ema.update(self.network, epoch, step)
        loss = self.loss_sum.item() / steps  # waits for the device, once per epoch
        return loss, 100.0 * self.num_correct.item() / (steps * self.batch_size)

    def _step(self) -> None:
        """Train on the next batch, and sum loss and correct predictions on the device."""
        inputs, labels = self.train_batches.next()
        with contextlib.nullcontext() if self.settings.mixed_precision else full_precision():
            loss, logits = self.loss(inputs, labels)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        self.loss_sum += loss.detach()
        self.num_correct += (logits.detach().argmax(1) == labels).sum()

    def loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The label-smoothed loss, and the logits, under the run's autocast."""
        with torch.autocast(
            self.device.type,
            dtype=torch.bfloat16,
            enabled=self.settings.mixed_precision,
            cache_enabled=False,  # a graph would keep reading the weights that were cast first
        ):
            logits = self.network(inputs)
            loss = F.cross_entropy(
                logits.to(torch.promote_types(logits.dtype, torch.float32)),
                labels,
                label_smoothing=self.settings.label_smoothing,
            )
        return loss, logits

    def evaluate(self, epoch: int) -> dict[str, float]:
        """Validation and test accuracy in percent after precise batch norm, by curve.

        The weights and, if there is one, their moving average are evaluated.
        """
        accuracies = {}
        batches = self.precise_batches.count
        samples = self._sample(batches, epoch, 1)  # augmented as in training
        for suffix, network in self._evaluated():
            if batches:
                self.precise_batches.start(samples)
                self.precise[suffix](batches)
            for name, split in self.splits.items():
                is_correct = correct(network, *split, self.settings.eval_batch_size)
                accuracies[f"{name}{suffix}"] = percent(is_correct)
        return accuracies

    def state_dict(self) -> dict[str, Any]:
        """The state that the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "ema": self.ema.network.state_dict() if self.ema is not None else {},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state. Call it before `capture`."""
        self.network.load_state_dict(state["network"])
        load_optimiser(self.optimiser, state["optimiser"])
        if self.ema is not None:
            self.ema.network.load_state_dict(state["ema"])


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect garbage first and none inside: freeing an old graph during a capture breaks it."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def generator(*key: int) -> torch.Generator:
    """An independent random generator for each key."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)

"""Training one configuration: from a spec, a configuration and a seed to one record."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from eahas.checks import is_whole
from eahas.errors import ConfigError, MeterError, RecordError, shown
from eahas.regnet import NetworkFacts, complexity, stages_of
from eahas.spec import Spec
from regnet_hpo.augment import augment
from regnet_hpo.costs import inference_costs, training_energy, training_times
from regnet_hpo.datasets import DataSet, Split, load_dataset
from regnet_hpo.ema import Ema
from regnet_hpo.energy import EpochMeter, Meter
from regnet_hpo.evaluate import correct, percent, precise_batch_norm
from regnet_hpo.network import RegNet, initialise
from regnet_hpo.optim import build_optimiser, learning_rate, set_learning_rate
from regnet_hpo.preflight import check_device, check_fit, check_trainable, meter_for
from regnet_hpo.resume import load_state, save_state
from regnet_hpo.settings import MeasureSettings, TrainSettings, measure_settings, train_settings

INIT, EPOCH = 0, 1  # what a seed is spent on; one stream each


@dataclasses.dataclass
class Progress:
    """What a run has produced so far; plain lists, so that a resume file can hold it."""

    curves: dict[str, list[float]]
    diverged: str = ""

    @property
    def epochs(self) -> int:
        """Epochs that were finished."""
        return len(self.curves["train"])


def train(
    spec: Spec,
    config: Mapping[str, Any],
    seed: int,
    *,
    resume_file: Path | None = None,
    device: str = "cpu",
    dataset: DataSet | None = None,
    on_epoch: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Train `config` and return its record, without the fields that only a sweep knows.

    With `resume_file` the state is saved there after each epoch and continued from there: on a CPU
    the result equals an unbroken run's bit for bit, the times apart. `on_epoch` is told the
    progress after each epoch that was saved. A run whose loss is no longer finite ends early with
    status `diverged`; what its finished epochs cost is recorded as far as it can be metered.

    Raises ConfigError for a configuration outside the space or a seed that is none, SpecError for a
    spec that cannot be trained, DataError for data or a device that is not there, RecordError for a
    resume file that cannot be continued, MeterError where an energy that the spec predicts cannot
    be metered.
    """
    return Trainer(spec, config, seed, device=device, dataset=dataset).run(resume_file, on_epoch)


class Trainer:
    """One run in the making. `run` drives it; the methods are its steps."""

    def __init__(
        self,
        spec: Spec,
        config: Mapping[str, Any],
        seed: int,
        *,
        device: str = "cpu",
        dataset: DataSet | None = None,
    ) -> None:
        check_trainable(spec)
        check_device(device)
        assert spec.network is not None
        self.spec, self.seed = spec, _checked_seed(seed)
        self.config = spec.space.check(config)
        self.settings: TrainSettings = train_settings(spec)
        self.measure: MeasureSettings = measure_settings(spec)
        self.device = torch.device(device)
        self.data = dataset if dataset is not None else load_dataset(spec.data)
        check_fit(self.data, spec)
        self.facts: NetworkFacts = spec.network
        self.stages = stages_of(self.config, self.facts)
        if self.measure.threads:
            torch.set_num_threads(self.measure.threads)

        network = RegNet(self.stages, self.facts)
        initialise(network, _generator(seed, INIT))
        channels_last: Any = {"memory_format": torch.channels_last}  # torch's stub lacks it
        self.network = network.to(self.device, **channels_last)
        self.optimiser = build_optimiser(self.network, self.config, self.settings)
        self.ema: Ema | None = None
        if self.settings.ema is not None:
            self.ema = Ema(
                self.network,
                self.settings.ema,
                batch_size=self.settings.batch_size,
                max_epoch=self.max_epoch,
                warmup_epochs=self.settings.warmup_epochs,
            )
        self.splits = {
            name: (_images(split, self.device), torch.from_numpy(split.labels).to(self.device))
            for name, split in (
                ("train", self.data.train),
                ("valid", self.data.valid),
                ("test", self.data.test),
            )
        }
        names = ["train", "valid", "test"] + (["valid_ema", "test_ema"] if self.ema else [])
        self.progress = Progress({name: [] for name in names})
        self.meter: Meter = meter_for(device, self.measure)
        self.train_meter, self.eval_meter = EpochMeter(self.meter), EpochMeter(self.meter)

    @property
    def max_epoch(self) -> int:
        return int(self.config["OPTIM.MAX_EPOCH"])

    def run(
        self, resume_file: Path | None, on_epoch: Callable[[Progress], None] | None
    ) -> dict[str, Any]:
        try:
            if resume_file is not None:
                self._resume(resume_file)
            if self.measure.idle_s:
                self.meter.measure_idle(max(self.measure.idle_s, self.meter.min_window_s))
            if self.device.type == "cuda":
                self._warm_up()
            while self.progress.epochs < self.max_epoch:
                epoch = self.progress.epochs
                train_accuracy = self._train_epoch(epoch)
                if self.progress.diverged:
                    break
                self._evaluate(epoch, train_accuracy)
                if resume_file is not None:
                    save_state(resume_file, self._state())
                if on_epoch is not None:
                    on_epoch(self.progress)
            return self._record()
        finally:
            self.meter.close()

    def _warm_up(self) -> None:
        """One step of a copy, so that no epoch pays for the start of CUDA's libraries."""
        images, labels = self.splits["train"]
        size = min(self.settings.batch_size, len(labels))
        twin = copy.deepcopy(self.network).train()
        with self._autocast():
            logits = twin(images[:size].contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), labels[:size])
        loss.backward()
        correct(twin, images[:size], labels[:size], size)
        torch.cuda.synchronize(self.device)

    def _autocast(self) -> torch.autocast:
        enabled = self.settings.mixed_precision and self.device.type == "cuda"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def _train_epoch(self, epoch: int) -> float:
        """One metered pass over the training images; the accuracy of its batches in percent."""
        images, labels = self.splits["train"]
        generator = _generator(self.seed, EPOCH, epoch)
        set_learning_rate(self.optimiser, learning_rate(epoch, self.config, self.settings))
        size = min(self.settings.batch_size, len(labels))
        order = torch.randperm(len(labels), generator=generator).to(self.device)
        loss_sum = torch.zeros((), device=self.device)
        right = torch.zeros((), dtype=torch.long, device=self.device)
        steps = len(labels) // size  # the last short batch is dropped
        self.network.train()

        self.train_meter.start()
        for step in range(steps):
            batch = order[step * size : (step + 1) * size]
            inputs = augment(
                images[batch],
                generator,
                flip=self.settings.flip,
                crop_padding=self.settings.crop_padding,
                cutout=self.config["TRAIN.CUTOUT_LENGTH"],
            )
            loss, logits = self._step(inputs, labels[batch])
            loss_sum += loss
            right += (logits.argmax(1) == labels[batch]).sum()
            if self.ema is not None:
                self.ema.update(self.network, epoch, step)
        mean_loss = loss_sum.item() / steps  # waits for the device
        if math.isfinite(mean_loss):
            self.train_meter.pause()
        else:
            self.train_meter.drop()
            self.progress.diverged = f"loss is {mean_loss} in epoch {epoch + 1}"
        return 100.0 * right.item() / (steps * size)

    def _step(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with self._autocast():
            logits = self.network(inputs)
            loss = F.cross_entropy(
                logits.float(), labels, label_smoothing=self.settings.label_smoothing
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        return loss.detach(), logits.detach()

    def _evaluate(self, epoch: int, train_accuracy: float) -> None:
        """Precise batch norm, then accuracy on valid and test, of the weights and of their EMA."""
        found = {"train": train_accuracy}
        with self.eval_meter.epoch():
            batches = self._precise_batches(epoch)
            found |= self._accuracies(self.network, batches, "")
            if self.ema is not None:
                found |= self._accuracies(self.ema.network, batches, "_ema")
        for name, accuracy in found.items():
            self.progress.curves[name].append(accuracy)

    def _precise_batches(self, epoch: int) -> list[Tensor]:
        """Training batches for the statistics, drawn and augmented as in training."""
        images, labels = self.splits["train"]
        size = min(self.settings.batch_size, len(labels))
        count = min(self.settings.precise_bn_samples, len(labels)) // size
        generator = _generator(self.seed, EPOCH, epoch, 1)
        order = torch.randperm(len(labels), generator=generator)[: count * size]
        return [
            augment(
                images[batch.to(self.device)],
                generator,
                flip=self.settings.flip,
                crop_padding=self.settings.crop_padding,
                cutout=self.config["TRAIN.CUTOUT_LENGTH"],
            ).contiguous(memory_format=torch.channels_last)
            for batch in order.split(size)
        ]

    def _accuracies(
        self, network: torch.nn.Module, batches: list[Tensor], suffix: str
    ) -> dict[str, float]:
        if batches:
            precise_batch_norm(network, batches)
        size = self.settings.eval_batch_size
        return {
            f"{name}{suffix}": percent(correct(network, *self.splits[name], size))
            for name in ("valid", "test")
        }

    # State and record

    def _identity(self) -> dict[str, Any]:
        return {
            "space": f"{self.spec.name}@{self.spec.version}",
            "config": dict(self.config),
            "seed": self.seed,
            "settings": dataclasses.asdict(self.settings),
            "network": dataclasses.asdict(self.facts),
            "data": None if self.spec.data is None else dict(self.spec.data),
        }

    def _state(self) -> dict[str, Any]:
        return {
            "identity": self._identity(),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "ema": self.ema.network.state_dict() if self.ema is not None else {},
            "progress": dataclasses.asdict(self.progress),
            "train_meter": self.train_meter.state_dict(),
            "eval_meter": self.eval_meter.state_dict(),
        }

    def _resume(self, path: Path) -> None:
        state = load_state(path, self._identity())
        if state is None:
            return
        try:
            self.train_meter.load_state_dict(state["train_meter"])
            self.eval_meter.load_state_dict(state["eval_meter"])
        except MeterError as error:
            raise RecordError(f"{path} cannot be continued here: {error}") from None
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.ema is not None:
            self.ema.network.load_state_dict(state["ema"])
        self.progress = Progress(**state["progress"])

    def _record(self) -> dict[str, Any]:
        cx = complexity(self.stages, self.facts)
        record: dict[str, Any] = {
            "space": self.spec.name,
            "space_version": self.spec.version,
            "seed": self.seed,
            "status": "diverged" if self.progress.diverged else "ok",
            "reason": self.progress.diverged,
            "epochs": self.progress.epochs,
            **self.config,
            **self.progress.curves,
            "flops": float(cx.flops),
            "params": float(cx.params),
            "acts": float(cx.acts),
            "device": str(self.device),
        }
        if self.progress.epochs:
            record |= training_times(self.train_meter, self.eval_meter, self.measure)
        return record | self._energies()

    def _energies(self) -> dict[str, Any]:
        """The energies, and why one is missing. A run that ends well has what the spec predicts."""
        needed: set[str] = set()
        if not self.progress.diverged:
            needed = {target.name for target in self.spec.scalars}
        measured: dict[str, Callable[[], dict[str, Any]]] = {
            "train_energy_j": lambda: training_energy(self.train_meter),
            "eval_energy_j": lambda: {"eval_energy_j": self.eval_meter.finish().total_j},
        }
        if not self.progress.diverged:
            measured["test_energy_j"] = self._inference_costs
        found: dict[str, Any] = {}
        missing = []
        for name, measure in measured.items():
            try:
                found |= measure()
            except MeterError as error:
                if name in needed:
                    raise
                missing.append(f"{name}: {error}")
        if any(value is not None for name, value in found.items() if name.endswith("_j")):
            found |= {"energy_source": self.meter.source, "energy_formula": self.meter.formula}
        return found | {"energy_missing": "; ".join(missing)}

    def _inference_costs(self) -> dict[str, Any]:
        images, labels = self.splits["test"]
        size = self.settings.eval_batch_size

        def one_pass() -> None:
            correct(self.network, images, labels, size).sum().item()

        return inference_costs(one_pass, self.meter, self.measure)


def _checked_seed(seed: int) -> int:
    if not is_whole(seed) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed is {shown(seed)}; allowed: whole numbers from 0 below 2^63")
    return int(seed)


def _images(split: Split, device: torch.device) -> Tensor:
    return torch.from_numpy(split.images).to(device, memory_format=torch.channels_last)


def _generator(*key: int) -> torch.Generator:
    """A stream of random numbers of its own for each key."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)

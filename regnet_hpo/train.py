"""Training one configuration: from a spec, a configuration and a seed to one record."""

from __future__ import annotations

import contextlib
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
from regnet_hpo.augment import draw_pass, normalised
from regnet_hpo.costs import inference_costs, training_energy, training_times
from regnet_hpo.data import DataSet, load_dataset
from regnet_hpo.ema import Ema
from regnet_hpo.energy import EpochMeter, Meter
from regnet_hpo.evaluate import PreciseNorm, correct, full_precision, percent
from regnet_hpo.network import RegNet, initialise
from regnet_hpo.optim import build_optimiser, learning_rate, load_optimiser, set_learning_rate
from regnet_hpo.passes import Pass
from regnet_hpo.preflight import check_device, check_fit, check_trainable, meter_for
from regnet_hpo.repeated import Repeated
from regnet_hpo.resume import load_state, save_state
from regnet_hpo.settings import MeasureSettings, TrainSettings, measure_settings, run_settings

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
    data_dir: str | Path | None = None,
    on_epoch: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Train `config` and return its record, without the fields that only a sweep knows.

    The images are those of `dataset`, or are loaded from `data_dir` as `load_dataset` does.
    With `resume_file` the state is saved there after each epoch and continued from there: on a CPU
    the result equals an unbroken run's bit for bit, the times apart. `on_epoch` is told the
    progress after each epoch that was saved. A run whose loss is no longer finite ends early with
    status `diverged`; what its finished epochs cost is recorded as far as it can be metered.

    Raises ConfigError for a configuration outside the space or a seed that is none, SpecError for a
    spec that cannot be trained, DataError for data or a device that is not there, RecordError for a
    resume file that cannot be continued, MeterError where an energy that the spec predicts cannot
    be metered.
    """
    trainer = Trainer(spec, config, seed, device=device, dataset=dataset, data_dir=data_dir)
    return trainer.run(resume_file, on_epoch)


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
        data_dir: str | Path | None = None,
    ) -> None:
        check_trainable(spec)
        check_device(device)
        assert spec.network is not None
        self.spec, self.seed = spec, _checked_seed(seed)
        self.config = spec.space.check(config)
        self.settings: TrainSettings = run_settings(spec, self.config)
        self.measure: MeasureSettings = measure_settings(spec)
        self.device = torch.device(device)
        self.data = dataset if dataset is not None else load_dataset(spec.data, data_dir)
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
        self._lay_out_data()
        self.loss_sum = torch.zeros((), device=self.device)
        self.right = torch.zeros((), dtype=torch.long, device=self.device)
        self.step = Repeated(self._step)
        self.precise = {
            suffix: PreciseNorm(each, lambda: self.precise_pass.batch()[0])
            for suffix, each in self._judged()
        }
        names = ["train", "valid", "test"] + (["valid_ema", "test_ema"] if self.ema else [])
        self.progress = Progress({name: [] for name in names})
        self.meter: Meter = meter_for(device, self.measure)
        self.train_meter, self.eval_meter = EpochMeter(self.meter), EpochMeter(self.meter)

    def _lay_out_data(self) -> None:
        """Training images as bytes, to be augmented on the device; the others as evaluated."""
        values = torch.from_numpy(self.data.table).to(self.device)
        images, labels = (
            torch.from_numpy(part).to(self.device)
            for part in (self.data.train.images, self.data.train.labels)
        )
        self.batch_size = min(self.settings.batch_size, len(labels))
        self.train_pass, self.precise_pass = (
            Pass(
                images,
                labels,
                values,
                batches=samples // self.batch_size,  # the last short batch is dropped
                batch_size=self.batch_size,
                crop_padding=self.settings.crop_padding,
                cutout=self.config["TRAIN.CUTOUT_LENGTH"],
            )
            for samples in (len(labels), min(self.settings.precise_bn_samples, len(labels)))
        )
        self.splits = {
            name: (
                normalised(torch.from_numpy(split.images).to(self.device), values),
                torch.from_numpy(split.labels).to(self.device),
            )
            for name, split in (("valid", self.data.valid), ("test", self.data.test))
        }

    def _judged(self) -> list[tuple[str, torch.nn.Module]]:
        """The networks that are evaluated, with the suffix of their curves."""
        judged: list[tuple[str, torch.nn.Module]] = [("", self.network)]
        return judged if self.ema is None else [*judged, ("_ema", self.ema.network)]

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
                self._capture()
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

    def _capture(self) -> None:
        """Turn the steps into CUDA graphs, so that no epoch pays for the host or for start-up."""
        self.step.capture(
            lambda: [
                *self.network.state_dict().values(),
                *_tensors(self.optimiser.state_dict()["state"]),
                *(self.loss_sum, self.right, self.train_pass.at),
            ],
            self.device,
        )
        if self.precise_pass.batches:
            for suffix, network in self._judged():
                self.precise[suffix].capture(
                    lambda network=network: [  # type: ignore[misc]
                        *network.state_dict().values(),
                        self.precise_pass.at,
                    ],
                    self.device,
                )
        torch.cuda.synchronize(self.device)

    def _draw(self, batches: int, *key: int) -> Tensor:
        """The random part of a pass; `key` names its stream."""
        drawn = draw_pass(
            len(self.data.train),
            self.facts.image_size,
            self.batch_size,
            batches,
            _generator(self.seed, EPOCH, *key),
            flip=self.settings.flip,
            crop_padding=self.settings.crop_padding,
            cutout=self.config["TRAIN.CUTOUT_LENGTH"],
        )
        return drawn.pin_memory() if self.device.type == "cuda" else drawn

    def _train_epoch(self, epoch: int) -> float:
        """One metered pass over the training images; the accuracy of its batches in percent."""
        steps = self.train_pass.batches
        set_learning_rate(self.optimiser, learning_rate(epoch, self.config, self.settings))
        self.network.train()

        self.train_meter.start()
        self.train_pass.begin(self._draw(steps, epoch))
        self.loss_sum.zero_()
        self.right.zero_()
        for step in range(steps):
            self.step()
            if self.ema is not None:
                self.ema.update(self.network, epoch, step)
        mean_loss = self.loss_sum.item() / steps  # waits for the device
        if math.isfinite(mean_loss):
            self.train_meter.pause()
        else:
            self.train_meter.drop()
            self.progress.diverged = f"loss is {mean_loss} in epoch {epoch + 1}"
        return 100.0 * self.right.item() / (steps * self.batch_size)

    def _step(self) -> None:
        """Learn from the next batch; its loss and its right answers are added up on the device."""
        inputs, labels = self.train_pass.batch()
        with contextlib.nullcontext() if self.settings.mixed_precision else full_precision():
            loss, logits = self._loss(inputs, labels)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        self.loss_sum += loss.detach()
        self.right += (logits.detach().argmax(1) == labels).sum()

    def _loss(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The smoothed loss and the logits, under the run's autocast."""
        with torch.autocast(
            self.device.type,
            dtype=torch.bfloat16,
            enabled=self.settings.mixed_precision,
            cache_enabled=False,  # else a graph would go on reading weights that were cast before
        ):
            logits = self.network(inputs)
            loss = F.cross_entropy(
                logits.float(), labels, label_smoothing=self.settings.label_smoothing
            )
        return loss, logits

    def _evaluate(self, epoch: int, train_accuracy: float) -> None:
        """Precise batch norm, then accuracy on valid and test, of the weights and of their EMA."""
        found = {"train": train_accuracy}
        batches = self.precise_pass.batches
        with self.eval_meter.epoch():
            drawn = self._draw(batches, epoch, 1)  # augmented as in training
            for suffix, network in self._judged():
                if batches:
                    self.precise_pass.begin(drawn)
                    self.precise[suffix](batches)
                for name, split in self.splits.items():
                    right = correct(network, *split, self.settings.eval_batch_size)
                    found[f"{name}{suffix}"] = percent(right)
        for name, accuracy in found.items():
            self.progress.curves[name].append(accuracy)

    # State and record

    def _identity(self) -> dict[str, Any]:
        return {
            "space": f"{self.spec.name}@{self.spec.version}",
            "config": dict(self.config),
            "seed": self.seed,
            "settings": dataclasses.asdict(self.settings),
            "network": dataclasses.asdict(self.facts),
            "data": None if self.spec.data is None else dict(self.spec.data),
            "images": self.data.fingerprint,
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
        load_optimiser(self.optimiser, state["optimiser"])
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


def _tensors(state: Any) -> list[Tensor]:
    """Every tensor in an optimiser's state."""
    return [value for each in state.values() for value in each.values() if torch.is_tensor(value)]


def _generator(*key: int) -> torch.Generator:
    """A stream of random numbers of its own for each key."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)

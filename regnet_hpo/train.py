"""Train one configuration: a spec, a configuration and a seed give one record."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from eahas.checks import is_whole
from eahas.errors import ConfigError, MeterError, RecordError, shown
from eahas.space.architectures.regnet import NetworkFacts, complexity
from eahas.spec.spec import Spec
from regnet_hpo.data import DataSet, load_dataset
from regnet_hpo.device_lock import DeviceLock
from regnet_hpo.evaluate import correct
from regnet_hpo.learner import Learner
from regnet_hpo.metering import metering_class
from regnet_hpo.preflight import check_device, check_fit, check_trainable
from regnet_hpo.resume import load_state, save_state
from regnet_hpo.run_meter import RunMeter, collect_energies
from regnet_hpo.settings import MeasureSettings, measure_settings
from regnet_hpo.torch_threads import torch_threads


@dataclasses.dataclass
class Progress:
    """The results of a run so far, as plain lists, so that a resume file can hold them.

    `curves` has the accuracies of the finished epochs in percent. `diverged` is empty, or the
    reason why the run ended early.
    """

    curves: dict[str, list[float]]
    diverged: str = ""

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
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
    save_every_s: float = 0.0,
) -> dict[str, Any]:
    """Train `config` and return its record, without the fields that only a sweep knows.

    Args:
        spec: a spec with a network section.
        config: a configuration of its space, flat or nested.
        seed: the seed of the initial weights and of the random choices of every epoch.
        resume_file: the state is saved there after each epoch and continued from there. On a CPU
            the result is bit for bit that of an uninterrupted run, except for the times.
        device: "cpu", "cuda", "cuda:0", ...
        dataset: the images; without it, `load_dataset` loads them from `data_dir`.
        data_dir: as for `load_dataset`.
        on_epoch: called with the progress after each epoch that was saved.
        save_every_s: save no more often than this. On a GPU, saving many megabytes can take as
            long as a short epoch.

    Returns:
        the record. A run whose loss is no longer finite ends early with the status `diverged`; the
        cost of its finished epochs is recorded as far as it could be metered.

    torch's global settings (the number of threads, TF32, the random state) are unchanged when
    `train` returns or raises.

    Raises:
        ConfigError: the configuration is outside the space, or the seed is not allowed.
        SpecError: the spec cannot be trained.
        DataError: the images or the device are missing.
        RecordError: the resume file cannot be continued.
        MeterError: an energy that the spec predicts cannot be metered.
    """
    trainer = Trainer(spec, config, seed, device=device, dataset=dataset, data_dir=data_dir)
    return trainer.run(resume_file, on_epoch, save_every_s)


class Trainer:
    """One run. `run` makes its record; the other methods are its steps."""

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
        self.spec, self.seed, self.device = spec, _checked_seed(seed), device
        self.config = spec.space.check(config)
        self.measure: MeasureSettings = measure_settings(spec)
        self.data = dataset if dataset is not None else load_dataset(spec.data, data_dir)
        check_fit(self.data, spec)
        self.device_lock = DeviceLock(_device_name(device))
        self.metering = metering_class(self.measure)(self.measure, self.device_lock)
        with torch_threads(self.measure.threads), self.metering.training_lock():
            self.learner = Learner(spec, self.config, self.seed, self.data, device)
        self.progress = Progress({name: [] for name in self.learner.curves})
        self.run_meter = RunMeter(device, self.measure)

    def run(
        self,
        resume_file: Path | None = None,
        on_epoch: Callable[[Progress], None] | None = None,
        save_every_s: float = 0.0,
    ) -> dict[str, Any]:
        """The record; the arguments are those of `train`."""

        def save() -> None:
            if resume_file is not None:
                save_state(resume_file, self._state())
            if on_epoch is not None:
                on_epoch(self.progress)

        try:
            with torch_threads(self.measure.threads):
                return self._run(resume_file, save, save_every_s)
        finally:
            self.learner.release()
            self.run_meter.close()

    def _run(
        self, resume_file: Path | None, save: Callable[[], None], save_every_s: float
    ) -> dict[str, Any]:
        if resume_file is not None:
            with self.metering.training_lock():
                self._resume(resume_file)
        self.metering.before_training(self.run_meter)
        with self.metering.training_lock():
            self.learner.capture()
        self._train(save, save_every_s)
        if self.progress.diverged:
            return self._record() | self._times_and_energies()
        with self.metering.measurement(self.run_meter, save, self._repeat_last_epoch):
            return self._record() | self._times_and_energies()

    def _train(self, save: Callable[[], None], save_every_s: float) -> None:
        """Train the missing epochs and `save` after each, but at most every `save_every_s`."""
        last_s = time.monotonic()
        while self.progress.epochs < self.learner.max_epoch:
            with self.metering.training_lock():
                self._epoch()
                if self.progress.diverged:
                    return
                if time.monotonic() - last_s >= save_every_s:
                    save()
                    last_s = time.monotonic()

    def _epoch(self) -> None:
        """Train and evaluate one epoch."""
        epoch = self.progress.epochs
        loss, accuracy = self.metering.train_epoch(
            self.run_meter, lambda: self.learner.train_epoch(epoch)
        )
        if not math.isfinite(loss):
            self.progress.diverged = f"loss is {loss} in epoch {epoch + 1}"
            return
        accuracies = self.metering.evaluate(self.run_meter, lambda: self.learner.evaluate(epoch))
        for name, value in {"train": accuracy, **accuracies}.items():
            self.progress.curves[name].append(value)

    def _repeat_last_epoch(self) -> tuple[float, float]:
        return self.learner.train_epoch(self.learner.max_epoch - 1)

    # State and record

    def _identity(self) -> dict[str, Any]:
        assert isinstance(self.spec.network, NetworkFacts)
        return {
            "space": f"{self.spec.name}@{self.spec.version}",
            "config": dict(self.config),
            "seed": self.seed,
            "settings": dataclasses.asdict(self.learner.settings),
            "network": dataclasses.asdict(self.spec.network),
            "data": None if self.spec.data is None else dict(self.spec.data),
            "images": self.data.fingerprint,
            "method": self.metering.name,
        }

    def _state(self) -> dict[str, Any]:
        return {
            "identity": self._identity(),
            "learner": self.learner.state_dict(),
            "progress": dataclasses.asdict(self.progress),
            "costs": self.run_meter.state_dict(),
        }

    def _resume(self, path: Path) -> None:
        state = load_state(path, self._identity())
        if state is None:
            return
        try:
            self.run_meter.load_state_dict(state["costs"])
        except MeterError as error:
            raise RecordError(f"{path} cannot be continued here: {error}") from None
        self.learner.load_state_dict(state["learner"])
        self.progress = Progress(**state["progress"])

    def _record(self) -> dict[str, Any]:
        assert isinstance(self.spec.network, NetworkFacts)
        cx = complexity(self.learner.stages, self.spec.network)
        return {
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
            "device": self.device,
            "data_source": self.data.source,
            "data_fingerprint": self.data.fingerprint,
        }

    def _times_and_energies(self) -> dict[str, Any]:
        """Times and energies; all that the spec predicts unless the run diverged."""
        epochs = self.progress.epochs
        times: dict[str, Any] = {}
        if self.run_meter.metered_epochs:
            times = self.metering.times(self.run_meter, epochs)
        energies = self.metering.energies(self.run_meter, epochs)
        required: set[str] = set()
        if not self.progress.diverged:
            required = {target.name for target in self.spec.scalars}
            energies["test_energy_j"] = self._test_inference
            if self.measure.inference_s:
                energies["single_image_j"] = self._image_inference
        return times | collect_energies(energies, required, self.run_meter.meter)

    def _test_inference(self) -> dict[str, Any]:
        images, labels = self.learner.splits["test"]
        size = self.learner.settings.eval_batch_size

        def predict() -> None:
            correct(self.learner.network, images, labels, size).sum().item()

        return self.run_meter.test_inference(predict)

    def _image_inference(self) -> dict[str, Any]:
        """Inference on a single image, and on the largest batch of test images that fits."""
        network, images = self.learner.network, self.learner.splits["test"][0]

        def predictor(batch: torch.Tensor) -> Callable[[], None]:
            labels = torch.zeros(len(batch), dtype=torch.long, device=batch.device)

            def predict() -> None:
                correct(network, batch, labels, len(batch)).sum().item()

            return predict

        sizes = (1, largest_batch(network, images))
        return self.run_meter.image_inference({n: predictor(images[:n]) for n in sizes})


def largest_batch(network: torch.nn.Module, images: torch.Tensor) -> int:
    """The largest power of two of these images that fits in one batch on their device."""
    size = 1 << (len(images).bit_length() - 1)
    labels = torch.zeros(len(images), dtype=torch.long, device=images.device)
    while size > 1:
        try:
            correct(network, images[:size], labels[:size], size)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            size //= 2
        else:
            break
    return size


def _device_name(device: str) -> str:
    """A name of the device that all processes on this machine agree on."""
    if device == "cpu":
        return device
    return str(getattr(torch.cuda.get_device_properties(device), "uuid", device))


def _checked_seed(seed: int) -> int:
    if not is_whole(seed) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed is {shown(seed)}; allowed: whole numbers from 0 below 2^63")
    return int(seed)

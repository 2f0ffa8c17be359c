"""Training one configuration: from a spec, a configuration and a seed to one record."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from eahas.checks import is_whole
from eahas.energy import ESTIMATED
from eahas.errors import ConfigError, MeterError, RecordError, shown
from eahas.space.architectures.regnet import NetworkFacts, complexity
from eahas.spec.spec import Spec
from regnet_hpo.data import DataSet, load_dataset
from regnet_hpo.device_lock import DeviceLock
from regnet_hpo.evaluate import correct
from regnet_hpo.learner import Learner
from regnet_hpo.preflight import check_device, check_fit, check_trainable
from regnet_hpo.resume import load_state, save_state
from regnet_hpo.run_meter import WHOLE, WINDOW, RunMeter, collected
from regnet_hpo.settings import MeasureSettings, measure_settings

SETTLE_S = 0.5  # after training, before a device counts as idle: its clocks and its sensor lag


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
    save_every_s: float = 0.0,
) -> dict[str, Any]:
    """Train `config` and return its record, without the fields that only a sweep knows.

    The images are those of `dataset`, or are loaded from `data_dir` as `load_dataset` does.
    With `resume_file` the state is saved there after each epoch and continued from there: on a CPU
    the result equals an unbroken run's bit for bit, the times apart. Where `save_every_s` is given
    it is saved no more often than that: a state of many megabytes takes as long as a short epoch.
    `on_epoch` is told the progress after each epoch that was saved. A run whose loss is no longer
    finite ends early with status `diverged`; what its finished epochs cost is recorded as far as it
    can be metered.

    Raises ConfigError for a configuration outside the space or a seed that is none, SpecError for a
    spec that cannot be trained, DataError for data or a device that is not there, RecordError for a
    resume file that cannot be continued, MeterError where an energy that the spec predicts cannot
    be metered.
    """
    trainer = Trainer(spec, config, seed, device=device, dataset=dataset, data_dir=data_dir)
    return trainer.run(resume_file, on_epoch, save_every_s)


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
        self.spec, self.seed, self.device = spec, _checked_seed(seed), device
        self.config = spec.space.check(config)
        self.measure: MeasureSettings = measure_settings(spec)
        self.data = dataset if dataset is not None else load_dataset(spec.data, data_dir)
        check_fit(self.data, spec)
        if self.measure.threads:
            torch.set_num_threads(self.measure.threads)
        self.method = WINDOW if self.measure.window_s else WHOLE
        self.device_lock = DeviceLock(_device_name(device))
        with self._metered_or_together():
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

        def saved() -> None:
            if resume_file is not None:
                save_state(resume_file, self._state())
            if on_epoch is not None:
                on_epoch(self.progress)

        try:
            with self._metered_or_together():
                if resume_file is not None:
                    self._resume(resume_file)
            if self.measure.idle_s and self.method == WHOLE:
                self._measure_idle()
            with self._metered_or_together():
                self.learner.capture()
            self._train(saved, save_every_s)
            if self.progress.diverged or self.method == WHOLE:
                return self._record() | self._run_costs()
            with self.device_lock.exclusive():
                saved()  # the time may have run out while others were alone
                if self.measure.idle_s:
                    self._measure_idle()
                self.measure_window()
                return self._record() | self._run_costs()
        finally:
            self.learner.release()
            self.run_meter.close()

    def _train(self, saved: Callable[[], None], save_every_s: float) -> None:
        """The epochs that are missing; after each, but no more often than asked, it is `saved`."""
        last_s = time.monotonic()
        while self.progress.epochs < self.learner.max_epoch:
            with self._metered_or_together():
                self._epoch()
                if self.progress.diverged:
                    return
                if time.monotonic() - last_s >= save_every_s:
                    saved()
                    last_s = time.monotonic()

    def _metered_or_together(self) -> contextlib.AbstractContextManager[None]:
        """A run that is metered whole has the device to itself; others share it until they are."""
        return contextlib.nullcontext() if self.method == WHOLE else self.device_lock.shared()

    def _measure_idle(self) -> None:
        meter = self.run_meter.meter
        if self.method == WINDOW and meter.source != ESTIMATED:  # training has just ended
            time.sleep(SETTLE_S)
        meter.measure_idle(max(self.measure.idle_s, meter.min_window_s))

    def _epoch(self) -> None:
        """Train one epoch and evaluate; metered where the run is metered whole."""
        epoch = self.progress.epochs
        if self.method == WHOLE:
            self.run_meter.start()
        loss, accuracy = self.learner.train_epoch(epoch)
        if not math.isfinite(loss):
            self.run_meter.drop()
            self.progress.diverged = f"loss is {loss} in epoch {epoch + 1}"
            return
        if self.method == WHOLE:
            self.run_meter.pause()
        metered = self.method == WHOLE
        with self.run_meter.evaluation.epoch() if metered else contextlib.nullcontext():
            found = {"train": accuracy} | self.learner.evaluate(epoch)
        for name, value in found.items():
            self.progress.curves[name].append(value)

    def measure_window(self) -> None:
        """Whole epochs of the trained network, alone on the device, after the power has risen.

        They are what `run_meter.times` and `run_meter.training_energy` then tell of. They are
        metered as one, so that however short an epoch is, the window has two ends.
        """
        last, clock = self.learner.max_epoch - 1, time.perf_counter
        began_s = clock()
        while clock() - began_s < self.measure.ramp_s:
            self.learner.train_epoch(last)
        need_s, epochs = max(self.measure.window_s, self.run_meter.meter.min_window_s), 0
        self.run_meter.begin_anew()
        self.run_meter.start()
        began_s = clock()
        while clock() - began_s < need_s:
            self.learner.train_epoch(last)
            epochs += 1
        self.run_meter.pause(epochs)

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
            "method": self.method,
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

    def _run_costs(self) -> dict[str, Any]:
        """Times and energies. A run that ends well has every energy that the spec predicts."""
        if not self.run_meter.metered_epochs:
            times: dict[str, Any] = {}
        else:
            times = self.run_meter.times(self.progress.epochs, self.method)
        measured: list[tuple[str, Callable[[], dict[str, Any]]]] = [
            (
                "train_energy_j",
                lambda: self.run_meter.training_energy(self.progress.epochs, self.method),
            )
        ]
        if self.method == WHOLE:
            measured.append(("eval_energy_j", self.run_meter.evaluation_energy))
        needed: set[str] = set()
        if not self.progress.diverged:
            needed = {target.name for target in self.spec.scalars}
            measured.append(("test_energy_j", lambda: self.run_meter.test_pass(self._test_pass)))
            if self.measure.inference_s:
                measured.append(("single_image_j", lambda: self.run_meter.images(self._passes())))
        return times | collected(measured, needed, self.run_meter.meter)

    def _test_pass(self) -> None:
        images, labels = self.learner.splits["test"]
        size = self.learner.settings.eval_batch_size
        correct(self.learner.network, images, labels, size).sum().item()

    def _passes(self) -> dict[int, Callable[[], None]]:
        """Inference on a single image, and on the largest batch of test images that fits."""
        network, images = self.learner.network, self.learner.splits["test"][0]
        size = largest_batch(network, images)

        def of(batch: torch.Tensor) -> Callable[[], None]:
            labels = torch.zeros(len(batch), dtype=torch.long, device=batch.device)

            def one_pass() -> None:
                correct(network, batch, labels, len(batch)).sum().item()

            return one_pass

        return {n: of(images[:n]) for n in (1, size)}


def largest_batch(network: torch.nn.Module, images: torch.Tensor) -> int:
    """The largest power of two of these images that goes through the network at once."""
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
    """What the device is called by everyone on this machine."""
    if device == "cpu":
        return device
    return str(getattr(torch.cuda.get_device_properties(device), "uuid", device))


def _checked_seed(seed: int) -> int:
    if not is_whole(seed) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed is {shown(seed)}; allowed: whole numbers from 0 below 2^63")
    return int(seed)

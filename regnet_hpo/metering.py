"""The two methods of measuring what a run costs: all of its epochs, or a window of them.

A method decides which locks a run takes on its device, which epochs and evaluations are metered,
when idle power is measured, and which fields of the record result. The field `energy_method` of a
record names the method.
"""

from __future__ import annotations

import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from eahas.energy import ESTIMATED
from regnet_hpo.device_lock import DeviceLock
from regnet_hpo.run_meter import RunMeter
from regnet_hpo.settings import MeasureSettings

SETTLE_S = 0.5  # between training and the idle measurement: clocks drop and the sensor catches up

TrainEpoch = Callable[[], tuple[float, float]]
"""Trains one epoch and returns the mean loss and the training accuracy in percent."""
Evaluate = Callable[[], dict[str, float]]
"""Evaluates the network and returns accuracies in percent by the names of their curves."""
EnergyFields = dict[str, Callable[[], dict[str, Any]]]
"""Record fields by the energy that they contain; each function raises MeterError on failure."""


@dataclass(frozen=True)
class Metering(ABC):
    """One method of measuring the time and energy of a run.

    Args:
        measure: the measurement section of the spec.
        device_lock: the lock of the device that the run trains on.
    """

    measure: MeasureSettings
    device_lock: DeviceLock

    name: ClassVar[str]
    """The value of `energy_method` in a record."""
    extra_scalars: ClassVar[tuple[str, ...]]
    """Scalar targets that only records of this method have."""

    @abstractmethod
    def training_lock(self) -> AbstractContextManager[None]:
        """The lock under which the network is built, trained and evaluated."""

    @abstractmethod
    def before_training(self, run_meter: RunMeter) -> None:
        """Take the measurements that precede the first epoch."""

    @abstractmethod
    def train_epoch(self, run_meter: RunMeter, train: TrainEpoch) -> tuple[float, float]:
        """Call `train` and return its result; an epoch whose loss is not finite does not count."""

    @abstractmethod
    def evaluate(self, run_meter: RunMeter, evaluate: Evaluate) -> dict[str, float]:
        """Call `evaluate` and return its result."""

    @abstractmethod
    def measurement(
        self, run_meter: RunMeter, save: Callable[[], None], train: TrainEpoch
    ) -> AbstractContextManager[None]:
        """Measure training after the last epoch, if the method does so.

        Inference is measured in the block, with the same lock on the device. `save` saves the state
        of the run, `train` repeats the last epoch.
        """

    @abstractmethod
    def times(self, run_meter: RunMeter, epochs: int) -> dict[str, Any]:
        """Record fields with the method and the seconds of `epochs` epochs."""

    @abstractmethod
    def energies(self, run_meter: RunMeter, epochs: int) -> EnergyFields:
        """Record fields with the joules of `epochs` epochs and of their evaluations."""


class WholeRunMetering(Metering):
    """Every epoch and every evaluation is metered, and idle power before the first epoch.

    The run takes no lock: the launcher starts only one such run per device.
    """

    name = "whole"
    extra_scalars = ("eval_time_s", "eval_energy_j")

    def training_lock(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def before_training(self, run_meter: RunMeter) -> None:
        run_meter.measure_idle()

    def train_epoch(self, run_meter: RunMeter, train: TrainEpoch) -> tuple[float, float]:
        run_meter.start()
        loss, accuracy = train()
        if math.isfinite(loss):
            run_meter.pause()
        else:
            run_meter.drop()
        return loss, accuracy

    def evaluate(self, run_meter: RunMeter, evaluate: Evaluate) -> dict[str, float]:
        with run_meter.evaluation.epoch():
            return evaluate()

    def measurement(
        self, run_meter: RunMeter, save: Callable[[], None], train: TrainEpoch
    ) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def times(self, run_meter: RunMeter, epochs: int) -> dict[str, Any]:
        training, evaluation = run_meter.training.state_dict(), run_meter.evaluation.state_dict()
        return {
            **run_meter.times(epochs),
            "energy_method": self.name,
            "epoch_time_s": training["duration_s"],
            "epoch_cpu_s": training["cpu_time_s"],
            "eval_time_s": float(np.sum(evaluation["duration_s"])),
        }

    def energies(self, run_meter: RunMeter, epochs: int) -> EnergyFields:
        def training() -> dict[str, Any]:
            metered = run_meter.training.finish()
            fields = run_meter.training_energy(metered, epochs)
            return {**fields, "epoch_energy_j": metered.energy_j.tolist()}

        return {"train_energy_j": training, "eval_energy_j": run_meter.evaluation_energy}


class WindowMetering(Metering):
    """Only a window of complete epochs after the last one is metered, and scaled to all epochs.

    Several runs share the device while they train. For the window, for idle power and for
    inference a run holds the device exclusively.
    """

    name = "window"
    extra_scalars = ()

    def training_lock(self) -> AbstractContextManager[None]:
        return self.device_lock.shared()

    def before_training(self, run_meter: RunMeter) -> None:
        """Measure nothing: other runs use the device."""

    def train_epoch(self, run_meter: RunMeter, train: TrainEpoch) -> tuple[float, float]:
        return train()

    def evaluate(self, run_meter: RunMeter, evaluate: Evaluate) -> dict[str, float]:
        return evaluate()

    @contextlib.contextmanager
    def measurement(
        self, run_meter: RunMeter, save: Callable[[], None], train: TrainEpoch
    ) -> Iterator[None]:
        with self.device_lock.exclusive():
            save()  # the sweep's time may have run out while this run waited for the lock
            if run_meter.meter.source != ESTIMATED and self.measure.idle_s:
                time.sleep(SETTLE_S)
            run_meter.measure_idle()
            self.measure_window(run_meter, train)
            yield

    def measure_window(self, run_meter: RunMeter, train: TrainEpoch) -> None:
        """Meter complete epochs for at least `window_s` seconds, after `ramp_s` seconds of them.

        The ramp lets the power rise. The epochs are metered as one interval, so that the window
        has two ends however short an epoch is. They replace all epochs that `run_meter` metered
        before. The caller holds the device exclusively.
        """
        clock = time.perf_counter
        start_s = clock()
        while clock() - start_s < self.measure.ramp_s:
            train()
        window_s, epochs = max(self.measure.window_s, run_meter.meter.min_window_s), 0
        run_meter.restart()
        run_meter.start()
        start_s = clock()
        while clock() - start_s < window_s:
            train()
            epochs += 1
        run_meter.pause(epochs)

    def times(self, run_meter: RunMeter, epochs: int) -> dict[str, Any]:
        return {**run_meter.times(epochs), "energy_method": self.name}

    def energies(self, run_meter: RunMeter, epochs: int) -> EnergyFields:
        def training() -> dict[str, Any]:
            return run_meter.training_energy(run_meter.training.finish(), epochs)

        return {"train_energy_j": training}


METHODS: Mapping[str, type[Metering]] = {
    cls.name: cls for cls in (WholeRunMetering, WindowMetering)
}


def metering_class(measure: MeasureSettings) -> type[Metering]:
    """The method that a spec's measurement section asks for: a window where it gives `window_s`."""
    return WindowMetering if measure.window_s else WholeRunMetering

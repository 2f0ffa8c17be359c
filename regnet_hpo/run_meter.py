"""The meters of a run, and the times and energies of its parts as fields of a record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from eahas.energy import EnergyReading, EpochEnergies, EpochMeter, Meter, open_meter
from eahas.errors import MeterError
from regnet_hpo.settings import MeasureSettings


def meter_for(device: str, settings: MeasureSettings) -> Meter:
    """The energy meter of a run. Raises MeterError if the device has no such energy source."""
    return open_meter(
        device,
        source=settings.energy,
        estimate_w_per_core=settings.estimate_w_per_core,
        allow_mig=settings.allow_mig,
    )


class RunMeter:
    """The meters of a run: of its device and, on a GPU run, of the host CPU.

    Training and evaluation are metered separately; the host CPU only during training. The caller
    closes it.
    """

    def __init__(self, device: str, measure: MeasureSettings) -> None:
        self.measure = measure
        self.meter: Meter = meter_for(device, measure)
        self.host: Meter | None = None
        if device != "cpu":
            self.host = open_meter("cpu", estimate_w_per_core=measure.estimate_w_per_core)
        self.evaluation = EpochMeter(self.meter)
        self.restart()

    def restart(self) -> None:
        """Discard the training epochs metered so far."""
        self.training = EpochMeter(self.meter)
        self.metered_epochs = 0
        self._host_training = None if self.host is None else EpochMeter(self.host)

    def close(self) -> None:
        """Release the devices."""
        try:
            self.meter.close()
        finally:
            if self.host is not None:
                self.host.close()

    def measure_idle(self) -> None:
        """Measure the idle power of the device for `idle_s` seconds, if the spec asks for it."""
        if self.measure.idle_s:
            self.meter.measure_idle(max(self.measure.idle_s, self.meter.min_window_s))

    # The limits of a metered interval: one training epoch, or several without a pause

    def start(self) -> None:
        """Start metering training."""
        if self._host_training is not None:
            self._host_training.start()
        self.training.start()

    def pause(self, epochs: int = 1) -> None:
        """End the interval after `epochs` epochs."""
        self.training.pause()
        if self._host_training is not None:
            self._host_training.pause()
        self.metered_epochs += epochs

    def drop(self) -> None:
        """Discard the open interval."""
        self.training.drop()
        if self._host_training is not None:
            self._host_training.drop()

    # Fields of the record

    def times(self, epochs: int) -> dict[str, Any]:
        """Seconds of `epochs` epochs, scaled from the metered ones.

        They are available even if the energy could not be read.
        """
        metered = self.training.state_dict()
        factor = epochs / self.metered_epochs
        wall_s, cpu_time_s = (
            factor * float(np.sum(metered[name])) for name in ("duration_s", "cpu_time_s")
        )
        return {
            "runtime_s": cpu_time_s if self.measure.runtime == "cpu_time" else wall_s,
            "wall_s": wall_s,
            "cpu_time_s": cpu_time_s,
            "metered_epochs": self.metered_epochs,
        }

    def training_energy(self, metered: EpochEnergies, epochs: int) -> dict[str, Any]:
        """Joules of `epochs` epochs, scaled from the metered ones, and how they were read.

        `metered` is the result of `self.training.finish()`.
        """
        reading = metered.reading
        factor = epochs / self.metered_epochs
        return {
            "train_energy_j": factor * metered.total_j,
            "energy_flags": ",".join(reading.flags),
            "energy_samples": reading.samples,
            "energy_disagreement": reading.disagreement,
            "idle_power_w": reading.idle_power_w,
            "energy_reading": reading_json(reading),
            **self._components(reading, factor),
        }

    def _components(self, reading: EnergyReading, factor: float) -> dict[str, Any]:
        """Joules of GPU, CPU and memory separately, and of the whole node as far as it is known.

        The total includes `node_rest_w`, the power that the spec states for everything that no
        sensor measures (fans, disks, losses of the power supply).
        """
        readings = {"cpu" if self.host is None else "gpu": reading}
        sources = {}
        if self._host_training is not None:
            try:
                readings["cpu"] = self._host_training.finish().reading
            except MeterError as error:
                sources["cpu"] = f"not metered: {error}"
        joules = {component: each.energy_j for component, each in readings.items()}
        sources |= {component: each.source for component, each in readings.items()}
        if "cpu" not in readings:  # without the CPU there is no total
            gpu_j = factor * joules["gpu"]
            return {"train_energy_gpu_j": gpu_j, "energy_parts": json.dumps(sources)}
        if readings["cpu"].dram_j is not None:
            joules["dram"], sources["dram"] = readings["cpu"].dram_j, sources["cpu"]
            joules["cpu"] -= joules["dram"]
        rest_w = self.measure.node_rest_w
        total_j = sum(joules.values()) + rest_w * reading.duration_s
        sources["total"] = " + ".join([*joules, f"{rest_w:g} W x wall_s"])
        return {
            **{f"train_energy_{name}_j": factor * value for name, value in joules.items()},
            "train_energy_total_j": factor * total_j,
            "energy_parts": json.dumps(sources),
        }

    def evaluation_energy(self) -> dict[str, Any]:
        """Joules of all evaluations. Raises MeterError as `EpochMeter.finish`."""
        return {"eval_energy_j": self.evaluation.finish().total_j}

    def test_inference(self, predict: Callable[[], None]) -> dict[str, Any]:
        """Time and energy of `predict`, which predicts all test images once; a mean of repeats.

        Raises MeterError as `Meter.measure_repeated`.
        """
        reading = self._measure_repeated(predict, self.measure.test_window_s)
        return {
            "test_energy_j": reading.energy_j,
            "test_energy_flags": ",".join(reading.flags),
            "test_time_s": self._time_s(reading),
        }

    def image_inference(self, predict: Mapping[int, Callable[[], None]]) -> dict[str, Any]:
        """Time and energy per image, in the smallest and in the largest batch.

        `predict` maps batch sizes to functions that predict one batch. Raises MeterError as
        `Meter.measure_repeated`.
        """
        fields: dict[str, Any] = {"largest_batch": max(predict)}
        for name, size in (("single", min(predict)), ("batched", max(predict))):
            reading = self._measure_repeated(predict[size], self.measure.inference_s)
            fields |= {
                f"{name}_image_s": self._time_s(reading) / size,
                f"{name}_image_j": reading.energy_j / size,
            }
        return fields

    def _measure_repeated(self, work: Callable[[], None], at_least_s: float) -> EnergyReading:
        work()  # warm up: the first call fills caches
        return self.meter.measure_repeated(work, at_least_s=at_least_s)

    def _time_s(self, reading: EnergyReading) -> float:
        use_cpu_time = self.measure.runtime == "cpu_time"
        return reading.cpu_time_s if use_cpu_time else reading.duration_s

    # The state of an unfinished run

    def state_dict(self) -> dict[str, Any]:
        """The epochs metered so far, as plain values."""
        return {
            "train": self.training.state_dict(),
            "metered_epochs": self.metered_epochs,
            "evaluation": self.evaluation.state_dict(),
            "host": None if self._host_training is None else self._host_training.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state. Raises MeterError if its energy comes from another source."""
        self.training.load_state_dict(state["train"])
        self.metered_epochs = state["metered_epochs"]
        self.evaluation.load_state_dict(state["evaluation"])
        if self._host_training is not None:
            self._host_training.load_state_dict(state["host"])


def collect_energies(
    measurements: Mapping[str, Callable[[], dict[str, Any]]], required: set[str], meter: Meter
) -> dict[str, Any]:
    """The record fields of all measurements that succeed; `energy_missing` explains the others.

    Raises MeterError if a `required` measurement fails.
    """
    fields: dict[str, Any] = {}
    missing = []
    for name, measure in measurements.items():
        try:
            fields |= measure()
        except MeterError as error:
            if name in required:
                raise
            missing.append(f"{name}: {error}")
    if any(value is not None for name, value in fields.items() if name.endswith("_j")):
        fields |= {"energy_source": meter.source, "energy_formula": meter.formula}
    return fields | {"energy_missing": "; ".join(missing)}


# Fields of a reading that have a column of their own, or follow from one.
OWN_COLUMNS = {
    *("energy_j", "duration_s", "cpu_time_s", "source", "formula", "flags", "samples"),
    *("idle_power_w", "disagreement", "sampled_j", "mean_power_w", "repeats", "dram_j"),
}


def reading_json(reading: EnergyReading) -> str:
    """The other fields of a reading as JSON: driver, power limit, MIG mode, processes, ..."""
    fields = {
        name: value
        for name, value in reading.to_dict().items()
        if name not in OWN_COLUMNS and value is not None and value != []
    }
    return json.dumps(fields, allow_nan=False)

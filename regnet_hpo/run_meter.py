"""What a run costs, as fields of its record: times and joules of its parts.

A run is metered whole, or over a window: whole epochs alone on the device, once its curves are
trained, scaled to all epochs. The row says which way it was (`energy_method`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eahas.energy import EnergyReading, EpochMeter, Meter, open_meter
from eahas.errors import MeterError
from regnet_hpo.preflight import meter_for
from regnet_hpo.settings import MeasureSettings

WHOLE, WINDOW = "whole", "window"


class RunMeter:
    """The meters of a run: of its device and, beside a GPU, of the processor that feeds it.

    Training and evaluation are metered apart; the processor only in training. Close it.
    """

    def __init__(self, device: str, measure: MeasureSettings) -> None:
        self.measure = measure
        self.meter: Meter = meter_for(device, measure)
        self.host: Meter | None = None
        if device != "cpu":
            self.host = open_meter("cpu", estimate_w_per_core=measure.estimate_w_per_core)
        self.evaluation = EpochMeter(self.meter)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget the training epochs so far; the next ones are those that count."""
        self.training = EpochMeter(self.meter)
        self.metered_epochs = 0
        self._host_training = None if self.host is None else EpochMeter(self.host)

    def close(self) -> None:
        """Let the devices go."""
        try:
            self.meter.close()
        finally:
            if self.host is not None:
                self.host.close()

    # The edges of what is metered: of one training epoch, or of several without a pause

    def start(self) -> None:
        """Training begins."""
        if self._host_training is not None:
            self._host_training.start()
        self.training.start()

    def pause(self, epochs: int = 1) -> None:
        """It ends after so many epochs."""
        self.training.pause()
        if self._host_training is not None:
            self._host_training.pause()
        self.metered_epochs += epochs

    def drop(self) -> None:
        """It came to no end and does not count."""
        self.training.drop()
        if self._host_training is not None:
            self._host_training.drop()

    # Fields of the record

    def times(self, epochs: int, method: str) -> dict[str, Any]:
        """Seconds of `epochs` epochs; they stand whether or not the joules could be read."""
        taken = self.training.state_dict()
        factor = epochs / self.metered_epochs
        wall_s, cpu_time_s = (
            factor * float(np.sum(taken[name])) for name in ("duration_s", "cpu_time_s")
        )
        found: dict[str, Any] = {
            "runtime_s": cpu_time_s if self.measure.runtime == "cpu_time" else wall_s,
            "wall_s": wall_s,
            "cpu_time_s": cpu_time_s,
            "energy_method": method,
            "metered_epochs": self.metered_epochs,
        }
        if method == WHOLE:
            found |= {
                "epoch_time_s": taken["duration_s"],
                "epoch_cpu_s": taken["cpu_time_s"],
                "eval_time_s": float(np.sum(self.evaluation.state_dict()["duration_s"])),
            }
        return found

    def training_energy(self, epochs: int, method: str) -> dict[str, Any]:
        """Joules of `epochs` epochs and how they were read. Raises MeterError as `finish`."""
        energies = self.training.finish()
        reading = energies.reading
        factor = epochs / self.metered_epochs
        found: dict[str, Any] = {
            "train_energy_j": factor * energies.total_j,
            "energy_flags": ",".join(reading.flags),
            "energy_samples": reading.samples,
            "energy_disagreement": reading.disagreement,
            "idle_power_w": reading.idle_power_w,
            "energy_reading": reading_text(reading),
        }
        if method == WHOLE:
            found["epoch_energy_j"] = energies.energy_j.tolist()
        return found | self._parts(reading, factor)

    def _parts(self, reading: EnergyReading, factor: float) -> dict[str, Any]:
        """Joules of GPU, processor and memory apart, and of the whole node as far as it is known.

        What of the node no sensor sees (fans, disks, the losses of its power supply) is the
        `node_rest_w` that the spec states.
        """
        readings = {"cpu" if self.host is None else "gpu": reading}
        sources = {}
        if self._host_training is not None:
            try:
                readings["cpu"] = self._host_training.finish().reading
            except MeterError as error:
                sources["cpu"] = f"not metered: {error}"
        joules = {part: each.energy_j for part, each in readings.items()}
        sources |= {part: each.source for part, each in readings.items()}
        if "cpu" not in readings:  # and so no total
            gpu_j = factor * joules["gpu"]
            return {"train_energy_gpu_j": gpu_j, "energy_parts": json.dumps(sources)}
        if readings["cpu"].dram_j is not None:
            joules["dram"], sources["dram"] = readings["cpu"].dram_j, sources["cpu"]
            joules["cpu"] -= joules["dram"]
        rest_w = self.measure.node_rest_w
        total = sum(joules.values()) + rest_w * reading.duration_s
        sources["total"] = " + ".join([*joules, f"{rest_w:g} W x wall_s"])
        found = {f"train_energy_{part}_j": factor * value for part, value in joules.items()}
        return found | {
            "train_energy_total_j": factor * total,
            "energy_parts": json.dumps(sources),
        }

    def evaluation_energy(self) -> dict[str, Any]:
        """Joules of all evaluations. Raises MeterError as `finish`."""
        return {"eval_energy_j": self.evaluation.finish().total_j}

    def test_pass(self, one_pass: Callable[[], None]) -> dict[str, Any]:
        """The mean of one pass over the test images. Raises MeterError as `measure_repeated`."""
        reading = self._repeated(one_pass, self.measure.test_window_s)
        return {
            "test_energy_j": reading.energy_j,
            "test_energy_flags": ",".join(reading.flags),
            "test_time_s": self._time(reading),
        }

    def images(self, passes: Mapping[int, Callable[[], None]]) -> dict[str, Any]:
        """Time and energy of one image, where passes over so many images are given.

        The smallest and the largest batch count. Raises MeterError as `measure_repeated`.
        """
        found: dict[str, Any] = {"largest_batch": max(passes)}
        for name, size in (("single", min(passes)), ("batched", max(passes))):
            reading = self._repeated(passes[size], self.measure.inference_s)
            found |= {
                f"{name}_image_s": self._time(reading) / size,
                f"{name}_image_j": reading.energy_j / size,
            }
        return found

    def _repeated(self, work: Callable[[], None], at_least_s: float) -> EnergyReading:
        work()  # the first pays for caches
        return self.meter.measure_repeated(work, at_least_s=at_least_s)

    def _time(self, reading: EnergyReading) -> float:
        on_cpu_time = self.measure.runtime == "cpu_time"
        return reading.cpu_time_s if on_cpu_time else reading.duration_s

    # The state of an unfinished run

    def state_dict(self) -> dict[str, Any]:
        """The epochs so far, as plain values."""
        return {
            "train": self.training.state_dict(),
            "metered_epochs": self.metered_epochs,
            "evaluation": self.evaluation.state_dict(),
            "host": None if self._host_training is None else self._host_training.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there. Raises MeterError where joules of two kinds would be added."""
        self.training.load_state_dict(state["train"])
        self.metered_epochs = state["metered_epochs"]
        self.evaluation.load_state_dict(state["evaluation"])
        if self._host_training is not None:
            self._host_training.load_state_dict(state["host"])


def collected(
    measured: Sequence[tuple[str, Callable[[], dict[str, Any]]]], needed: set[str], meter: Meter
) -> dict[str, Any]:
    """The fields of what could be measured, and why the rest is missing.

    Raises MeterError where one of the `needed` is missing.
    """
    found: dict[str, Any] = {}
    missing = []
    for name, measure in measured:
        try:
            found |= measure()
        except MeterError as error:
            if name in needed:
                raise
            missing.append(f"{name}: {error}")
    if any(value is not None for name, value in found.items() if name.endswith("_j")):
        found |= {"energy_source": meter.source, "energy_formula": meter.formula}
    return found | {"energy_missing": "; ".join(missing)}


# What of a reading stands in columns of its own, or follows from them.
IN_COLUMNS = {
    *("energy_j", "duration_s", "cpu_time_s", "source", "formula", "flags", "samples"),
    *("idle_power_w", "disagreement", "sampled_j", "mean_power_w", "repeats", "dram_j"),
}


def reading_text(reading: EnergyReading) -> str:
    """What else a reading knows, as JSON: driver, power limit, MIG, processes, parts, ..."""
    known = {
        name: value
        for name, value in reading.to_dict().items()
        if name not in IN_COLUMNS and value is not None and value != []
    }
    return json.dumps(known, allow_nan=False)

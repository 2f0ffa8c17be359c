"""What a run cost, as fields of its record: the times and energies of its parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from regnet_hpo.energy import EnergyReading, EpochMeter, Meter
from regnet_hpo.settings import MeasureSettings


def training_times(
    train: EpochMeter, evaluate: EpochMeter, measure: MeasureSettings
) -> dict[str, Any]:
    """Seconds of the finished epochs; they stand whether or not the joules could be read."""
    epochs = train.state_dict()
    wall_s, cpu_time_s = (float(np.sum(epochs[name])) for name in ("duration_s", "cpu_time_s"))
    return {
        "runtime_s": cpu_time_s if measure.runtime == "cpu_time" else wall_s,
        "wall_s": wall_s,
        "cpu_time_s": cpu_time_s,
        "epoch_time_s": epochs["duration_s"],
        "epoch_cpu_s": epochs["cpu_time_s"],
        "eval_time_s": float(np.sum(evaluate.state_dict()["duration_s"])),
    }


def training_energy(train: EpochMeter) -> dict[str, Any]:
    """Joules of the finished epochs and how they were read. Raises MeterError as `finish`."""
    energies = train.finish()
    reading = energies.reading
    return {
        "train_energy_j": energies.total_j,
        "epoch_energy_j": energies.energy_j.tolist(),
        "energy_flags": ",".join(reading.flags),
        "energy_samples": reading.samples,
        "energy_disagreement": reading.disagreement,
        "idle_power_w": reading.idle_power_w,
        "energy_reading": reading_text(reading),
    }


def inference_costs(
    one_pass: Callable[[], None], meter: Meter, measure: MeasureSettings
) -> dict[str, Any]:
    """The mean of one inference pass. Raises MeterError as `Meter.measure_repeated`."""
    one_pass()  # the first pays for caches
    reading = meter.measure_repeated(one_pass, at_least_s=measure.test_window_s)
    on_cpu_time = measure.runtime == "cpu_time"
    return {
        "test_energy_j": reading.energy_j,
        "test_energy_flags": ",".join(reading.flags),
        "test_time_s": reading.cpu_time_s if on_cpu_time else reading.duration_s,
    }


# What of a reading stands in columns of its own, or follows from them.
IN_COLUMNS = {
    *("energy_j", "duration_s", "cpu_time_s", "source", "formula", "flags", "samples"),
    *("idle_power_w", "disagreement", "sampled_j", "mean_power_w", "repeats"),
}


def reading_text(reading: EnergyReading) -> str:
    """What else a reading knows, as JSON: driver, power limit, MIG, processes, parts, ..."""
    known = {
        name: value
        for name, value in reading.to_dict().items()
        if name not in IN_COLUMNS and value is not None and value != []
    }
    return json.dumps(known, allow_nan=False)

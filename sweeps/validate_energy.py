"""Validate the energy of a metered window, scaled to all epochs, against the whole run.

Each selected run is trained alone and metered from its first epoch to its last. It is then metered
again over a window of whole epochs, as is done for runs that were trained next to others. The runs
are spread over the mean power in the records, because a scaling that is right at half load may be
wrong at full load.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eahas.energy import ESTIMATED
from eahas.errors import MeterError, SweepError
from eahas.records.schema import config_of
from eahas.spec.spec import Spec
from regnet_hpo.data import DataSet
from regnet_hpo.metering import WindowMetering
from regnet_hpo.run_meter import RunMeter, meter_for
from regnet_hpo.settings import measure_settings
from regnet_hpo.torch_threads import torch_threads
from regnet_hpo.train import Trainer

Row = Mapping[str, Any]
TOLERANCE = 0.05  # criterion: relative error of a run
MIN_SHARE = 0.95  # criterion: share of runs within the tolerance
DEFAULT_RUNS = 30


@dataclasses.dataclass(frozen=True)
class Scaled:
    """One run metered as a whole and over a window. `source` is the energy source."""

    config_id: str
    source: str
    power_w: float
    whole_s: float
    window_s: float
    whole_j: float
    window_j: float

    @property
    def time_error(self) -> float:
        """(window - whole) / whole of the seconds."""
        return self.window_s / self.whole_s - 1

    @property
    def energy_error(self) -> float:
        """(window - whole) / whole of the joules."""
        return self.window_j / self.whole_j - 1


Result = tuple[list[Scaled], dict[str, str]]  # and the reason for each skipped configuration


def spread_by_power(
    rows: Sequence[Row], count: int | None = None, *, min_s: float = 0.0
) -> list[Row]:
    """`count` successful runs, evenly spread over the ranking by mean power.

    The default is DEFAULT_RUNS, or all runs if there are fewer. A run that trained for at most
    `min_s` seconds cannot be metered as a whole and is not used.

    Raises SweepError if fewer than `count` configurations have a run with energy.
    """
    known: dict[str, Row] = {}
    for row in rows:
        if row["status"] == "ok" and row.get("train_energy_j") and row.get("wall_s", 0) > min_s:
            known.setdefault(row["config_id"], row)
    if count is None:
        count = min(DEFAULT_RUNS, max(1, len(known)))
    if len(known) < count:
        long = f" and trained for more than {min_s:g} s" if min_s else ""
        raise SweepError(
            f"{len(known)} configurations of the records have an energy{long}, but {count} "
            "are needed; make more runs first, or use fewer with --runs"
        )
    ordered = sorted(known.values(), key=lambda row: row["train_energy_j"] / row["wall_s"])
    positions = np.linspace(0, len(ordered) - 1, count).round().astype(int)
    return [ordered[position] for position in positions]


def min_run_s(spec: Spec, device: str) -> float:
    """The duration from which a run can be metered as a whole: 1.5 times the minimum window."""
    with meter_for(device, measure_settings(spec)) as meter:
        return 1.5 * meter.min_window_s


def validate_energy(
    spec: Spec,
    rows: Sequence[Row],
    data: DataSet,
    *,
    device: str,
    window_s: float,
    progress: Callable[[int, int, Result], None] | None = None,
) -> Result:
    """Meter each run as a whole and over a window of at least `window_s` seconds.

    Returns the metered runs, and the reason for each run that could not be metered. `progress` is
    called after each run with (done, total, result so far).
    """
    windowed = dataclasses.replace(spec, measurement={**spec.measurement, "window_s": window_s})
    metered: list[Scaled] = []
    skipped: dict[str, str] = {}
    for done, row in enumerate(rows, start=1):
        config_id = str(row["config_id"])
        try:
            metered.append(_scaled(windowed, row, data, device))
        except MeterError as error:
            skipped[config_id] = str(error)
        except RuntimeError as error:  # of the device, such as full memory; other runs may succeed
            skipped[config_id] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if progress is not None:
            progress(done, len(rows), (metered, skipped))
    return metered, skipped


def _scaled(spec: Spec, row: Row, data: DataSet, device: str) -> Scaled:
    config, seed = config_of(row, spec), int(row["seed"])
    trainer = Trainer(spec, config, seed, device=device, dataset=data)
    try:
        with torch_threads(trainer.measure.threads), trainer.device_lock.exclusive():
            return _meter_both(trainer, str(row["config_id"]))
    finally:
        trainer.learner.release()
        trainer.run_meter.close()


def _meter_both(trainer: Trainer, config_id: str) -> Scaled:
    """The run, metered in both ways. Raises MeterError if it diverges or is too short."""
    learner, run_meter = trainer.learner, trainer.run_meter
    epochs = learner.max_epoch
    learner.capture()
    run_meter.start()
    losses = [learner.train_epoch(epoch)[0] for epoch in range(epochs)]
    run_meter.pause(epochs)
    if not math.isfinite(losses[-1]):
        raise MeterError(f"loss is {losses[-1]} after {epochs} epochs")
    whole = _time_and_energy(run_meter, epochs)
    metering = WindowMetering(trainer.measure, trainer.device_lock)
    metering.measure_window(run_meter, lambda: learner.train_epoch(epochs - 1))
    window = _time_and_energy(run_meter, epochs)
    return Scaled(
        config_id=config_id,
        source=run_meter.meter.source,
        power_w=whole["train_energy_j"] / whole["wall_s"],
        whole_s=whole["runtime_s"],
        window_s=window["runtime_s"],
        whole_j=whole["train_energy_j"],
        window_j=window["train_energy_j"],
    )


def _time_and_energy(run_meter: RunMeter, epochs: int) -> dict[str, Any]:
    metered = run_meter.training.finish()
    return run_meter.times(epochs) | run_meter.training_energy(metered, epochs)


def summary(metered: Sequence[Scaled], skipped: Mapping[str, str]) -> dict[str, Any]:
    """Errors of the scaling: bias, median, 95 % quantile, worst, and the share within 5 %."""

    def statistics_of(errors: list[float]) -> dict[str, float]:
        size = np.abs(errors)
        return {
            "bias": float(np.mean(errors)),
            "median": float(np.median(size)),
            "p95": float(np.percentile(size, 95)),
            "worst": float(size.max()),
            "share_within": float((size <= TOLERANCE).mean()),
        }

    if not metered:
        return {"runs": 0, "left_out": dict(skipped)}
    return {
        "runs": len(metered),
        "left_out": dict(skipped),
        "energy_source": dict(Counter(run.source for run in metered)),
        "power_w": [min(run.power_w for run in metered), max(run.power_w for run in metered)],
        "energy": statistics_of([run.energy_error for run in metered]),
        "time": statistics_of([run.time_error for run in metered]),
        "each": [dataclasses.asdict(run) for run in metered],
    }


def page(facts: Mapping[str, Any]) -> str:
    """The summary as text for a terminal."""
    notes = [f"skipped: {name}: {reason}" for name, reason in facts["left_out"].items()]
    if not facts["runs"]:
        return "\n".join(["no run could be metered in both ways", *notes])
    low, high = facts["power_w"]
    sources = ", ".join(facts["energy_source"])
    lines = [
        f"runs: {facts['runs']}, mean power {low:.4g} to {high:.4g} W ({sources}); error of the "
        "scaled window relative to the whole run:",
        f"{'':8}{'bias':>9}{'median':>9}{'95 %':>9}{'worst':>9}   within {100 * TOLERANCE:.0f} %",
    ]
    for name in ("energy", "time"):
        errors = facts[name]
        cells = "".join(f"{100 * errors[key]:8.2f}%" for key in ("bias", "median", "p95", "worst"))
        lines.append(f"{name:8}{cells}   {100 * errors['share_within']:.0f} % of runs")
    met = "met" if facts["energy"]["share_within"] >= MIN_SHARE else "missed"
    limit = f"{100 * MIN_SHARE:.0f} % of runs within {100 * TOLERANCE:.0f} % in energy"
    criterion = f"criterion: {limit}: {met}"
    if ESTIMATED in facts["energy_source"]:
        notes.insert(0, "estimated joules are CPU time, so this validates no sensor")
    return "\n".join([*lines, criterion, *notes])

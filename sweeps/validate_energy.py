"""Is a window of a run, scaled to all its epochs, what the whole run costs?

Each chosen run is trained whole, alone and metered from its first epoch to its last, and then
metered again over a window of whole epochs, as runs whose curves were trained in company are. The
runs are spread over the power that the records show: a scaling that is right at half load may be
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
WITHIN = 0.05  # the bar: so close are
ENOUGH = 0.95  # of the runs
RUNS = 30


@dataclasses.dataclass(frozen=True)
class Scaled:
    """One run metered both ways; `source` is where its joules come from."""

    config_id: str
    source: str
    power_w: float
    whole_s: float
    window_s: float
    whole_j: float
    window_j: float

    @property
    def time_error(self) -> float:
        """(scaled - whole) / whole, of the seconds."""
        return self.window_s / self.whole_s - 1

    @property
    def energy_error(self) -> float:
        """(scaled - whole) / whole, of the joules."""
        return self.window_j / self.whole_j - 1


Result = tuple[list[Scaled], dict[str, str]]  # and why the others were left out


def spread_by_power(
    rows: Sequence[Row], count: int | None = None, *, least_s: float = 0.0
) -> list[Row]:
    """So many runs that ended well, evenly spread over the order of their mean power.

    Without `count` they are RUNS, or all where there are fewer. A run that trained for less than
    `least_s` cannot be metered whole and does not count.

    Raises SweepError where the records have no runs with energy, or fewer than asked for.
    """
    known: dict[str, Row] = {}
    for row in rows:
        if row["status"] == "ok" and row.get("train_energy_j") and row.get("wall_s", 0) > least_s:
            known.setdefault(row["config_id"], row)
    if count is None:
        count = min(RUNS, max(1, len(known)))
    if len(known) < count:
        long = f" and trained for more than {least_s:g} s" if least_s else ""
        raise SweepError(
            f"{len(known)} configurations of the records have an energy{long}, and {count} "
            "are asked for; make more runs first, or ask for fewer with --runs"
        )
    ordered = sorted(known.values(), key=lambda row: row["train_energy_j"] / row["wall_s"])
    places = np.linspace(0, len(ordered) - 1, count).round().astype(int)
    return [ordered[place] for place in places]


def shortest_whole_s(spec: Spec, device: str) -> float:
    """Seconds that a run has to last for its joules to be metered in one piece, and to spare."""
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
    """Each run whole and over a window of at least `window_s`; and why others were left out.

    `progress` is told after each run how many are done, of how many, and what is known by then.
    """
    windowed = dataclasses.replace(spec, measurement={**spec.measurement, "window_s": window_s})
    found: list[Scaled] = []
    left_out: dict[str, str] = {}
    for done, row in enumerate(rows, start=1):
        config_id = str(row["config_id"])
        try:
            found.append(_scaled(windowed, row, data, device))
        except MeterError as error:
            left_out[config_id] = str(error)
        except RuntimeError as error:  # of the device: full memory, say; the others may go well
            left_out[config_id] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if progress is not None:
            progress(done, len(rows), (found, left_out))
    return found, left_out


def _scaled(spec: Spec, row: Row, data: DataSet, device: str) -> Scaled:
    config, seed = config_of(row, spec), int(row["seed"])
    trainer = Trainer(spec, config, seed, device=device, dataset=data)
    try:
        with torch_threads(trainer.measure.threads), trainer.device_lock.exclusive():
            return _both(trainer, str(row["config_id"]))
    finally:
        trainer.learner.release()
        trainer.run_meter.close()


def _both(trainer: Trainer, config_id: str) -> Scaled:
    """The run both ways. Raises MeterError where it diverges or is too short."""
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


def summary(found: Sequence[Scaled], left_out: Mapping[str, str]) -> dict[str, Any]:
    """Errors of the scaling: median, 95 % quantile, worst, and the share within 5 %."""

    def of(errors: list[float]) -> dict[str, float]:
        size = np.abs(errors)
        return {
            "bias": float(np.mean(errors)),
            "median": float(np.median(size)),
            "p95": float(np.percentile(size, 95)),
            "worst": float(size.max()),
            "share_within": float((size <= WITHIN).mean()),
        }

    if not found:
        return {"runs": 0, "left_out": dict(left_out)}
    return {
        "runs": len(found),
        "left_out": dict(left_out),
        "energy_source": dict(Counter(s.source for s in found)),
        "power_w": [min(s.power_w for s in found), max(s.power_w for s in found)],
        "energy": of([s.energy_error for s in found]),
        "time": of([s.time_error for s in found]),
        "each": [dataclasses.asdict(s) for s in found],
    }


def page(facts: Mapping[str, Any]) -> str:
    """The summary as text for a terminal."""
    left_out = [f"left out: {name}: {why}" for name, why in facts["left_out"].items()]
    if not facts["runs"]:
        return "\n".join(["no run ended well, so nothing could be compared", *left_out])
    low, high = facts["power_w"]
    sources = ", ".join(facts["energy_source"])
    lines = [
        f"runs: {facts['runs']}, of {low:.4g} to {high:.4g} W ({sources}), whole and scaled from a "
        "window:",
        f"{'':8}{'bias':>9}{'median':>9}{'95 %':>9}{'worst':>9}   within {100 * WITHIN:.0f} %",
    ]
    for name in ("energy", "time"):
        errors = facts[name]
        cells = "".join(f"{100 * errors[key]:8.2f}%" for key in ("bias", "median", "p95", "worst"))
        lines.append(f"{name:8}{cells}   {100 * errors['share_within']:.0f} % of runs")
    met = "met" if facts["energy"]["share_within"] >= ENOUGH else "missed"
    bar = f"bar: {100 * ENOUGH:.0f} % of runs within {100 * WITHIN:.0f} % in energy: {met}"
    if ESTIMATED in facts["energy_source"]:
        left_out.insert(0, "estimated joules are CPU time: nothing is learned of a sensor here")
    return "\n".join([*lines, bar, *left_out])

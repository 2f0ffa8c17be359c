"""How fast a network trains: our trainer beside a plain loop, in turns, on the same network.

    python -m benchmarks.training --data-dir DATA [--device cuda] [--spec NAME] [--config JSON] ...

Prints images per second and joules per epoch of both and their ratio, the median over epochs; with
`--seeds N` also the curves of N runs a side, and whether they differ by more than seeds do.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks._plain_training import PlainTraining
from eahas.spec import Spec, spec_from_dict
from regnet_hpo.data import DataSet, load_dataset
from regnet_hpo.energy import open_meter
from regnet_hpo.learner import Learner
from regnet_hpo.preflight import check_device
from sweeps.specs import load_spec

Array = np.ndarray
NAMES = ("ours", "plain")


@dataclasses.dataclass(frozen=True)
class Speed:
    """Of one side: seconds of each epoch that counts, and joules, None where none are metered."""

    epoch_s: list[float]
    epoch_j: list[float] | None


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spec", default="regnet-cifar10-16px")
    parser.add_argument("--config", action="append", help="JSON of what differs from the default")
    parser.add_argument("--data-dir")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2, help="of the plain loop's loader")
    parser.add_argument("--epochs", type=int, default=3, help="timed, of each side")
    parser.add_argument("--images", type=int, help="train on so many images")
    parser.add_argument("--seeds", type=int, default=0, help="compare curves over so many seeds")
    arguments = parser.parse_args(argv)
    check_device(arguments.device)
    spec = load_spec(arguments.spec)
    if arguments.images:
        source = dict(spec.source)
        source["data"] = dict(source["data"]) | {"train": arguments.images}
        spec = spec_from_dict(source)
    data = load_dataset(spec.data, arguments.data_dir)
    where = platform.processor() or platform.machine()
    if arguments.device != "cpu":
        where = torch.cuda.get_device_name(arguments.device)
    print(
        f"{spec.name} on {where}, torch {torch.__version__}, {len(data.train)} images "
        f"({data.source}), {arguments.workers} workers for the plain loop\n"
    )
    configs = [default_config(spec) | json.loads(c) for c in arguments.config or ["{}"]]
    print("| configuration | ours, images/s | plain | ratio | ours, J an epoch | plain | ratio |")
    print("|" + " --- |" * 7)
    for config in configs:
        print(speed_row(spec, config, data, arguments), flush=True)
    if arguments.seeds:
        print("\n| configuration | largest difference of a curve, in its standard errors |")
        print("| --- | --- |")
        for config in configs:
            print(curves_row(spec, config, data, arguments), flush=True)


def default_config(spec: Spec) -> dict[str, Any]:
    """One of the space: the first that is drawn with seed 0."""
    return dict(spec.space.check(spec.space.sample(1, seed=0)[0]))


def speed_row(spec: Spec, config: Mapping[str, Any], data: DataSet, arguments: Any) -> str:
    """A row of the table of speeds."""
    config = spec.space.check(config)
    ours = Learner(spec, config, 0, data, arguments.device)
    ours.capture()
    plain = PlainTraining(spec, config, 0, data, arguments.device, arguments.workers)
    found = speeds([ours.train_epoch, plain.train_epoch], arguments.device, arguments.epochs)
    images = ours.train_pass.batches * ours.batch_size
    rates = [images / statistics.median(speed.epoch_s) for speed in found]
    cells = [label(config), f"{rates[0]:,.0f}", f"{rates[1]:,.0f}", f"{rates[0] / rates[1]:.2f}"]
    joules = [speed.epoch_j and statistics.median(speed.epoch_j) for speed in found]
    if joules[0] and joules[1]:
        cells += [f"{joules[0]:.3g}", f"{joules[1]:.3g}", f"{joules[1] / joules[0]:.2f}"]
    else:
        cells += ["not metered"] * 3
    return "| " + " | ".join(cells) + " |"


def speeds(sides: Sequence[Callable[[int], object]], device: str, epochs: int) -> list[Speed]:
    """Time and energy of epochs of each side, in turns; the first of each is not counted."""
    meter = open_meter(device) if device != "cpu" else None
    taken: list[list[float]] = [[] for _ in sides]
    joules: list[list[float]] = [[] for _ in sides]
    for epoch in range(epochs + 1):
        for side, train_epoch in enumerate(sides):
            train_epoch(epoch)  # the ramp, and caches that the other side used
            repeats = 0
            window = None if meter is None else meter.start()
            began = time.perf_counter()
            while repeats == 0 or (
                meter is not None and time.perf_counter() - began < meter.min_window_s
            ):
                train_epoch(epoch)
                repeats += 1
            seconds = (time.perf_counter() - began) / repeats
            reading = None if window is None else window.stop()
            if epoch:
                taken[side].append(seconds)
                if reading is not None:
                    joules[side].append(reading.energy_j / repeats)
    if meter is not None:
        meter.close()
    return [Speed(s, j if meter is not None else None) for s, j in zip(taken, joules, strict=True)]


def curves_row(spec: Spec, config: Mapping[str, Any], data: DataSet, arguments: Any) -> str:
    """Whether the mean curves of the two sides lie apart by more than their standard errors."""
    config = spec.space.check(config)
    found: dict[str, list[Array]] = {name: [] for name in NAMES}
    for seed in range(arguments.seeds):
        ours = Learner(spec, config, seed, data, arguments.device)
        ours.capture()
        found["ours"].append(np.array([_learned(ours, e) for e in range(ours.max_epoch)]).T)
        plain = PlainTraining(spec, config, 1000 + seed, data, arguments.device, arguments.workers)
        rows = [[plain.train_epoch(epoch), *plain.accuracies()] for epoch in range(ours.max_epoch)]
        found["plain"].append(np.array(rows).T)
    ours_all, plain_all = (np.stack(found[name]) for name in NAMES)  # (seeds, curves, epochs)
    gap = ours_all.mean(0) - plain_all.mean(0)
    error = np.sqrt((ours_all.var(0, ddof=1) + plain_all.var(0, ddof=1)) / len(ours_all))
    cells = []
    for curve, name in enumerate(("train", "valid", "test")):
        # Neighbouring epochs are no independent witnesses: the mean over epochs is tested.
        per_run = [curves[:, curve].mean(axis=1) for curves in (ours_all, plain_all)]
        spread = np.sqrt(sum(run.var(ddof=1) for run in per_run) / len(ours_all))
        mean_gap = float(per_run[0].mean() - per_run[1].mean())
        last = gap[curve, -1] / error[curve, -1]
        cells.append(
            f"{name}: mean over epochs {mean_gap:+.2f} points ({mean_gap / spread:+.1f} s.e.), "
            f"last {gap[curve, -1]:+.2f} ({last:+.1f} s.e.)"
        )
    return f"| {label(config)} | {'; '.join(cells)} |"


def _learned(ours: Learner, epoch: int) -> list[float]:
    """Accuracies of an epoch on the training batches, valid and test."""
    _, train = ours.train_epoch(epoch)
    judged = ours.evaluate(epoch)
    return [train, judged["valid"], judged["test"]]


def label(config: Mapping[str, Any]) -> str:
    """What of a configuration moves its speed."""
    names = [n for n in config if n.startswith("REGNET.")]
    shape = "/".join(f"{config[n]:g}" for n in names)
    more = [str(config[n]) for n in ("TRAIN.BATCH_SIZE", "TRAIN.PRECISION") if n in config]
    return ", ".join([f"RegNet {shape}", *more, config["OPTIM.OPTIMIZER"]])


if __name__ == "__main__":
    main()

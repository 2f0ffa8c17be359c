"""Compare the training speed of our trainer with that of a plain loop, on the same network.

    python -m benchmarks.training --data-dir DATA [--device cuda] [--spec NAME] [--config JSON] ...

The two train in turns. The output has the images per second and the joules per epoch of both (the
medians over epochs) and their ratios. With `--seeds N` it also has the differences of the learning
curves of N runs of each, with standard errors. On a CPU the plain loop always trains in fp32,
because pycls uses half precision on GPUs only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks._plain_training import PlainTraining
from eahas.cli import run_command
from eahas.cli.arguments import whole
from eahas.energy import RAPL, Meter, open_meter
from eahas.errors import MeterError
from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo.data import DATA_ENV, DataSet, load_dataset
from regnet_hpo.learner import Learner
from regnet_hpo.preflight import check_device
from sweeps.specs import load_spec

Array = np.ndarray
NAMES = ("ours", "plain")
SPLITS = ("train", "valid", "test")
SPEC = "regnet-cifar10-16px"


@dataclasses.dataclass(frozen=True)
class Speed:
    """Seconds and joules of each timed epoch of one loop; None if no energy was metered."""

    epoch_s: list[float]
    epoch_j: list[float] | None


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spec", default=SPEC, help=f"default: {SPEC}")
    parser.add_argument(
        "--draw", type=whole(1), default=1, help="number of sampled configurations; default: 1"
    )
    parser.add_argument(
        "--config", type=_settings, action="append", help="JSON of values to change in each of them"
    )
    parser.add_argument("--data-dir", help=f"folder of the data sets; default: ${DATA_ENV}")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:0, ...; default: cpu")
    parser.add_argument(
        "--workers", type=int, help="loader processes of the plain loop; default: 2, on cuda 8"
    )
    parser.add_argument(
        "--epochs", type=whole(1), default=3, help="number of timed epochs of each; default: 3"
    )
    parser.add_argument(
        "--images", type=whole(10), help="maximum number of images for training and evaluation"
    )
    parser.add_argument(
        "--seeds", type=whole(0), default=0, help="number of seeds to compare curves; default: 0"
    )
    arguments = parser.parse_args(argv)
    if arguments.seeds == 1:
        parser.error("argument --seeds: allowed are 0 (no curves) and whole numbers from 2")
    check_device(arguments.device)
    if arguments.workers is None:
        arguments.workers = 2 if arguments.device == "cpu" else 8
    spec = load_spec(arguments.spec)
    if arguments.images:
        source = dict(spec.source)
        limited = {split: min(arguments.images, source["data"][split]) for split in SPLITS}
        source["data"] = dict(source["data"]) | limited
        spec = spec_from_dict(source)
    data = load_dataset(spec.data, arguments.data_dir)
    device = platform.processor() or platform.machine()
    if arguments.device != "cpu":
        device = torch.cuda.get_device_name(arguments.device)
    print(
        f"{spec.name} on {device}, torch {torch.__version__}, {len(data.train)} images "
        f"({data.source}), {arguments.workers} workers for the plain loop\n"
    )
    configs = [
        spec.space.check(sampled) | changes
        for sampled in spec.space.sample(arguments.draw, seed=0)
        for changes in arguments.config or [{}]
    ]
    print("| configuration | ours, images/s | plain | ratio | ours, J/epoch | plain | ratio |")
    print("|" + " --- |" * 7)
    for config in configs:
        print(speed_row(spec, config, data, arguments), flush=True)
    if arguments.seeds:
        heads = [f"{name}, {what}" for name in SPLITS for what in ("all epochs", "last")]
        print(f"\naccuracy of ours minus that of the plain loop, {arguments.seeds} runs of each\n")
        print(f"| configuration | {' | '.join(heads)} |")
        print("|" + " --- |" * (1 + len(heads)))
        for config in configs:
            print(curves_row(spec, config, data, arguments), flush=True)


def _settings(text: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed is a flat JSON object")
    return settings


def speed_row(spec: Spec, config: Mapping[str, Any], data: DataSet, arguments: Any) -> str:
    """A row of the table of speeds: images per second, joules per epoch, and ratios."""
    config = spec.space.check(config)
    ours = Learner(spec, config, 0, data, arguments.device)
    ours.capture()
    plain = PlainTraining(spec, config, 0, data, arguments.device, arguments.workers)
    both = speeds([ours.train_epoch, plain.train_epoch], arguments.device, arguments.epochs)
    images = ours.train_batches.count * ours.batch_size
    rates = [images / statistics.median(speed.epoch_s) for speed in both]
    cells = [label(config), f"{rates[0]:,.0f}", f"{rates[1]:,.0f}", f"{rates[0] / rates[1]:.2f}"]
    joules = [speed.epoch_j and statistics.median(speed.epoch_j) for speed in both]
    if joules[0] and joules[1]:
        cells += [f"{joules[0]:.3g}", f"{joules[1]:.3g}", f"{joules[1] / joules[0]:.2f}"]
    else:
        cells += ["not metered"] * 3
    return "| " + " | ".join(cells) + " |"


def _measuring_meter(device: str) -> Meter | None:
    """A meter that measures energy; None on a processor without RAPL."""
    if device != "cpu":
        return open_meter(device)
    try:
        return open_meter(device, source=RAPL)
    except MeterError:
        return None


def speeds(sides: Sequence[Callable[[int], object]], device: str, epochs: int) -> list[Speed]:
    """Time and energy of the epochs of each loop, in turns; the first of each is not counted."""
    meter = _measuring_meter(device)
    times_s: list[list[float]] = [[] for _ in sides]
    joules: list[list[float]] = [[] for _ in sides]
    for epoch in range(epochs + 1):
        for side, train_epoch in enumerate(sides):
            train_epoch(epoch)  # warm-up, after the other loop has used the caches
            repeats = 0
            window = None if meter is None else meter.start()
            start = time.perf_counter()
            while repeats == 0 or (
                meter is not None and time.perf_counter() - start < meter.min_window_s
            ):
                train_epoch(epoch)
                repeats += 1
            seconds = (time.perf_counter() - start) / repeats
            reading = None if window is None else window.stop()
            if epoch:
                times_s[side].append(seconds)
                if reading is not None:
                    joules[side].append(reading.energy_j / repeats)
    if meter is not None:
        meter.close()
    return [
        Speed(s, j if meter is not None else None) for s, j in zip(times_s, joules, strict=True)
    ]


@dataclasses.dataclass(frozen=True)
class Gap:
    """The accuracy of ours minus that of the plain loop in points, and its standard error."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:+.2f} points ({self.mean / self.error:+.1f} s.e.)"


def gap(ours: Array, plain: Array) -> Gap:
    """The gap of two samples with one value per run."""
    error = np.sqrt(ours.var(ddof=1) / len(ours) + plain.var(ddof=1) / len(plain))
    return Gap(float(ours.mean() - plain.mean()), float(error))


def curves_of(
    spec: Spec,
    config: Mapping[str, Any],
    data: DataSet,
    *,
    seeds: int,
    device: str = "cpu",
    workers: int = 0,
) -> tuple[Array, Array]:
    """Accuracies on train, valid and test (seeds, 3, epochs), of ours and of the plain loop."""
    curves: dict[str, list[Array]] = {name: [] for name in NAMES}
    for seed in range(seeds):
        ours = Learner(spec, config, seed, data, device)
        ours.capture()
        curves["ours"].append(np.array([_accuracies(ours, e) for e in range(ours.max_epoch)]).T)
        plain = PlainTraining(spec, config, 1000 + seed, data, device, workers)
        rows = [[plain.train_epoch(epoch), *plain.accuracies()] for epoch in range(ours.max_epoch)]
        curves["plain"].append(np.array(rows).T)
    return np.stack(curves["ours"]), np.stack(curves["plain"])


def curves_row(spec: Spec, config: Mapping[str, Any], data: DataSet, arguments: Any) -> str:
    """A row of the gaps between the curves of the two loops."""
    ours, plain = curves_of(
        spec,
        spec.space.check(config),
        data,
        seeds=arguments.seeds,
        device=arguments.device,
        workers=arguments.workers,
    )
    cells = []
    for curve in range(len(SPLITS)):
        # Neighbouring epochs are not independent, so their mean is one value per run.
        whole = gap(ours[:, curve].mean(axis=1), plain[:, curve].mean(axis=1))
        last = gap(ours[:, curve, -1], plain[:, curve, -1])
        cells += [str(whole), str(last)]
    return f"| {label(config)}, {config['OPTIM.MAX_EPOCH']} epochs | {' | '.join(cells)} |"


def _accuracies(ours: Learner, epoch: int) -> list[float]:
    """Train one epoch; return the accuracies on the training batches, valid and test."""
    _, train = ours.train_epoch(epoch)
    accuracies = ours.evaluate(epoch)
    return [train, accuracies["valid"], accuracies["test"]]


def label(config: Mapping[str, Any]) -> str:
    """The values of a configuration that affect its speed."""
    names = [n for n in config if n.startswith("REGNET.")]
    shape = "/".join(f"{config[n]:g}" for n in names)
    others = [str(config[n]) for n in ("TRAIN.BATCH_SIZE", "TRAIN.PRECISION") if n in config]
    return ", ".join([f"RegNet {shape}", *others, config["OPTIM.OPTIMIZER"]])


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.training", main))

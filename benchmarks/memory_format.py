"""Measure which memory format is faster for training, and whether a search for kernels helps.

    python -m benchmarks.memory_format --device cuda --draw 8 --data-dir DATA

Images and weights are in the channels-last format, unless a spec's training section contains
`channels_last: false`. Which format is faster depends on the kernels that a library has for the
precision and the group width. On a GPU, `cudnn.benchmark` tries several kernels before the first
step.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from benchmarks.training import SPEC, label
from eahas.cli import run_command
from eahas.cli.arguments import whole
from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo.data import DATA_ENV, DataSet, load_dataset
from regnet_hpo.learner import Learner
from regnet_hpo.preflight import check_device
from sweeps.specs import load_spec

FORMATS = {"channels last": True, "contiguous": False}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spec", default=SPEC, help=f"default: {SPEC}")
    parser.add_argument(
        "--draw", type=whole(1), default=4, help="number of sampled configurations; default: 4"
    )
    parser.add_argument("--data-dir", help=f"folder of the data sets; default: ${DATA_ENV}")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:0, ...; default: cpu")
    parser.add_argument(
        "--epochs", type=whole(1), default=3, help="number of timed epochs of each; default: 3"
    )
    arguments = parser.parse_args(argv)
    check_device(arguments.device)
    spec = load_spec(arguments.spec)
    data = load_dataset(spec.data, arguments.data_dir)
    searches = (False,) if arguments.device == "cpu" else (False, True)
    print("| configuration | format | kernel search | preparation | epoch | evaluation |")
    print("|" + " --- |" * 6)
    for config in spec.space.sample(arguments.draw, seed=0):
        for name, last in FORMATS.items():
            for search in searches:
                torch.backends.cudnn.benchmark = search
                prepared_s, *others_s = timed(
                    _with_format(spec, last), config, data, arguments.device, arguments.epochs
                )
                cells = [label(spec.space.check(config)), name, "yes" if search else "no"]
                cells += [f"{prepared_s:.2f} s", *(f"{1000 * s:.1f} ms" for s in others_s)]
                print(f"| {' | '.join(cells)} |", flush=True)


def _with_format(spec: Spec, last: bool) -> Spec:
    source = dict(spec.source)
    return spec_from_dict(source | {"training": {**source["training"], "channels_last": last}})


def timed(
    spec: Spec, config: Mapping[str, Any], data: DataSet, device: str, epochs: int
) -> tuple[float, float, float]:
    """Seconds of the preparation, of an epoch of training, and of its evaluation."""
    start_s = time.perf_counter()
    learner = Learner(spec, spec.space.check(config), 0, data, device)
    try:
        learner.capture()
        learner.train_epoch(0)
        prepared_s = time.perf_counter() - start_s
        learner.evaluate(0)
        epoch_s = [_seconds(lambda: learner.train_epoch(0)) for _ in range(epochs)]
        evaluation_s = [_seconds(lambda: learner.evaluate(0)) for _ in range(epochs)]
    finally:
        learner.release()
    return prepared_s, statistics.median(epoch_s), statistics.median(evaluation_s)


def _seconds(work: Callable[[], object]) -> float:
    """The duration of work that reads its result at the end, and so waits for the device."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.memory_format", main))

"""The energy meter on a real GPU: what its sensor sees, how far it agrees with itself, its cost.

    python -m benchmarks.energy --device cuda --data-dir DATA

Four tables: how often the sensor's values change and how late power rises; the same work in windows
that begin at different phases of the sensor; the energy counter against power samples, at several
loads; and epochs of training with and without a meter, in turns. All of it is consistency of one
sensor. None of it is accuracy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch

from eahas.cli import run_command
from eahas.cli.arguments import whole
from eahas.energy import Meter, open_meter
from eahas.energy.gpus import pick_gpus, torch_uuid
from eahas.energy.nvml import Nvml, text
from eahas.energy.sensor import phase_shifted, sensor_updates
from eahas.spec.spec import Spec
from regnet_hpo.data import DATA_ENV, DataSet, load_dataset
from regnet_hpo.learner import Learner
from regnet_hpo.preflight import check_device
from sweeps.specs import load_spec

SPEC = "regnet-cifar10-16px"
SIZES = (512, 1024, 2048, 4096, 8192)  # of square matrices, from little load to full


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:0, ...; default: cuda")
    parser.add_argument("--data-dir", help=f"where data sets lie; default: ${DATA_ENV}")
    parser.add_argument("--spec", default=SPEC, help=f"default: {SPEC}")
    parser.add_argument(
        "--epochs", type=whole(1), default=12, help="of each side, for the overhead; default: 12"
    )
    arguments = parser.parse_args(argv)
    check_device(arguments.device)
    spec = load_spec(arguments.spec)
    data = load_dataset(spec.data, arguments.data_dir)
    nvml = Nvml()
    ordinal = torch.device(arguments.device).index or 0

    (handle,) = pick_gpus(nvml, [ordinal], os.environ, torch_uuid)
    print(
        f"{text(nvml.query('nvmlDeviceGetName', handle))}, driver "
        f"{text(nvml.query('nvmlSystemGetDriverVersion'))}, torch {torch.__version__}\n"
    )
    print("| value | reads | changes | median interval | longest | rises by 90 % in |")
    print("|" + " --- |" * 6)
    period_s, ramp_s = 0.0, 1.0
    for found in sensor_updates(nvml, handle, matrices(arguments.device, 8192)):
        rise = "" if found.rise_s is None else f"{1000 * found.rise_s:.0f} ms"
        print(
            f"| {found.what} | {found.reads:,} | {found.changes:,} | "
            f"{1000 * found.median_s:.1f} ms | {1000 * found.longest_s:.1f} ms | {rise} |",
            flush=True,
        )
        # The longest interval may be a stretch in which the power did not change.
        period_s = max(period_s, found.median_s if found.what != "plain power" else 0.0)
        ramp_s = max(ramp_s, 2 * (found.rise_s or 0.0))
    with open_meter(arguments.device) as meter:
        agreement(meter, arguments.device, period_s, ramp_s)
        overhead(meter, spec, data, arguments)


def matrices(device: str, size: int, at_least_s: float = 0.05) -> Callable[[], None]:
    """Work of about `at_least_s` that waits for the device: products of random matrices."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(a)

    def some(count: int) -> None:
        for _ in range(count):
            torch.mm(a, b, out=out)
        torch.cuda.synchronize(device)

    some(3)
    count = 1
    while True:
        began = time.perf_counter()
        some(count)
        if time.perf_counter() - began >= at_least_s:
            break
        count *= 2
    return lambda: some(count)


def agreement(meter: Meter, device: str, period_s: float, ramp_s: float) -> None:
    """Windows at different phases, and counter against samples, from little load to full."""
    print("\n| bf16 products of | windows | power | spread of windows | of the mean | samples |")
    print("|" + " --- |" * 6)
    bands: set[float] = set()
    for size in SIZES:
        load = matrices(device, size)
        found, readings = phase_shifted(meter, load, period_s=period_s, ramp_s=ramp_s)
        bands |= {reading.systematic for reading in readings if reading.systematic is not None}
        beside = "" if found.disagreement is None else f"{100 * found.disagreement:+.2f} %"
        print(
            f"| {size} x {size} | {found.windows} | {found.power_w:.1f} W | "
            f"{100 * found.relative_std:.2f} % | {100 * found.relative_error:.2f} % | {beside} |",
            flush=True,
        )
    for band in bands:
        print(f"\nbeside all of these, an error of the sensor of up to {100 * band:g} %")


def overhead(meter: Meter, spec: Spec, data: DataSet, arguments: argparse.Namespace) -> None:
    """Epochs with and without a meter, in turns.

    Sampling starts and ends outside of the timed stretch, as it does once a run.
    """
    config = spec.space.check(spec.space.sample(1, seed=0)[0])
    learner = Learner(spec, config, 0, data, arguments.device)
    learner.capture()
    bare: list[float] = []
    metered: list[float] = []
    for epoch in range(2 * arguments.epochs + 2):
        learner.evaluate(0)  # what lies between epochs in a run
        sampled = epoch % 2
        if sampled:
            meter.begin()
        torch.cuda.synchronize(arguments.device)
        began = time.perf_counter()
        if sampled:
            meter.mark()
        learner.train_epoch(0)
        if sampled:
            meter.mark()
        took = time.perf_counter() - began
        if sampled:
            meter.end()
        if epoch > 1:
            (metered if sampled else bare).append(took)
    with_s, without_s = statistics.median(metered), statistics.median(bare)
    print(
        f"\nan epoch of {spec.name} takes {1000 * without_s:.1f} ms without a meter and "
        f"{1000 * with_s:.1f} ms with one: {100 * (with_s / without_s - 1):+.2f} % "
        f"(medians of {arguments.epochs} each, in turns)"
    )


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.energy", main))

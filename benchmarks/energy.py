"""Characterise the energy sensor of a GPU, its consistency, and the overhead of the meter.

    python -m benchmarks.energy --device cuda --data-dir DATA

The output has three parts: how often the values of the sensor change and how late power rises; for
several loads, the spread of windows that begin at different phases of the sensor and the
disagreement of counter and samples; and the duration of training epochs with and without a meter,
in turns. These measure the consistency of the sensor, not its accuracy.
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
SIZES = (512, 1024, 2048, 4096, 8192)  # of square matrices, from a low load to a full load


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:0, ...; default: cuda")
    parser.add_argument("--data-dir", help=f"folder of the data sets; default: ${DATA_ENV}")
    parser.add_argument("--spec", default=SPEC, help=f"default: {SPEC}")
    parser.add_argument(
        "--epochs",
        type=whole(1),
        default=12,
        help="epochs with and without a meter, for the overhead; default: 12",
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
    print("| value | reads | changes | median interval | longest | time to rise by 90 % |")
    print("|" + " --- |" * 6)
    period_s, ramp_s = 0.0, 1.0
    for updates in sensor_updates(nvml, handle, matrices(arguments.device, 8192)):
        rise = "" if updates.rise_s is None else f"{1000 * updates.rise_s:.0f} ms"
        print(
            f"| {updates.what} | {updates.reads:,} | {updates.changes:,} | "
            f"{1000 * updates.median_s:.1f} ms | {1000 * updates.longest_s:.1f} ms | {rise} |",
            flush=True,
        )
        # Not the longest interval, because the power may have been constant during it.
        period_s = max(period_s, updates.median_s if updates.what != "plain power" else 0.0)
        ramp_s = max(ramp_s, 2 * (updates.rise_s or 0.0))
    with open_meter(arguments.device) as meter:
        agreement(meter, arguments.device, period_s, ramp_s)
        overhead(meter, spec, data, arguments)


def matrices(device: str, size: int, at_least_s: float = 0.05) -> Callable[[], None]:
    """Products of random matrices that take about `at_least_s`; each call waits for the device."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(a)

    def multiply(count: int) -> None:
        for _ in range(count):
            torch.mm(a, b, out=out)
        torch.cuda.synchronize(device)

    multiply(3)
    count = 1
    while True:
        start = time.perf_counter()
        multiply(count)
        if time.perf_counter() - start >= at_least_s:
            break
        count *= 2
    return lambda: multiply(count)


def agreement(meter: Meter, device: str, period_s: float, ramp_s: float) -> None:
    """Print the spread of windows and the disagreement of counter and samples for each load."""
    print(
        "\n| bf16 products of | windows | power | std of windows | std error of the mean "
        "| samples - counter |"
    )
    print("|" + " --- |" * 6)
    bands: set[float] = set()
    for size in SIZES:
        load = matrices(device, size)
        phases, readings = phase_shifted(meter, load, period_s=period_s, ramp_s=ramp_s)
        bands |= {reading.systematic for reading in readings if reading.systematic is not None}
        difference = "" if phases.disagreement is None else f"{100 * phases.disagreement:+.2f} %"
        print(
            f"| {size} x {size} | {phases.windows} | {phases.power_w:.1f} W | "
            f"{100 * phases.relative_std:.2f} % | {100 * phases.relative_error:.2f} % | "
            f"{difference} |",
            flush=True,
        )
    for band in bands:
        print(f"\nin addition, the sensor itself may have an error of up to {100 * band:g} %")


def overhead(meter: Meter, spec: Spec, data: DataSet, arguments: argparse.Namespace) -> None:
    """Print the duration of epochs with and without a meter, in turns.

    Sampling starts and ends outside the timed interval, because a run starts it only once.
    """
    config = spec.space.check(spec.space.sample(1, seed=0)[0])
    learner = Learner(spec, config, 0, data, arguments.device)
    learner.capture()
    unmetered: list[float] = []
    metered: list[float] = []
    for epoch in range(2 * arguments.epochs + 2):
        learner.evaluate(0)  # as between two epochs of a run
        sampled = epoch % 2
        if sampled:
            meter.begin()
        torch.cuda.synchronize(arguments.device)
        start = time.perf_counter()
        if sampled:
            meter.mark()
        learner.train_epoch(0)
        if sampled:
            meter.mark()
        duration_s = time.perf_counter() - start
        if sampled:
            meter.end()
        if epoch > 1:
            (metered if sampled else unmetered).append(duration_s)
    with_s, without_s = statistics.median(metered), statistics.median(unmetered)
    print(
        f"\nan epoch of {spec.name} takes {1000 * without_s:.1f} ms without a meter and "
        f"{1000 * with_s:.1f} ms with one: {100 * (with_s / without_s - 1):+.2f} % "
        f"(medians of {arguments.epochs} each, in turns)"
    )


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.energy", main))

"""Accel-NASBench's options of `fit_model.py`: which data, and which of its targets."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eahas.cli.arguments import Parser, UsageError
from eahas.spec import Spec

SPEC = "mnasnet"
METRICS = ("throughput", "latency")
SUFFIX = "_accel"
SPLITS = ("random", "default")
SIDES = ("train", "valid", "test")


def add_accelerators(command: Parser) -> None:
    group = command.add_argument_group("Accel-NASBench")
    group.add_argument(
        "--dataset_root",
        metavar="PATH",
        help="its data set in place of --data_path: anb_dataset_jsons.tar.gz or the folder of it",
    )
    group.add_argument(
        "--split",
        choices=SPLITS,
        help="random (default): 0.8, 0.1 and 0.1 drawn with --seed; default: the published one",
    )
    group.add_argument("--device", help=f"for the models NAME{SUFFIX}: a100, zcu102, ...")
    group.add_argument("--metric", help="of the device: throughput or latency")
    group.add_argument(
        "--data_config_path",
        metavar="FILE",
        help="taken and not needed: what is seen of a network follows from its space",
    )


def check(arguments: Namespace) -> None:
    """UsageError for options that do not go together."""
    if (arguments.data_path is None) == (arguments.dataset_root is None):
        raise UsageError("give the data: either --data_path or --dataset_root")
    if arguments.dataset_root is None and arguments.split is not None:
        raise UsageError("--split is for --dataset_root; other records have their own split")
    if arguments.dataset_root is not None and arguments.search_space not in (None, SPEC):
        raise UsageError(f"the networks of --dataset_root are of the space {SPEC}")
    given = (arguments.device is not None, arguments.metric is not None)
    accelerator = arguments.model.endswith(SUFFIX)
    if any(given) and not accelerator:
        raise UsageError(f"--device and --metric are for the models NAME{SUFFIX}")
    if any(given) != all(given) or (accelerator and arguments.dataset_root and not all(given)):
        raise UsageError(f"model {arguments.model} needs both --device and --metric")
    config = arguments.data_config_path
    if config is not None:
        if not Path(config).is_file():
            raise UsageError(f"--data_config_path {config} does not exist")
        note = "is not needed: what is seen of a network follows from its space"
        print(f"fit_model.py: note: --data_config_path {note}", file=sys.stderr)


def dataset(arguments: Namespace) -> tuple[Spec, list[dict[str, Any]]]:
    """The spec and the records of `--dataset_root`."""
    from sweeps.accel_nasbench import accel_nasbench_rows
    from sweeps.specs import load_spec

    spec = load_spec(SPEC)
    seed = None if arguments.split == "default" else arguments.seed
    return spec, accel_nasbench_rows(Path(arguments.dataset_root), spec, split_seed=seed)


def targets(arguments: Namespace, spec: Spec) -> tuple[str, ...]:
    """The scalars to fit; none named: all of them."""
    if arguments.device is not None:
        return (target_of(spec, arguments.device, arguments.metric),)
    if arguments.dataset_root is None:
        return ()
    return ("train_time",) if arguments.model.endswith("_time") else ("accuracy",)


def target_of(spec: Spec, device: str, metric: str) -> str:
    """The name of a device's metric in a spec; UsageError listing those that there are."""
    name = f"{metric.lower()}_{device.lower()}"
    possible = measured(spec)
    if name in {f"{m}_{d}" for m, devices in possible.items() for d in devices}:
        return name
    listed = "; ".join(f"{m} of {', '.join(devices)}" for m, devices in possible.items())
    allowed = f"allowed: {listed}" if listed else f"{spec.name} has no device at all"
    raise UsageError(f"--device {device} --metric {metric}: not measured; {allowed}")


def measured(spec: Spec) -> Mapping[str, list[str]]:
    """The devices of each metric, from the names of a spec's scalars."""
    found: dict[str, list[str]] = {}
    for target in spec.scalars:
        metric, _, device = target.name.partition("_")
        if metric in METRICS:
            found.setdefault(metric, []).append(device)
    return found

"""The options of `fit_model.py` for Accel-NASBench: its data set, devices and metrics."""

from __future__ import annotations

import datetime
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from eahas.accel_nasbench import target_of
from eahas.cli.arguments import Parser, UsageError
from eahas.cli.inputs import read_json
from eahas.records.records import Records
from eahas.spec.spec import Spec

SPEC = "mnasnet"
SUFFIX = "_accel"
SPLITS = ("random", "default")
SIDES = ("train", "valid", "test")
LOG_DIR = "experiments/surrogate_models"


def add_accelerator_options(command: Parser) -> None:
    group = command.add_argument_group("Accel-NASBench")
    group.add_argument(
        "--dataset_root",
        metavar="PATH",
        help="its data set instead of --data_path: anb_dataset_jsons.tar.gz or its folder",
    )
    group.add_argument(
        "--split",
        choices=SPLITS,
        help="random (default): parts of 0.8, 0.1 and 0.1, sampled with --seed; default: the "
        "published split",
    )
    group.add_argument("--device", help=f"for the models NAME{SUFFIX}: a100, zcu102, ...")
    group.add_argument("--metric", help="of the device: throughput or latency")
    group.add_argument(
        "--data_config_path",
        metavar="FILE",
        help="accepted and ignored: the features of a network follow from its space",
    )


def check(arguments: Namespace) -> None:
    """Raise UsageError for options that cannot be combined."""
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
    if all(given) and arguments.dataset_root is not None:
        from sweeps.specs import load_spec

        target_of(load_spec(SPEC), arguments.device, arguments.metric)
    config = arguments.data_config_path
    if config is not None:
        if not Path(config).is_file():
            raise UsageError(f"--data_config_path {config} does not exist")
        _note("--data_config_path is ignored: the features of a network follow from its space")


def _note(text: str) -> None:
    print(f"fit_model.py: note: {text}", file=sys.stderr)


def ensemble_folder(arguments: Namespace) -> Path:
    """The folder of the ensemble: `--log_dir`, or with `--dataset_root` a new folder inside it."""
    if arguments.log_dir is not None and arguments.dataset_root is None:
        return Path(arguments.log_dir)
    device = [] if arguments.device is None else [arguments.device, arguments.metric]
    names = (arguments.model, *(word.lower() for word in device))
    time = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path(arguments.log_dir or LOG_DIR, *names, f"{time}-{arguments.seed}")


def settings(arguments: Namespace) -> Any:
    """The content of `--model_config_path`; a ConfigSpace is accepted and ignored."""
    path = arguments.model_config_path
    content: Any = {} if path is None else read_json(path)
    if isinstance(content, dict) and isinstance(content.get("hyperparameters"), list):
        _note("--model_config_path contains a ConfigSpace, which is ignored: the model has its own")
        return {}
    return content


def dataset(arguments: Namespace) -> tuple[Spec, Records]:
    """The spec and the records of `--dataset_root`."""
    from sweeps.importers.accel_nasbench import accel_nasbench_rows
    from sweeps.specs import load_spec

    spec = load_spec(SPEC)
    seed = None if arguments.split == "default" else arguments.seed
    return spec, accel_nasbench_rows(Path(arguments.dataset_root), spec, split_seed=seed)


def targets(arguments: Namespace, spec: Spec) -> tuple[str, ...]:
    """The names of the scalars to fit; () for all of them."""
    if arguments.device is not None:
        return (target_of(spec, arguments.device, arguments.metric),)
    if arguments.dataset_root is None:
        return ()
    return ("train_time",) if arguments.model.endswith("_time") else ("accuracy",)

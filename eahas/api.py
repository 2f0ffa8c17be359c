"""The public API: everything that a user of a benchmark imports.

>>> from eahas import api
>>> bench = api.load_benchmark("regnet-digits")
>>> prediction = bench.predict(bench.space.sample(seed=0))
"""

from __future__ import annotations

import os
from typing import Any

from eahas.benchmark import loading as _loading
from eahas.benchmark.benchmark import Benchmark as Benchmark
from eahas.benchmark.prediction import Prediction as Prediction
from eahas.benchmark.storage import registry as _registry
from eahas.benchmark.storage.benchmark_folder import read_model as _read_model
from eahas.benchmark.storage.manifest import BENCHMARK as _BENCHMARK
from eahas.benchmark.storage.manifest import ENSEMBLE as _ENSEMBLE
from eahas.benchmark.storage.manifest import MODELS as _MODELS
from eahas.benchmark.storage.manifest import TABLE as _TABLE
from eahas.benchmark.storage.registry import EA_HAS_BENCH_NAMES as EA_HAS_BENCH_NAMES
from eahas.errors import CheckpointError as CheckpointError
from eahas.errors import ConfigError as ConfigError
from eahas.errors import EahasError as EahasError
from eahas.errors import EstimatedEnergyWarning as EstimatedEnergyWarning
from eahas.errors import MissingExtraError as MissingExtraError
from eahas.integrations.ea_has_bench import reference_models as _reference_models
from eahas.models.ensemble import Ensemble as Ensemble
from eahas.models.protocol import Model as Model
from eahas.models.table import Table as Table
from eahas.space.space import Space as Space
from eahas.spec.spec import Spec as Spec
from eahas.spec.spec import spec_from_dict as spec_from_dict


def list_benchmarks() -> list[dict[str, Any]]:
    """The shipped benchmarks: name, version, targets with their units, energy source and so on."""
    return [_registry.describe(manifest) for manifest in _registry.shipped_manifests().values()]


def load_benchmark(
    name_or_path: str | os.PathLike[str], *, task: str | None = None, device: str | None = None
) -> Benchmark:
    """Load a benchmark by its name, `name@version`, or the path of its folder.

    `task` and `device` select one if the benchmark has several; `list_benchmarks` lists them.

    Raises:
        CheckpointError: the name is unknown, or the folder is damaged. The message lists the
            shipped benchmarks, or names the file and the reason.
        EahasError: the task or the device is missing or unknown. The message lists the allowed
            ones.
    """
    place = _registry.locate(name_or_path)
    if place.manifest.kind != _BENCHMARK or place.model is not None:
        raise CheckpointError(f"{name_or_path} is a model, not a benchmark: use load_ensemble")
    return _loading.load(place.folder, place.manifest, task=task, device=device)


def load_ensemble(name_or_path: str | os.PathLike[str]) -> Model:
    """Load one model: `regnet-digits/learning_curve`, `regnet-digits/runtime_s`, or a folder.

    A name may start with `checkpoints/`. The model is an `Ensemble`, or a `Table` for a benchmark
    in which every configuration was trained. Raises CheckpointError as `load_benchmark` does.
    """
    place = _registry.locate(name_or_path)
    if place.manifest.kind in _MODELS:
        if place.model is not None:
            what = "a table" if place.manifest.kind == _TABLE else "a model"
            what = "an ensemble" if place.manifest.kind == _ENSEMBLE else what
            raise CheckpointError(f"{place.folder} is {what}: it contains no {place.model}")
        return _read_model(place.folder, place.manifest)
    if place.model is None:
        raise CheckpointError(
            f"{name_or_path} is a benchmark: name one of its models, as "
            f"{name_or_path}/learning_curve, or use load_benchmark"
        )
    return _loading.load(place.folder, place.manifest).model(place.model)


def get_ea_has_bench_api(dataset: str) -> dict[str, Any]:
    """The four models of EA-HAS-Bench for a data set, with the quantities and units of its API.

    `dataset` is `digits`, `cifar10`, `cifar10-16px` (CIFAR-10 with images of 16 x 16 pixels) or
    `tiny`, or the name or path of a benchmark with the targets below.

    The entry `ea_has_bench_model` lists the models of the learning curve (test top-1 error in
    percent), the runtime (seconds per epoch), the training energy (kWh per epoch) and the test
    energy (kWh per pass over the test set).
    """
    known = isinstance(dataset, str) and dataset in EA_HAS_BENCH_NAMES
    name = EA_HAS_BENCH_NAMES[dataset] if known else dataset
    return {"ea_has_bench_model": _reference_models(load_benchmark(name))}

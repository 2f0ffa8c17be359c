"""The public surface: everything that a user of a benchmark imports, on one screen.

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
    """The benchmarks that ship: name, version, targets with their units, energy source."""
    return [_registry.describe(manifest) for manifest in _registry.shipped_manifests().values()]


def load_benchmark(
    name_or_path: str | os.PathLike[str], *, task: str | None = None, device: str | None = None
) -> Benchmark:
    """A benchmark by name, `name@version` or path.

    `task` and `device` choose where the benchmark has several; `list_benchmarks` shows them. Raises
    CheckpointError naming what ships where the name is unknown, and the file and the reason where a
    folder is damaged; EahasError naming the tasks or the devices where one is missing or unknown.
    """
    place = _registry.locate(name_or_path)
    if place.manifest.kind != _BENCHMARK or place.model is not None:
        raise CheckpointError(f"{name_or_path} names a model, no benchmark: use load_ensemble")
    return _loading.load(place.folder, place.manifest, task=task, device=device)


def load_ensemble(name_or_path: str | os.PathLike[str]) -> Model:
    """One model of a benchmark: `regnet-digits/learning_curve`, `regnet-digits/runtime_s`.

    A path to a model's own folder works too, and `checkpoints/` before a name is optional. It is
    an `Ensemble`, or of a benchmark that was trained whole a `Table`.
    """
    place = _registry.locate(name_or_path)
    if place.manifest.kind in _MODELS:
        if place.model is not None:
            what = "a table" if place.manifest.kind == _TABLE else "a model"
            what = "an ensemble" if place.manifest.kind == _ENSEMBLE else what
            raise CheckpointError(f"{place.folder} is {what}: {place.model} is nothing in it")
        return _read_model(place.folder, place.manifest)
    if place.model is None:
        raise CheckpointError(
            f"{name_or_path} is a benchmark: name one of its models, as "
            f"{name_or_path}/learning_curve, or use load_benchmark"
        )
    return _loading.load(place.folder, place.manifest).model(place.model)


def get_ea_has_bench_api(dataset: str) -> dict[str, Any]:
    """EA-HAS-Bench's four models of a data set, with its meanings and units.

    `dataset` is `digits`, `cifar10`, `cifar10-16px` (the space of our GPU sweep) or `tiny`.

    `["ea_has_bench_model"]` lists learning curve (test top-1 error in percent), runtime (seconds an
    epoch), training energy (kWh an epoch) and test energy (kWh a pass over the test set). Any name
    or path of a benchmark with these targets works too.
    """
    known = isinstance(dataset, str) and dataset in EA_HAS_BENCH_NAMES
    name = EA_HAS_BENCH_NAMES[dataset] if known else dataset
    return {"ea_has_bench_model": _reference_models(load_benchmark(name))}

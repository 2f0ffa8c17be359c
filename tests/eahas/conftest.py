"""Benchmarks made by hand: a user's own spaces, networks of random weights, folders on disk."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas.benchmark.storage.benchmark_folder import model_files
from eahas.benchmark.storage.folder import save_folder, tensor_bytes
from eahas.benchmark.storage.manifest import BENCHMARK
from eahas.models.curves.codecs import BezierCodec
from eahas.models.ensemble import Ensemble
from eahas.models.features.features import Features, default_features
from eahas.models.heads import CurveHead, ScalarHead
from eahas.models.regressors.mlp import MlpEnsemble
from eahas.models.support import support_of
from eahas.models.table import Table
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles, normal_quantiles
from eahas.models.uncertainty.seed_noise import SeedNoise
from eahas.models.uncertainty.seed_variance import SeedVariance
from eahas.spec.spec import Spec, spec_from_dict

OWN = {
    "name": "own",
    "version": 3,
    "parameters": {
        "opt.kind": {"type": "choice", "choices": ["sgd", "adam"]},
        "opt.lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
        "opt.momentum": {"type": "float", "low": 0, "high": 1, "when": {"opt.kind": ["sgd"]}},
        "units": {"type": "integer", "low": 1, "high": 64},
        "decay": {"type": "choice", "choices": [1e-5, 1e-4]},
        "early": {"type": "boolean"},
        "epochs": {"type": "choice", "choices": [1, 3, 12]},
    },
    "constraints": [{"kind": "forbidden", "values": {"opt.kind": "adam", "units": 64}}],
    "fidelity": "epochs",
    "targets": {
        "curves": {"valid": None, "loss": {"unit": "nat", "direction": "minimize"}},
        "scalars": {
            "runtime_s": None,
            "test_energy_j": None,
            "score": {"unit": "percent", "direction": "maximize", "low": 0, "high": 100},
            "drift": {"unit": "K", "cumulative": True},
        },
    },
}


def _own_spec(**changes: Any) -> Spec:
    source = {**OWN, **changes}
    return spec_from_dict({k: v for k, v in source.items() if v is not None})


def _handmade(
    spec: Spec,
    kind: str,
    *,
    members: int = 3,
    hidden: tuple[int, ...] = (8,),
    seed: int = 0,
    features: Features | None = None,
) -> Ensemble:
    features = default_features(spec.space) if features is None else features
    head: CurveHead | ScalarHead
    if kind == "curves":
        low = tuple(-1.0 if t.low is None else t.low for t in spec.curves)
        high = tuple(4.0 if t.high is None else t.high for t in spec.curves)
        head = CurveHead(spec.curves, BezierCodec(5, low, high))
    else:
        head = ScalarHead(spec.scalars)
    rng = np.random.default_rng(seed)
    sizes = (len(features.names), *hidden, head.outputs)
    pairs = list(pairwise(sizes))
    normal = [rng.normal(size=(members, i, o)) * (1.5 / i) ** 0.5 for i, o in pairs]
    return Ensemble(
        spec=spec,
        name="learning_curve" if kind == "curves" else "costs",
        features=features,
        regressor=MlpEnsemble(
            tuple(weight.astype(np.float32) for weight in normal),
            tuple(rng.normal(size=(members, o)).astype(np.float32) * 0.3 for _, o in pairs),
        ),
        head=head,
        seed_noise=_noise(
            len(head.targets),
            curves=kind == "curves",
            num_noise_outputs=head.num_noise_outputs,
            seed=seed,
        ),
        inflation=tuple(1.0 + 0.25 * k for k in range(len(head.targets))),
        error_quantiles=tuple(
            ErrorQuantiles(tuple(reach * (1.0 - 0.1 * k) for reach in normal_quantiles().reaches))
            for k in range(len(head.targets))
        ),
        primary=head.targets[0].name,
        manifest={"family": "by hand"},
    )


def _noise(
    series: int, *, curves: bool, num_noise_outputs: int, seed: int, factors: int = 2
) -> SeedNoise:
    """Noise of random parts; their squares add up to 1 at each position."""
    rng = np.random.default_rng(seed)
    positions = np.array([0.0, 0.4, 1.0] if curves else [0.0])
    places = len(positions)
    parts = rng.normal(size=(series, places, factors + series))
    parts /= np.sqrt((parts**2).sum(axis=2, keepdims=True))
    size = series * places
    network = MlpEnsemble(
        (rng.normal(size=(1, num_noise_outputs + size, size), scale=0.01).astype(np.float32),),
        (rng.normal(size=(1, size)).astype(np.float32),),
    )
    return SeedNoise(network, positions, parts[:, :, :factors], parts[:, :, factors:])


def _manifest(spec: Spec, models: list[Ensemble]) -> dict[str, Any]:
    return {
        "format": BENCHMARK,
        "version": spec.version,
        "spec": dict(spec.source),
        "models": [model.name for model in models],
        "energy": {"source": "estimated", "formula": "cpu_time_s x 10 W"},
        "provenance": {"runs": 30, "configurations": 20},
        "quality": {"held_out": {"runs": 10, "targets": {}}},
    }


def _saved(
    folder: Path,
    spec: Spec,
    models: list[Ensemble],
    *,
    records: bytes = b"PAR1 no records",
    **changes: Any,
) -> Path:
    configs = spec.space.sample(60, seed=9, distinct=False)
    encoded = np.stack([spec.space.encode(config) for config in configs])
    support = support_of(spec.space, encoded)
    files = {"records.parquet": records, "support.safetensors": tensor_bytes(support.tensors())}
    save_folder(folder, {**_manifest(spec, models), **changes}, files | model_files(models))
    return folder


@pytest.fixture(scope="session")
def own_spec() -> Callable[..., Spec]:
    """A spec with a condition, a constraint and every kind of target; sections can be changed."""
    return _own_spec


@pytest.fixture(scope="session")
def handmade() -> Callable[..., Ensemble]:
    """An ensemble of random weights: `handmade(spec, "curves" or "scalars")`."""
    return _handmade


@pytest.fixture(scope="session")
def some_noise() -> Callable[..., SeedNoise]:
    """Noise of random parts: `some_noise(series, curves=..., num_noise_outputs=..., seed=...)`."""
    return _noise


@pytest.fixture(scope="session")
def saved() -> Callable[..., Path]:
    """A benchmark folder: `saved(folder, spec, models)`; entries of the manifest can be changed."""
    return _saved


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small benchmark over a user's own space."""
    spec = _own_spec()
    models = [_handmade(spec, "curves"), _handmade(spec, "scalars", seed=1)]
    return _saved(tmp_path_factory.mktemp("toy") / "own", spec, models)


# Tables

LISTED = {
    "name": "listed",
    "parameters": {
        "opt.kind": {"type": "choice", "choices": ["sgd", "adam"]},
        "opt.momentum": {"type": "integer", "low": 0, "high": 1, "when": {"opt.kind": ["sgd"]}},
        "width": {"type": "integer", "low": 1, "high": 3},
        "epochs": {"type": "choice", "choices": [2, 5]},
    },
    "constraints": [{"kind": "forbidden", "values": {"opt.kind": "adam", "width": 3}}],
    "fidelity": "epochs",
    "targets": {
        "curves": {"valid": None, "loss": {"unit": "nat", "direction": "minimize"}},
        "scalars": {
            "runtime_s": None,
            "test_energy_j": None,
            "score": {"unit": "percent", "direction": "maximize", "low": 0, "high": 100},
        },
    },
}


def _tabled(*, seeds: int = 3, rows: slice = slice(None), knots: int = 2) -> Table:
    """The table of made-up runs of a space of 16 configurations; all but one have every seed.

    The last configuration has no run of the first seed, and in its last run `loss` is not known
    after the first epoch and `score` not at all. `valid` counts fiftieths.
    """
    spec = spec_from_dict(LISTED)
    flats = tuple(spec.space.check(point) for point in spec.space.points())
    count, rng = len(flats), np.random.default_rng(0)
    epochs = np.array([flat["epochs"] for flat in flats])
    present = np.ones((count, seeds), dtype=bool)
    present[-1, 0] = seeds == 1
    inside = present[:, :, None] & (np.arange(5) < epochs[:, None, None])
    valid = 2.0 * rng.integers(0, 51, inside.shape)
    values = {
        "valid": np.where(inside, valid, np.nan).astype(np.float32),
        "loss": np.where(inside, rng.normal(size=inside.shape), np.nan).astype(np.float32),
        "runtime_s": epochs[:, None] * rng.lognormal(size=(count, seeds)),
        "test_energy_j": rng.lognormal(size=(count, seeds)),
        "score": rng.uniform(0.0, 100.0, size=(count, seeds)),
    }
    values["loss"][-1, -1, 1:] = np.nan
    values["score"][-1, -1] = np.nan
    for target in spec.scalars:
        values[target.name][~present] = np.nan
    seed_variance = {
        target.name: SeedVariance(
            np.sort(rng.normal(size=(3 if target.kind == "curve" else 1, knots)), axis=1),
            rng.lognormal(size=(3 if target.kind == "curve" else 1, knots)),
            2.0,
        )
        for target in spec.targets
    }
    return Table(
        spec=spec,
        name="table",
        flats=flats[rows],
        seeds=tuple(range(0, 2 * seeds, 2)),
        present=present[rows],
        points=count,
        values={name: value[rows] for name, value in values.items()},
        seed_variance=seed_variance,
        error_quantiles={name: normal_quantiles() for name in values},
        primary="valid",
        manifest={"made": "by hand"},
    )


@pytest.fixture(scope="session")
def tabled() -> Callable[..., Table]:
    """A table of made-up runs: `tabled()`, or of some configurations with `rows=slice(...)`."""
    return _tabled


@pytest.fixture(scope="session")
def saved_table() -> Callable[..., Path]:
    """The folder of a benchmark that answers with a table: `saved_table(folder, table)`."""

    def save(folder: Path, table: Table, *, records: bytes = b"PAR1 no", **changes: Any) -> Path:
        manifest = {**_manifest(table.spec, []), "models": [table.name], **changes}
        save_folder(folder, manifest, {"records.parquet": records, **model_files([table])})
        return folder

    return save

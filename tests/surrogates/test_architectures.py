"""Surrogates over cells, and over an architecture family that another package brings."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.errors import CheckpointError, SpecError
from eahas.space.architectures import complexity, complexity_columns
from eahas.space.architectures.cells import nasbench101, nasbench201
from eahas.spec.spec import Spec, spec_from_dict
from surrogates.benchmark import default_components, fit, save
from surrogates.data.dataset import runs_from_records
from surrogates.families import SCALARS, family

pytestmark = pytest.mark.integration

QUICK = {"scalars": replace(SCALARS, members=2, steps=100, hidden=(32,))}
ADDED = {
    "eahas.architectures": {"stack": "toy_family:FAMILY"},
    "eahas.feature_blocks": {"stack": "toy_family:block"},
}
STACK: dict[str, Any] = {
    "name": "stacks",
    "parameters": {
        "STACK.DEPTH": {"type": "integer", "low": 1, "high": 12},
        "STACK.WIDTH": {"type": "integer", "low": 8, "high": 64, "log": True},
        "lr": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
    },
    "constraints": [{"kind": "stack", "params": [0, 300_000]}],
    "targets": {"scalars": {"ms": {"unit": "ms", "low": 0}}},
}
TARGETS = {"targets": {"scalars": {"ms": {"unit": "ms", "low": 0}}}}
NASBENCH201: dict[str, Any] = {
    "name": "nb201",
    "parameters": {
        name: {"type": "choice", "choices": list(nasbench201.OPERATIONS)}
        for name in nasbench201.PARAMETERS
    },
    **TARGETS,
}
NASBENCH101: dict[str, Any] = {
    "name": "nb101",
    "parameters": {
        name: {"type": "choice", "choices": list(nasbench101.OPERATIONS)}
        for name in nasbench101.OP_PARAMETERS
    }
    | {name: {"type": "boolean"} for name in nasbench101.EDGE_PARAMETERS},
    "constraints": [{"kind": "nasbench101"}],
    **TARGETS,
}


def records(spec: Spec, configs: list[Any], **values: Any) -> list[dict[str, Any]]:
    """Complete records of configurations with the given values, one each."""
    return [
        {
            "run_id": f"r{i}",
            "config_id": f"c{i}",
            "space": spec.name,
            "space_version": spec.version,
            "seed": 0,
            "status": "ok",
            "epochs": 1,
            "split": ("train", "train", "valid", "train", "test")[i % 5],
            **spec.space.check(config),
            **{name: float(column[i]) for name, column in values.items()},
        }
        for i, config in enumerate(configs)
    ]


def latencies(spec: Spec, configs: list[Any]) -> np.ndarray:
    """Milliseconds that follow from the complexity, with 2 % noise."""
    costs = complexity_columns(spec.space, spec.space.columns(configs))
    noise = np.random.default_rng(0).lognormal(0, 0.02, len(configs))
    return (0.1 + costs["flops"] / 1e7 + costs["params"] / 1e6) * noise


def fitted(spec: Spec, folder: Path, count: int = 120) -> Any:
    """A benchmark fitted to latencies, saved and loaded again."""
    configs = spec.space.sample(count, seed=0)
    rows = records(spec, configs, ms=latencies(spec, configs))
    save(
        fit(spec, rows, components=default_components(spec, settings=QUICK), resamples=2),
        rows,
        folder,
    )
    return api.load_benchmark(folder)


def r2(told: np.ndarray, really: np.ndarray) -> float:
    return float(1 - ((told - really) ** 2).sum() / ((really - really.mean()) ** 2).sum())


@pytest.fixture(scope="module", params=[NASBENCH201, NASBENCH101], ids=lambda s: s["name"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fitted(spec_from_dict(request.param), tmp_path_factory.mktemp("cells") / "bench")


def test_a_benchmark_of_cells(bench) -> None:
    name = bench.space.architecture.name
    features = bench.model("ms").manifest["features"]
    assert features == {"logs": [], "crosses": [], "families": [name]}
    others = bench.space.sample(200, seed=1)
    told = bench.predict(others).ms
    assert r2(np.log(told), np.log(latencies(bench.spec, others))) > 0.9
    single = [bench.predict(config).ms for config in others[:20]]
    np.testing.assert_allclose(single, told[:20], rtol=1e-5)


def test_isomorphic_cells_have_one_prediction(bench) -> None:
    if bench.space.architecture.name != "nasbench101":
        pytest.skip("isomorphic cells of NAS-Bench-201 can differ in cost")
    pairs = 0
    for config in bench.space.sample(30, seed=2):
        cell = nasbench101.from_config(bench.space.check(config))
        twin = nasbench101.to_config(nasbench101.canonical(cell))
        if twin != bench.space.check(config):
            pairs += 1
            assert bench.predict(twin).ms == bench.predict(config).ms
    assert pairs > 10


def test_cells_of_the_published_table_are_predicted() -> None:
    """The block of derived features is what makes 400 cells enough."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("lightgbm")
    name = "shared/data/tables/nasbench201_valid.parquet"
    found = [p / name for p in Path(__file__).resolve().parents if (p / name).is_file()]
    if not found:
        pytest.skip(f"the public table {name} is not installed")
    table = pandas.read_parquet(found[0]).sample(1500, random_state=0)
    target = {"accuracy": {"unit": "percent", "direction": "maximize", "low": 0, "high": 100}}
    spec = spec_from_dict(NASBENCH201 | {"targets": {"scalars": target}})
    configs = [nasbench201.to_config(nasbench201.parse(text)) for text in table.arch]
    rows = records(spec, configs, accuracy=table.cifar10_valid_acc_200ep_pct_0.to_numpy())
    runs = runs_from_records(rows, spec)
    order = np.arange(len(runs))
    train, test = runs.where(order < 400), runs.where(order >= 400)
    scores = []
    for families in ((), ("nasbench201",)):
        features = replace(runs.features, families=families)
        seen = replace(train, features=features, x=features.many(train.columns()))
        model = family("lgb_E").fit(seen)
        told = model.predict_members(list(test.configs))["accuracy"].mean(axis=0)
        scores.append(r2(told, test.values_of(spec.scalars[0])))
    assert scores[1] > 0.9
    assert scores[1] > scores[0] + 0.1


# A family of another package


def test_a_family_of_another_package(install, tmp_path) -> None:
    site = install(ADDED)
    spec = spec_from_dict(STACK)
    assert spec.space.architecture.name == "stack"
    bench = fitted(spec, tmp_path / "stacks")
    model = bench.model("ms")
    assert model.features.families == ("stack",)
    assert model.features.names[-1] == "log10 multiply-adds"
    assert model.features.logs == ("lr",)
    assert model.features.of_costs.tolist() == [False] * (len(model.features.names) - 1) + [True]
    others = bench.space.sample(100, seed=1)
    assert max(complexity(bench.space, config)["params"] for config in others) <= 300_000
    assert r2(np.log(bench.predict(others).ms), np.log(latencies(spec, others))) > 0.9

    # Another process loads the folder where the package is installed, and only there.
    package = Path(__file__).parents[1] / "plugin"
    assert loaded(tmp_path / "stacks", site, package) == "stack\n"
    refused = loaded(tmp_path / "stacks")
    assert refused.startswith(CheckpointError.__name__)
    assert "kind 'stack' is unknown; allowed: regnet, mnasnet" in refused


def loaded(folder: Path, *installed: Path) -> str:
    """What another process prints: the architecture family of a benchmark, or the error."""
    code = (
        f"import sys; sys.path[:0] = {[str(path) for path in installed]}\n"
        "from eahas import api\n"
        "try: print(api.load_benchmark(sys.argv[1]).space.architecture.name)\n"
        "except ValueError as error: print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_family_without_a_feature_block(install) -> None:
    install({"eahas.architectures": ADDED["eahas.architectures"]})
    spec = spec_from_dict(STACK)
    rows = records(spec, spec.space.sample(10, seed=0), ms=np.ones(10))
    features = runs_from_records(rows, spec).features
    assert features.families == ()
    assert features.logs == ("STACK.WIDTH", "lr")
    with pytest.raises(SpecError, match="family 'stack' is unknown; allowed: regnet, mn"):
        replace(features, families=("stack",))

"""A small space of a user's own, and synthetic runs of it: a known law plus known noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from eahas.ensemble import Ensemble
from eahas.spec import Spec, spec_from_dict
from surrogates.crossfit import Crossed
from surrogates.dataset import Runs, runs_from_records

SPEC = {
    "name": "toy",
    "parameters": {
        "a": {"type": "float", "low": 0.0, "high": 1.0},
        "lr": {"type": "choice", "choices": [0.01, 0.1, 1.0]},
        "kind": {"type": "choice", "choices": ["x", "y"]},
        "max_epoch": {"type": "choice", "choices": [4, 12]},
    },
    "fidelity": "max_epoch",
    "targets": {
        "curves": {"valid": None, "loss": {"unit": "nats", "direction": "minimize"}},
        "scalars": ["runtime_s", "test_energy_j"],
    },
}


@pytest.fixture(scope="session")
def spec() -> Spec:
    return spec_from_dict(SPEC)


def make_rows(spec: Spec, count: int, seed: int = 0, seeds: int = 1) -> list[dict[str, object]]:
    """Synthetic records: accuracy rises towards 40 + 50 a, time grows with a and the epochs."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for i, nested in enumerate(spec.space.sample(count, seed=seed)):
        flat = spec.space.check(nested)
        epoch = np.arange(1, flat["max_epoch"] + 1)
        top = 40 + 50 * flat["a"] - (15 if flat["kind"] == "y" else 0)
        for s in range(seeds):
            curve = top * (1 - np.exp(-epoch / 3)) + rng.normal(0, 1.0, len(epoch))
            rows.append(
                {
                    "run_id": f"c{i}-s{s}",
                    "config_id": f"c{i}",
                    "space": spec.name,
                    "space_version": spec.version,
                    "seed": s,
                    "status": "ok",
                    "split": ("train", "train", "valid", "train", "test")[i % 5],
                    "epochs": int(flat["max_epoch"]),
                    "energy_source": "estimated",
                    "energy_formula": "made up",
                    "valid": np.clip(curve, 0, 100).tolist(),
                    "loss": (2.0 - curve / 60).tolist(),
                    "runtime_s": flat["max_epoch"] * (1 + flat["a"]) * rng.lognormal(0, 0.02),
                    "test_energy_j": float(3.0 + flat["a"]),
                    **flat,
                }
            )
    return rows


@pytest.fixture(scope="session")
def rows(spec: Spec) -> list[dict[str, object]]:
    return make_rows(spec, 100, seeds=3)


@pytest.fixture(scope="session")
def runs(spec: Spec, rows: list[dict[str, object]]) -> Runs:
    return runs_from_records(rows, spec)


@pytest.fixture(scope="session")
def as_crossed() -> Callable[[Ensemble, Runs], Crossed]:
    """`as_crossed(model, runs)`: cross-fitted, in that the model has seen none of the runs."""
    return lambda model, runs: Crossed(model, runs, ((np.arange(len(runs)), model),))

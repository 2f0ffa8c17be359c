"""A small space of a user's own, and synthetic runs of it: a known law plus known noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from eahas.models.curves.codecs import GridCodec
from eahas.models.ensemble import Ensemble
from eahas.models.features.features import default_features
from eahas.models.heads import CurveHead, Head, ScalarHead
from eahas.models.regressors import MlpEnsemble
from eahas.spec.spec import Spec, spec_from_dict
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.uncertainty.crossfit import CrossFit

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
def as_crossed() -> Callable[[Ensemble, Runs], CrossFit]:
    """`as_crossed(model, runs)`: cross-fitted, in that the model has seen none of the runs."""
    return lambda model, runs: CrossFit(model, runs, ((np.arange(len(runs)), model),))


KNOWN = {
    "name": "known",
    "parameters": {
        "a": {"type": "float", "low": 0.0, "high": 1.0},
        "b": {"type": "float", "low": 0.0, "high": 1.0},
        "max_epoch": {"type": "choice", "choices": [12, 24]},
    },
    "fidelity": "max_epoch",
    "targets": {
        "curves": {"valid": None, "loss": {"unit": "nats", "direction": "minimize"}},
        "scalars": {"runtime_s": None, "drift": {"unit": "K", "direction": "minimize"}},
    },
}


@dataclass(frozen=True)
class Known:
    """Runs whose every law is known, and models that predict their locations exactly."""

    spec: Spec

    def locations(self, a: np.ndarray, position: np.ndarray) -> dict[str, np.ndarray]:
        """Of one epoch's share of the time; positions run from 0 to 1."""
        return {
            "valid": 30 + 20 * a + (10 + 35 * a) * position,
            "loss": 2 - a + 0 * position,
            "runtime_s": a,
            "drift": 10 - 5 * a,
        }

    def deviations(self, a: np.ndarray, position: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "valid": 0.05 * (105 - self.locations(a, position)["valid"]),
            "loss": 0.1 + 0 * a * position,
            "runtime_s": 0.02 * np.exp(2 * a),
            "drift": 1 + 0 * a,
        }

    def runs(self, count: int, seed: int, *, seeds: int = 1, reported: str = "") -> Runs:
        """Correlated: valid with itself 0.64, with the loss of its epoch -0.82 and of others -0.64,
        with drift 0.56; runtime_s with drift 0.36 and with no curve.
        """
        rng = np.random.default_rng(seed)
        rows = []
        for i, config in enumerate(self.spec.space.sample(count, seed=seed)):
            a, epochs = config["a"], config["max_epoch"]
            position = np.linspace(0, 1, epochs)
            where, size = self.locations(a, position), self.deviations(a, position)
            for s in range(seeds):
                shared, other, rest = rng.standard_normal(3)
                of_valid, of_loss = rng.standard_normal((2, epochs))
                noise = {
                    "valid": 0.8 * shared + 0.6 * of_valid,
                    "loss": -0.8 * shared - 0.6 * (0.5 * of_valid + 0.75**0.5 * of_loss),
                    "runtime_s": 0.5 * other + 0.75**0.5 * rest,
                    "drift": 0.7 * shared + 0.51**0.5 * other,
                }
                found = {name: where[name] + size[name] * noise[name] for name in noise}
                row = {
                    "run_id": f"k{i}-s{s}",
                    "config_id": f"k{i}",
                    "space": "known",
                    "space_version": 1,
                    "seed": s,
                    "status": "ok",
                    "split": "train",
                    "epochs": epochs,
                    "valid": found["valid"].tolist(),
                    "loss": found["loss"].tolist(),
                    "runtime_s": float(epochs * np.exp(found["runtime_s"])),
                    "drift": float(found["drift"]),
                    **config,
                }
                if reported:
                    row[f"{reported}_std"] = 0.3 * row[reported]
                rows.append(row)
        return runs_from_records(rows, self.spec)

    def model(self, kind: str, *, log_deviation: float = 0.0, apart: float = 0.0) -> Ensemble:
        """An exact ensemble: one log deviation, and two members that are `apart` times b from
        their mean, in the target's linked unit.
        """
        features = default_features(self.spec.space)
        head: Head
        if kind == "curves":
            head = CurveHead(self.spec.curves, GridCodec(2, np.array([0.0, 1.0])))
            bias, slope = [30, 40, 2, 2], [20, 55, -1, -1]
        else:
            head = ScalarHead(self.spec.scalars)
            bias, slope = [0, 10], [1, -5]
        weight = np.zeros((2, len(features.names), head.outputs), dtype=np.float32)
        places = [features.names.index(name) for name in ("a", "b")]
        weight[:, places[0], : len(slope)] = slope
        weight[:, places[1], : len(slope)] = np.array([[apart], [-apart]])
        row = np.array([*bias, *[log_deviation] * head.num_noise_outputs], dtype=np.float32)
        return Ensemble.uncalibrated(
            head,
            spec=self.spec,
            name="learning_curve" if kind == "curves" else "costs",
            features=features,
            regressor=MlpEnsemble((weight,), (np.stack([row, row]),)),
            primary=head.targets[0].name,
            manifest={},
        )


@pytest.fixture(scope="session")
def known() -> Known:
    return Known(spec_from_dict(KNOWN))

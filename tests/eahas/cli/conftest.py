"""A benchmark of a user's own, made by the commands themselves from synthetic records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas.cli import main
from eahas.records.parquet import write_records
from eahas.spec.spec import Spec, spec_from_dict

SPEC = {
    "name": "toy",
    "parameters": {
        "net.width": {"type": "integer", "low": 1, "high": 30},
        "lr": {"type": "choice", "choices": [0.01, 0.1, 1.0]},
        "epochs_max": {"type": "choice", "choices": [3, 6]},
    },
    "fidelity": "epochs_max",
    "targets": {"curves": ["valid"], "scalars": ["runtime_s", "train_energy_j"]},
}
SMALL = ["--members", "2", "--steps", "30", "--resamples", "30"]


def rows_of(spec: Spec, count: int) -> list[dict[str, Any]]:
    """Made-up runs; the first three test configurations have three seeds."""
    rng = np.random.default_rng(0)
    rows = []
    for i, nested in enumerate(spec.space.sample(count, seed=0)):
        flat = spec.space.check(nested)
        split = ("test", "train", "valid", "train")[i % 4]
        epochs = flat["epochs_max"]
        for seed in range(3 if split == "test" and i < 12 else 1):
            top = 50 + flat["net.width"] + rng.normal()
            curve = top * (1 - np.exp(-np.arange(1, epochs + 1) / 2))
            rows.append(
                {
                    "run_id": f"c{i}-s{seed}",
                    "config_id": f"c{i}",
                    "space": spec.name,
                    "space_version": spec.version,
                    "seed": seed,
                    "status": "ok",
                    "split": split,
                    "role": "repeat" if seed else "main",
                    "epochs": epochs,
                    "energy_source": "estimated",
                    "energy_formula": "cpu_time_s x 10 W",
                    "valid": curve.tolist(),
                    "runtime_s": float(epochs * flat["net.width"] * rng.lognormal(0, 0.01)),
                    "train_energy_j": float(10 * epochs * flat["net.width"]),
                    **flat,
                }
            )
    return rows


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `spec.json` and `records.parquet`."""
    folder = tmp_path_factory.mktemp("toy")
    spec = spec_from_dict(SPEC)
    (folder / "spec.json").write_text(json.dumps(SPEC))
    write_records(folder / "records.parquet", rows_of(spec, 32), spec)
    return folder


@pytest.fixture(scope="session")
def bench(toy: Path) -> Path:
    """The benchmark folder that `eahas fit` makes of it."""
    folder = toy / "bench"
    spec, records = str(toy / "spec.json"), str(toy / "records.parquet")
    assert main(["fit", spec, records, "--out", str(folder), *SMALL]) == 0
    return folder


@pytest.fixture
def eahas(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command: its exit status, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def refused(eahas: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """Runs a command that must fail: status 2, nothing on stdout, one line on stderr."""

    def run(*arguments: object) -> str:
        status, out, err = eahas(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("eahas: error: ")
        assert err.count("\n") == 1
        return err

    return run

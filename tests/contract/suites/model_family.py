"""The contract of a model family: fit, calibrate, predict, save, load, predict the same.

A plug-in tests its own family with a subclass and two fixtures:

    class TestMine(ModelFamilyContract):
        @pytest.fixture
        def family(self):
            return Family(...)

        @pytest.fixture
        def settings(self):
            return QuickSettings(members=2)

`runs` is by default a synthetic set of runs that every family can learn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.storage import ensemble_folder
from eahas.models.ensemble import Ensemble
from eahas.records.schema import check_rows
from eahas.spec.spec import spec_from_dict
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.evaluation.metrics import last_epoch, r2, unweighted
from surrogates.families import Family
from surrogates.uncertainty.calibration import calibrate
from surrogates.uncertainty.crossfit import CrossFit

MIN_R2 = 0.8
SPEC = {
    "name": "contract",
    "parameters": {
        "x": {"type": "float", "low": 0.0, "high": 1.0},
        "kind": {"type": "choice", "choices": ["a", "b"]},
        "max_epoch": {"type": "choice", "choices": [6, 12]},
    },
    "fidelity": "max_epoch",
    "targets": {"curves": ["valid"], "scalars": ["runtime_s"]},
}


def synthetic_runs(count: int = 240, seed: int = 0) -> Runs:
    """Runs whose accuracy and time are smooth functions of the configuration, plus noise."""
    spec, rng = spec_from_dict(SPEC), np.random.default_rng(seed)
    rows = []
    for k, config in enumerate(spec.space.sample(count, seed=seed)):
        epochs, x = config["max_epoch"], config["x"] + 0.3 * (config["kind"] == "a")
        progress = 1.0 - np.exp(-np.arange(1, epochs + 1) / 3.0)
        rows.append(
            {
                "run_id": f"r{k}",
                "config_id": f"c{k}",
                "space": spec.name,
                "space_version": spec.version,
                "seed": 0,
                "status": "ok",
                "split": ("train", "train", "valid", "test")[k % 4],
                "epochs": epochs,
                "valid": (30.0 + 40.0 * x * progress + rng.normal(0.0, 0.5, epochs)).tolist(),
                "runtime_s": float(epochs * np.exp(x + rng.normal(0.0, 0.01))),
                **config,
            }
        )
    return runs_from_records(check_rows(rows, spec), spec)


class ModelFamilyContract:
    """Every test takes the fixtures `family` and `settings`, which a subclass defines."""

    @pytest.fixture
    def family(self) -> Family:
        raise NotImplementedError("a subclass defines the fixture family")

    @pytest.fixture
    def settings(self) -> Any:
        raise NotImplementedError("a subclass defines the fixture settings")

    @pytest.fixture
    def runs(self) -> Runs:
        return synthetic_runs()

    @pytest.fixture
    def fitted(self, family: Family, settings: Any, runs: Runs) -> Ensemble:
        """The family fitted to the train split and calibrated on the valid split."""
        ensemble = family.fit(runs.side("train"), settings)
        valid = runs.side("valid")
        return calibrate(CrossFit(ensemble, valid, ((np.arange(len(valid)), ensemble),)))

    def test_it_fits_predicts_and_returns_from_its_folder(
        self, family: Family, fitted: Ensemble, runs: Runs, tmp_path: Path
    ) -> None:
        self.check_targets(family, fitted, runs)
        self.check_quality(family, fitted, runs)
        self.check_deviations(fitted, runs)
        self.check_storage(fitted, runs, tmp_path)
        self.check_single(fitted, runs)

    def check_targets(self, family: Family, fitted: Ensemble, runs: Runs) -> None:
        """It predicts the targets that it announces, and its manifest names it."""
        assert fitted.targets == family.targets_of(runs.spec)
        assert fitted.manifest["family"] == family.name

    def check_quality(self, family: Family, fitted: Ensemble, runs: Runs) -> None:
        """It learns: the R2 of held-out runs, of a curve at its last epoch."""
        test = runs.side("test")
        name = fitted.targets[0].name
        predicted, seen = (
            fitted.distribution(test.configs)[name].value,
            test.values_of(fitted.targets[0]),
        )
        if family.kind(runs.spec) == "curves":
            predicted, seen = (last_epoch(part, test.epochs) for part in (predicted, seen))
        assert unweighted(r2, predicted, seen) > MIN_R2

    def check_deviations(self, fitted: Ensemble, runs: Runs) -> None:
        """Every value has a positive standard deviation."""
        for distribution in fitted.distribution(runs.side("test").configs).values():
            assert (np.isnan(distribution.value) | (distribution.std > 0)).all()

    def check_storage(self, fitted: Ensemble, runs: Runs, folder: Path) -> None:
        """Saved and loaded, it predicts the same from arrays, with numpy alone."""
        configs = runs.side("test").configs
        ensemble_folder.save(fitted, folder / "saved")
        before = fitted.distribution(configs)
        for name, after in api.load_ensemble(folder / "saved").distribution(configs).items():
            np.testing.assert_allclose(after.value, before[name].value, rtol=1e-6)
            np.testing.assert_allclose(after.std, before[name].std, rtol=1e-5)

    def check_single(self, fitted: Ensemble, runs: Runs) -> None:
        """One configuration has the prediction that it has in a list."""
        configs = runs.side("test").configs
        many = fitted.distribution(configs)
        for name, one in fitted.distribution(configs[0]).items():
            row = np.ravel(many[name].value[0])[: np.size(one.value)]
            np.testing.assert_allclose(np.ravel(one.value), row, rtol=1e-4, atol=1e-4)

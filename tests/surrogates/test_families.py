"""Model families by name, and their settings from JSON."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eahas.contract.model_family import ModelFamilyContract

from eahas.errors import FitError, MissingExtraError
from eahas.spec.spec import spec_from_dict
from surrogates.evaluation.metrics import r2, unweighted
from surrogates.families import FAMILIES, configured, family
from surrogates.models.kernels import GpSettings, NuSvrSettings, SvrSettings
from surrogates.models.natural_boosting import NgbSettings
from surrogates.models.network_training import FitSettings, NetSettings
from surrogates.models.trees import ForestSettings, LgbSettings, XgbSettings
from surrogates.uncertainty.calibration import calibrate

pytestmark = pytest.mark.integration


def test_every_family_is_found_by_its_name():
    assert {"bezier_nn_STAR", "nn_E"} <= FAMILIES.keys()
    assert all(family(name).name == name for name in FAMILIES)
    assert {f.targets for f in FAMILIES.values()} == {"curves", "scalars", "either"}


def test_a_bad_name_lists_the_good_ones():
    with pytest.raises(FitError, match=r"allowed: bezier_nn_STAR, .*; did you mean 'nn_E'"):
        family("nn_e")


QUICK = {
    FitSettings: {"members": 2, "steps": 400, "hidden": [32], "dropout": 0},
    XgbSettings: {"members": 2, "rounds": 60, "learning_rate": 0.2},
    LgbSettings: {"members": 2, "rounds": 60, "learning_rate": 0.2},
    ForestSettings: {"members": 2, "n_estimators": 20},
    NetSettings: {"members": 2, "steps": 400, "hidden": [32], "dropout": 0},
    NgbSettings: {"members": 2, "n_estimators": 60, "learning_rate": 0.2},
    SvrSettings: {"members": 2},
    NuSvrSettings: {"members": 2},
    GpSettings: {"members": 2, "iterations": 15, "likelihood": 60},
}


@pytest.mark.parametrize("name", FAMILIES)
class TestEveryFamily(ModelFamilyContract):
    @pytest.fixture
    def family(self, name):
        return family(name)

    @pytest.fixture
    def settings(self, family):
        return configured(family.settings, QUICK[type(family.settings)])

    @pytest.fixture
    def runs(self, runs):
        return runs

    @pytest.fixture
    def fitted(self, family, settings, runs, as_crossed):
        try:
            fitted = family.fit(runs.side("train"), settings)
        except MissingExtraError as error:
            pytest.skip(str(error))
        return calibrate(as_crossed(fitted, runs.side("valid")))


class TestSyntheticRuns(ModelFamilyContract):
    """The runs that a plug-in gets by default can be learned."""

    @pytest.fixture
    def family(self):
        return family("bezier_nn_STAR")

    @pytest.fixture
    def settings(self, family):
        return configured(family.settings, QUICK[type(family.settings)])


@pytest.mark.parametrize("name", ["xgb", "svr", "gp", "sklearn_forest"])
def test_some_families_take_curves_where_there_are_any_and_else_scalars(name, runs):
    chosen = family(name)
    assert chosen.kind(runs.spec) == "curves"
    bare = runs.only(["runtime_s"])
    assert chosen.kind(bare.spec) == "scalars"
    quick = configured(chosen.settings, QUICK[type(chosen.settings)])
    fitted = chosen.fit(bare.side("train"), quick)
    test = runs.side("test")
    predicted = fitted.distribution(test.configs)["runtime_s"].value
    assert unweighted(r2, predicted, test.scalars[:, 0]) > 0.9


def test_a_spec_without_such_targets_is_refused(runs):
    bare = spec_from_dict({**runs.spec.source, "targets": {"scalars": ["runtime_s"]}})
    with pytest.raises(FitError, match="bezier_nn_STAR fits curves; toy has none"):
        family("bezier_nn_STAR").fit(replace(runs, spec=bare))


def test_settings_change_by_name():
    changed = configured(FitSettings(), {"hidden": [16, 8], "dropout": 0, "seed": 3})
    assert changed.hidden == (16, 8)
    assert isinstance(changed.dropout, float)
    assert changed.steps == FitSettings().steps


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ([], "a mapping of names to values"),
        ({"stepz": 1}, "did you mean 'steps'"),
        ({"steps": 0}, "fit settings: steps is a whole number from 1, got 0"),
        ({"steps": True}, "steps"),
        ({"seed": -1}, "seed is a whole number in 0..9223372036854775807, got -1"),
        ({"positions": 1}, "positions is a whole number from 2"),
        ({"hidden": []}, "hidden is a list"),
        ({"hidden": 64}, "hidden is a list"),
        ({"learning_rate": "fast"}, "learning_rate is a number from 0, got"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"dropout": 1.0}, "below 1"),
    ],
)
def test_bad_settings_are_named(changes, named):
    with pytest.raises(FitError, match=named):
        configured(FitSettings(), changes)

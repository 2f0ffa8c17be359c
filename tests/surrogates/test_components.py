"""Parts of a benchmark from a settings file, and back."""

from __future__ import annotations

import pytest

from eahas.errors import FitError
from eahas.spec.spec import spec_from_dict
from surrogates.components import components_from_settings, settings_from_components
from surrogates.fitting import Component
from surrogates.models.trees import LgbSettings


def shape(parts):
    return [(part.family.name, part.targets) for part in parts]


def test_without_a_word_there_is_one_for_curves_and_one_for_scalars(spec):
    assert shape(components_from_settings(spec)) == [("bezier_nn_STAR", ()), ("nn_E", ())]
    assert shape(components_from_settings(spec, ["svd_lgb"])) == [("svd_lgb", ()), ("nn_E", ())]
    assert shape(components_from_settings(spec, ["xgb", "lgb_time"])) == [
        ("xgb", ()),
        ("lgb_time", ()),
    ]


def test_a_target_may_have_a_model_of_its_own_and_the_rest_go_together(spec):
    own = {"runtime_s": {"model": "xgb_time", "settings": {"rounds": 7}}}
    parts = components_from_settings(spec, described={"targets": own, "scalars": {"steps": 9}})
    assert shape(parts) == [
        ("bezier_nn_STAR", ()),
        ("nn_E", ("test_energy_j",)),
        ("xgb_time", ("runtime_s",)),
    ]
    assert (parts[1].settings.steps, parts[2].settings.rounds) == (9, 7)
    both = {"runtime_s": {}, "test_energy_j": {"model": "gp"}}
    assert shape(components_from_settings(spec, described={"targets": both}))[1:] == [
        ("nn_E", ("runtime_s",)),
        ("gp", ("test_energy_j",)),
    ]


def test_options_change_the_parts_that_have_them(spec):
    curves, costs = components_from_settings(spec, ["lgb_time"], None, {"steps": 5, "seed": 3})
    assert (curves.settings.steps, curves.settings.seed) == (5, 3)
    assert costs.settings == LgbSettings(seed=3)
    with pytest.raises(FitError, match="degree is not a setting of lgb_time or svd_lgb"):
        components_from_settings(spec, ["svd_lgb", "lgb_time"], None, {"degree": 3})
    with pytest.raises(FitError, match="steps is not a setting of lgb_time or svd_lgb"):
        components_from_settings(spec, ["lgb_time", "svd_lgb"], None, {"steps": 5})


def test_a_file_of_the_parts_makes_these_parts(spec):
    own = {"runtime_s": {"model": "xgb_time", "settings": {"rounds": 7}}}
    parts = components_from_settings(spec, described={"targets": own, "curves": {"hidden": [8, 8]}})
    file = settings_from_components(parts, spec, ["a", "b", "c"])
    assert file["curves"]["about"] == "a"
    assert "seed" not in file["curves"]
    assert [p.settings for p in components_from_settings(spec, described=file)] == [
        parts[0].settings,
        parts[1].settings,
        parts[2].settings,
    ]
    two = components_from_settings(spec)
    assert set(settings_from_components(two, spec, ["a", "b"])) == {"curves", "scalars"}


@pytest.mark.parametrize(
    ("described", "named"),
    [
        ({"curve": {}}, "group of settings 'curve' is unknown.*did you mean 'curves'"),
        ([], "settings: a JSON object of curves, scalars, targets"),
        ({"targets": []}, "targets: a JSON object"),
        ({"targets": {"runtime": {}}}, "target 'runtime' is unknown; allowed: runtime_s, test_"),
        ({"targets": {"valid": {}}}, "scalar target 'valid' is unknown"),
        ({"targets": {"runtime_s": 3}}, "runtime_s: a JSON object"),
        ({"targets": {"runtime_s": {"family": "xgb"}}}, "entry of runtime_s 'family' is unknown"),
        ({"targets": {"runtime_s": {"model": "xgbb"}}}, "model 'xgbb' is unknown"),
        ({"targets": {"runtime_s": {"model": ["xgb"]}}}, "model .* is unknown"),
        ({"targets": {"runtime_s": {"model": "svd_lgb"}}}, "svd_lgb fits curves, and runtime_s"),
        ({"targets": {"runtime_s": {"settings": {"rounds": 7}}}}, "fit settings: field 'rounds'"),
    ],
)
def test_what_does_not_belong_is_named(spec, described, named):
    with pytest.raises(FitError, match=named):
        components_from_settings(spec, described=described)


def test_a_model_of_which_the_spec_has_no_target_is_refused(spec):
    bare = spec_from_dict({**spec.source, "targets": {"scalars": ["runtime_s"]}})
    with pytest.raises(FitError, match="svd_lgb fits curves; toy has none"):
        components_from_settings(bare, ["svd_lgb"])
    assert shape(components_from_settings(bare, ["xgb"])) == [("xgb", ())]


def test_a_part_of_several_targets_keeps_its_name_and_of_one_bears_it(runs):
    quick = LgbSettings(members=2, rounds=3)
    from surrogates.families import family

    assert Component(family("lgb_time"), quick, ("runtime_s",)).fit(runs).name == "runtime_s"
    both = Component(family("lgb_time"), quick, ("runtime_s", "test_energy_j")).fit(runs)
    assert both.name == "costs"

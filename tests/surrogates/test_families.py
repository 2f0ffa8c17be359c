"""Model families by name, and their settings from JSON."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eahas.errors import FitError
from eahas.spec import spec_from_dict
from surrogates.families import FAMILIES, configured, family
from surrogates.training import FitSettings


def test_every_family_is_found_by_its_name():
    assert {"bezier_nn_STAR", "nn_E"} <= FAMILIES.keys()
    assert all(family(name).name == name for name in FAMILIES)
    assert {f.targets for f in FAMILIES.values()} == {"curves", "scalars"}


def test_a_bad_name_lists_the_good_ones():
    with pytest.raises(FitError, match="allowed: bezier_nn_STAR, nn_E; did you mean 'nn_E'"):
        family("nn_e")


def test_a_family_fits_what_it_is_for(runs):
    quick = configured(FitSettings(), {"members": 2, "steps": 2, "hidden": [4]})
    for name, targets in (("bezier_nn_STAR", runs.spec.curves), ("nn_E", runs.spec.scalars)):
        fitted = family(name).fit(runs, quick)
        assert fitted.targets == targets
        assert fitted.manifest["family"] == name


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
        ([], "JSON object"),
        ({"stepz": 1}, "did you mean 'steps'"),
        ({"steps": 0}, "steps: a whole number from 1, got 0"),
        ({"steps": True}, "steps"),
        ({"seed": -1}, "seed: a whole number from 0"),
        ({"positions": 1}, "positions: a whole number from 2"),
        ({"hidden": []}, "hidden: a list"),
        ({"hidden": 64}, "hidden: a list"),
        ({"learning_rate": "fast"}, "learning_rate: a number"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"dropout": 1.0}, "below 1"),
    ],
)
def test_bad_settings_are_named(changes, named):
    with pytest.raises(FitError, match=named):
        configured(FitSettings(), changes)

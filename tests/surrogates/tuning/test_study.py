"""Tuning: what is tried, how it is judged, and a study that goes on where it stopped."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from eahas.errors import FitError, MissingExtraError
from surrogates.families import CURVES, FAMILIES, configured, family
from surrogates.fitting import Component
from surrogates.models.kernels import SvrSettings
from surrogates.tuning import study as tuning
from surrogates.tuning.search_spaces import SPACES, search_space
from surrogates.tuning.study import score, tune

pytestmark = pytest.mark.integration

pytest.importorskip("optuna")

SMALL = SvrSettings(members=2, C=0.3)
MACHINES = Component(family("svr"), SMALL)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_can_be_tuned_and_its_own_settings_lie_within(name):
    chosen = family(name)
    ranges = search_space(chosen, chosen.settings)
    for field, drawn in ranges.items():
        assert drawn.stored(getattr(chosen.settings, field)) is not None, field
    assert ("degree" in ranges) == name.startswith("bezier")
    assert ("last_epoch_weight" in ranges) == name.endswith(("_STAR", "bezier_nn_hpo", "lc_nn_hpo"))


@pytest.mark.parametrize("kind", SPACES)
def test_whatever_is_drawn_is_a_setting(kind):
    import optuna

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        drawn = {name: found.suggest(trial, name) for name, found in SPACES[kind].items()}
        assert configured(kind(), drawn) != kind()


def test_the_best_trial_is_no_worse_than_the_first_and_is_what_its_score_says(runs):
    found = tune(MACHINES, runs, trials=5)
    assert found.trials == 5 and not found.failed
    assert found.score <= found.first
    model = replace(MACHINES, settings=found.settings).fit(runs.side("train"))
    assert score(model, runs.side("valid"), last_only=True) == pytest.approx(found.score)
    assert score(model, runs.side("valid")) > found.score  # crude before the last epoch
    assert "5 trials (0 failed) on 180 train and 60 valid runs of toy@1" in found.about
    assert asdict(found.settings)["members"] == 2


def test_a_study_goes_on_where_it_stopped_as_if_it_had_not(runs, tmp_path):
    whole = tune(MACHINES, runs, trials=4, study=tmp_path / "whole.db", seed=3)
    parted = tmp_path / "parted.db"
    tune(MACHINES, runs, trials=2, study=parted, seed=3)
    assert tune(MACHINES, runs, trials=4, study=parted, seed=3) == whole
    assert tune(MACHINES, runs, trials=3, study=parted, seed=3) == whole  # nothing is left to do


def test_a_trial_that_was_cut_off_is_made_again(runs, tmp_path, monkeypatch):
    whole = tune(MACHINES, runs, trials=3, study=tmp_path / "whole.db")
    judged, calls = tuning._evaluate, []

    def cut_off(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return judged(*arguments)

    monkeypatch.setattr(tuning, "_evaluate", cut_off)
    with pytest.raises(KeyboardInterrupt):
        tune(MACHINES, runs, trials=3, study=tmp_path / "cut.db")
    assert tune(MACHINES, runs, trials=3, study=tmp_path / "cut.db") == whole


def test_a_trial_that_fails_is_recorded_and_the_study_goes_on(runs, tmp_path, monkeypatch):
    judged, calls = tuning._evaluate, []

    def flaky(*arguments):
        calls.append(1)
        if len(calls) in (1, 3):
            raise FitError("the fit diverged")
        return judged(*arguments)

    monkeypatch.setattr(tuning, "_evaluate", flaky)
    found = tune(MACHINES, runs, trials=4, study=tmp_path / "study.db")
    assert found.failed == ("FitError: the fit diverged",) * 2
    assert found.first is None
    assert "4 trials (2 failed)" in found.about and "initial settings failed" in found.about
    assert len(calls) == 4
    assert tune(MACHINES, runs, trials=4, study=tmp_path / "study.db") == found


def test_where_every_trial_fails_the_reason_is_given(runs):
    too_many = Component(family("svr"), replace(SMALL, members=1000))
    with pytest.raises(FitError, match=r"all 2 trials failed; the last one: FitError: 60 training"):
        tune(too_many, runs, trials=2)


def test_what_is_held_stays(runs):
    found = tune(MACHINES, runs, trials=3, fixed=frozenset({"C", "gamma"}))
    assert (found.settings.C, found.settings.gamma) == (0.3, SMALL.gamma)
    with pytest.raises(FitError, match="no setting is left to tune"):
        tune(MACHINES, runs, trials=3, fixed=frozenset(asdict(SMALL)))


def test_a_study_of_something_else_is_refused(runs, tmp_path):
    study = tmp_path / "study.db"
    tune(MACHINES, runs, trials=1, study=study)
    with pytest.raises(FitError, match="with other runs; give another --study"):
        tune(MACHINES, runs.where(runs.seed == 0), trials=2, study=study)
    more = Component(MACHINES.family, replace(SMALL, members=3))
    with pytest.raises(FitError, match="with other settings that are not tuned"):
        tune(more, runs, trials=2, study=study)
    with pytest.raises(FitError, match="with other ranges"):
        tune(MACHINES, runs, trials=2, study=study, fixed=frozenset({"C"}))
    tune(replace(MACHINES, targets=("runtime_s",)), runs, trials=1, study=study)  # beside it
    (tmp_path / "text.db").write_text("no study, but a text that is long enough to be looked at")
    for path in (tmp_path / "text.db", tmp_path / "nowhere" / "study.db"):
        with pytest.raises(FitError, match="cannot be opened as a study"):
            tune(MACHINES, runs, trials=1, study=path)


@pytest.mark.parametrize(
    ("module", "extra", "part"),
    [("optuna", "tune", MACHINES), ("ngboost", "ngboost", Component(family("ngb")))],
)
def test_a_library_that_is_missing_is_named_and_fails_no_trial(
    module, extra, part, runs, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'eahas\[{extra}\]'"):
        tune(part, runs, trials=2)


def test_both_sides_must_have_runs(runs):
    with pytest.raises(FitError, match="tuning needs train and valid runs; got 180 and 0"):
        tune(MACHINES, runs.side("train", "test"), trials=1)


def test_a_perfect_model_scores_nothing_and_the_mean_one(runs):
    """Scalars are judged per epoch on their logarithms, curves at the end and along the way."""
    valid = runs.side("valid")
    for name in ("xgb_time", "bezier_nn_STAR"):
        quick = {"members": 2, **({"rounds": 3} if name == "xgb_time" else {"steps": 3})}
        chosen = family(name)
        model = chosen.fit(runs.side("train"), configured(chosen.settings, quick))
        assert 0.3 < score(model, valid) < 3.0

    class Knows:
        """Answers with what was seen."""

        def __init__(self, model):
            self.head, self.targets = model.head, model.targets

        def distribution(self, configs):
            assert len(configs) == len(valid)
            seen = {t.name: valid.values_of(t) for t in self.targets}
            return {
                name: type("Seen", (), {"value": v, "location": np.log(v)})
                for name, v in seen.items()
            }

        def __getattr__(self, name):
            raise AssertionError(name)

    assert score(Knows(model), valid) == pytest.approx(0.0)


def test_runs_that_know_only_a_part_of_their_curves_are_judged_where_they_can_be(runs):
    curves = runs.curves.copy()
    curves[::3, 1, 2:] = np.nan
    lacking = replace(runs, curves=curves)
    quick = replace(CURVES, members=2, steps=100, hidden=(16,))
    found = tune(Component(family("bezier_nn_STAR"), quick), lacking, trials=1)
    assert np.isfinite(found.score)

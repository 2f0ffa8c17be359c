"""Cross-fitting: every run is told by a model that has not seen its configuration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eahas.errors import FitError
from surrogates.uncertainty.crossfit import FOLDS, CrossFit, cross_fit


@pytest.fixture(scope="module")
def repeated(known):
    return known.runs(23, seed=0, seeds=3)


@pytest.fixture(scope="module")
def found(known, repeated) -> CrossFit:
    """Of models that remember what they were fitted to."""

    def fit(runs):
        return replace(known.model("curves"), manifest={"seen": set(runs.config_id.tolist())})

    return cross_fit(fit, repeated)


def test_no_run_is_told_by_a_model_that_has_seen_its_configuration(found, repeated) -> None:
    assert len(found.folds) == FOLDS
    for rows, model in found.folds:
        told = set(repeated.config_id[rows].tolist())
        assert told
        assert not told & model.manifest["seen"]
        assert told | model.manifest["seen"] == set(repeated.config_id.tolist())
    assert found.whole.manifest["seen"] == set(repeated.config_id.tolist())


def test_every_run_is_told_once(found, repeated) -> None:
    rows = np.concatenate([rows for rows, _ in found.folds])
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(repeated)))


def test_what_is_told_stands_in_the_order_of_the_runs(found, repeated) -> None:
    def tell(model, runs):
        assert not set(runs.config_id.tolist()) & model.manifest["seen"]
        return np.stack([runs.scalars[:, 1], runs.epochs.astype(float)], axis=1)

    told = found.out_of_fold(tell)
    np.testing.assert_array_equal(told[:, 0], repeated.scalars[:, 1])
    np.testing.assert_array_equal(told[:, 1], repeated.epochs)


def test_what_ends_sooner_in_one_fold_ends_in_nothing(found, repeated) -> None:
    def tell(model, runs):
        longest = 4 + len(model.manifest["seen"]) % 3
        return np.repeat(runs.curves[:, :, :1], longest, axis=2)

    lengths = {4 + len(model.manifest["seen"]) % 3 for _, model in found.folds}
    told = found.out_of_fold(tell)
    assert len(lengths) > 1
    assert told.shape == (len(repeated), 2, max(lengths))
    np.testing.assert_array_equal(told[:, :, 0], repeated.curves[:, :, 0])
    for rows, model in found.folds:
        length = 4 + len(model.manifest["seen"]) % 3
        assert np.isnan(told[rows, :, length:]).all()
        assert np.isfinite(told[rows, :, :length]).all()


def test_the_folds_depend_on_the_seed_alone(known, repeated) -> None:
    def parts(seed: int) -> list[list[int]]:
        made = cross_fit(lambda runs: known.model("curves"), repeated, seed)
        return [rows.tolist() for rows, _ in made.folds]

    assert parts(1) == parts(1)
    assert parts(1) != parts(2)


def test_fewer_configurations_than_folds_are_refused(known) -> None:
    few = known.runs(FOLDS - 1, seed=0, seeds=9)
    with pytest.raises(FitError, match=rf"{FOLDS - 1} training configurations for {FOLDS} folds"):
        cross_fit(lambda runs: known.model("curves"), few)

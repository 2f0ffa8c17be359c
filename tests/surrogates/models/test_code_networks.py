"""Networks fitted to codes: what they see, what they skip, and their seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surrogates.data.folds import folds
from surrogates.models.code_networks import fit_code_networks
from surrogates.models.member_fits import fit_members
from surrogates.models.network_training import NetSettings

QUICK = NetSettings(members=3, hidden=(24,), steps=300, dropout=0.0, weight_decay=0.3)


def codes_of(runs):
    """Of very different sizes: each is learned in units of its own deviation."""
    a = runs.x[:, 0]
    return np.stack([1e4 * a, 1e-3 * a**2, 5.0 - a], axis=1)


def test_every_code_is_learned_whatever_its_size(runs):
    codes = codes_of(runs)
    found = fit_code_networks(runs, codes, QUICK).many(runs.x).mean(axis=0)
    assert (((found - codes) ** 2).mean(axis=0) < 0.05 * codes.var(axis=0)).all()


def test_a_member_has_not_seen_its_own_fold(runs):
    codes = codes_of(runs)
    networks, unseen = fit_members(runs, codes, QUICK)
    fold = folds(runs, QUICK.members, QUICK.seed)
    for member in range(QUICK.members):
        own = fold == member
        np.testing.assert_array_equal(unseen[own], networks.many(runs.x[own])[member])


def test_missing_codes_are_left_out_of_the_loss(runs):
    lacking = codes_of(runs)
    lacking[::2, 1] = np.nan
    found = fit_code_networks(runs, lacking, QUICK).many(runs.x).mean(axis=0)
    wanted = codes_of(runs)
    assert (((found - wanted) ** 2).mean(axis=0) < 0.05 * wanted.var(axis=0)).all()


def test_what_never_varies_is_not_seen(runs):
    still = replace(runs, x=np.where(np.arange(runs.x.shape[1]) == 1, 3.0, runs.x))
    networks = fit_code_networks(still, codes_of(still), replace(QUICK, steps=20))
    moved = still.x + 100.0 * (np.arange(still.x.shape[1]) == 1)
    np.testing.assert_array_equal(networks.many(moved), networks.many(still.x))


def test_the_same_seed_gives_the_same_weights(runs):
    short = replace(QUICK, steps=5)
    a, b, c = (
        fit_code_networks(runs, codes_of(runs), replace(short, seed=seed)).weights[0]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)

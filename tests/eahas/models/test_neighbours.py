"""Nearest neighbours by products are those by plain subtraction."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.models import neighbours
from eahas.models.neighbours import NearestNeighbours

WIDTHS = (1, 3, 1, 2, 1)


def codes(count: int, seed: int) -> np.ndarray:
    """A continuous number, three choices (or none), a number of four values, two choices."""
    rng = np.random.default_rng(seed)
    found = np.zeros((count, sum(WIDTHS)), dtype=np.float32)
    found[:, 0], found[:, 7] = rng.random(count), rng.random(count)
    found[:, 4] = rng.integers(4, size=count) / 3
    chosen = rng.integers(4, size=count)
    found[chosen < 3, 1 + chosen[chosen < 3]] = 0.5
    found[np.arange(count), 5 + rng.integers(2, size=count)] = 0.5
    return found


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("block_size", [1, 200_000])
def test_means_are_those_of_all_distances(exclude_self, block_size, monkeypatch) -> None:
    others = codes(800, seed=0)
    queried = others if exclude_self else codes(150, seed=1)
    apart = np.abs(queried[:, None].astype(float) - others).sum(axis=2)
    if exclude_self:
        np.fill_diagonal(apart, np.inf)
    expected = np.sort(apart, axis=1)[:, :5].mean(axis=1)
    monkeypatch.setattr(neighbours, "BLOCK_SIZE", block_size)
    found = NearestNeighbours(WIDTHS, others).mean_distances(queried, 5, exclude_self=exclude_self)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_one_configuration_and_a_list_have_equal_distances() -> None:
    nearest, queried = NearestNeighbours(WIDTHS, codes(800, seed=0)), codes(150, seed=1)
    assert queried[:1].size * 800 <= neighbours.MAX_DIRECT < queried.size * 800
    many = nearest.mean_distances(queried, 5)
    ones = [nearest.mean_distances(code[None], 5)[0] for code in queried]
    np.testing.assert_array_equal(many, ones)


def test_a_number_with_many_values_is_subtracted() -> None:
    nearest = NearestNeighbours(WIDTHS, codes(800, seed=0))
    tabulated, one_hots, direct = nearest._product_terms
    assert direct == [0, 7]
    assert [len(distinct) for _, distinct in tabulated] == [4, 4, 2]
    np.testing.assert_array_equal(one_hots.sum(axis=0), 3.0)


def test_without_others_every_distance_is_zero() -> None:
    alone = codes(1, seed=0)
    np.testing.assert_array_equal(
        NearestNeighbours(WIDTHS, alone).mean_distances(alone, 5, exclude_self=True), [0.0]
    )

"""Drawing many configurations as columns: the same law as drawing them one by one."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.errors import ConfigError, SpecError
from eahas.space.parameters import Choice, Numeric
from eahas.space.sampling import sample_column, sample_columns
from eahas.space.space import Space

KINDS = [
    Choice("p", ("a", "b", "c")),
    Choice("p", (True, False)),
    Choice("p", (1, 4, 6)),
    Numeric("p", 1, 9, integer=True),
    Numeric("p", 8, 64, integer=True, log=True, quantum=8),
    Numeric("p", 1, 32, integer=True, power_of_two_below=8),
    Numeric("p", 0.5, 2.0, quantum=0.25),
    Numeric("p", 1e-4, 1.0, log=True),
    Numeric("p", -3.0, 5.0),
]


@pytest.mark.parametrize("parameter", KINDS, ids=repr)
def test_columns_are_drawn_by_the_same_law_as_single_values(parameter) -> None:
    many = sample_column(parameter, 20_000, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    single = np.array([parameter.sample(rng) for _ in range(20_000)], dtype=parameter.dtype)
    assert many.dtype == parameter.dtype
    if parameter.cardinality() < 100:
        values, counts = np.unique(many, return_counts=True)
        others, expected = np.unique(single, return_counts=True)
        assert values.tolist() == others.tolist()
        np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(expected.max()))
        assert all(parameter.check(v) == v for v in values.tolist())
    else:
        shares = np.linspace(0.05, 0.95, 10)
        spread = single.std()
        apart = np.quantile(many, shares) - np.quantile(single, shares)
        assert np.abs(apart).max() < 0.05 * spread


def test_constraints_are_kept(own_spec) -> None:
    from eahas import api

    space = api.load_benchmark("regnet-digits").space
    columns = sample_columns(space, 500, seed=3)
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]
    assert len(space.check_list(rows)) == 500
    again = sample_columns(space, 500, seed=3)
    assert all((columns[name] == again[name]).all() for name in columns)


def test_conditions_leave_absent_parameters_absent(own_spec) -> None:
    space = own_spec().space
    columns = sample_columns(space, 200)
    sgd = columns["opt.kind"] == "sgd"
    assert 0 < sgd.sum() < 200
    assert all((m is not None) == s for m, s in zip(columns["opt.momentum"], sgd, strict=True))


def test_what_cannot_be_drawn_is_said() -> None:
    space = Space("s", (Numeric("a", 0, 1),))
    with pytest.raises(ConfigError, match="n=0"):
        sample_columns(space, 0)
    with pytest.raises(ConfigError, match="seed=-1"):
        sample_columns(space, 1, seed=-1)

    class Nothing:
        def violation(self, config):
            return "never"

        def mask(self, columns):
            return np.zeros(len(columns["a"]), dtype=bool)

    with pytest.raises(SpecError, match="kept 0 of"):
        sample_columns(Space("s", space.parameters, (Nothing(),)), 1000)

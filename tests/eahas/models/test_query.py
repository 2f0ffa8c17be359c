"""What is asked: checked once, and from then on independent of what was given."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from eahas.errors import ConfigError
from eahas.models.features.features import default_features
from eahas.models.query import make_query


@pytest.fixture(scope="module")
def space(own_spec):
    return own_spec().space


def test_one_configuration(space) -> None:
    config = space.sample(seed=0)
    query = make_query(space, config)
    assert query.single
    assert query.epochs == config["epochs"]
    assert query.configs == [config]


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_configurations(space, kind) -> None:
    configs = space.sample(30, seed=0)
    query = make_query(space, kind(configs))
    assert not query.single
    assert query.epochs.tolist() == [config["epochs"] for config in configs]
    assert query.configs == configs
    assert [type(c["early"]) for c in query.configs] == [bool] * 30
    assert any("momentum" not in c["opt"] for c in query.configs)


def test_without_a_fidelity_a_run_has_one_epoch(own_spec) -> None:
    space = own_spec(fidelity=None, targets=None).space
    assert make_query(space, space.sample(seed=0)).epochs == 1
    assert make_query(space, space.sample(3, seed=0)).epochs.tolist() == [1, 1, 1]


def test_what_the_caller_changes_later_does_not_matter(space) -> None:
    configs = space.sample(3, seed=1)
    kept = copy.deepcopy(configs)
    one, many = make_query(space, configs[0]), make_query(space, configs)
    for config in configs:
        config["opt"].clear()
        config["epochs"] = 99
    configs.clear()
    assert one.configs == kept[:1]
    assert many.configs == kept


def test_the_canonical_form_is_plain(space) -> None:
    config = space.sample(seed=0)
    config |= {"units": np.int64(5), "epochs": np.float64(12.0), "early": np.bool_(True)}
    (found,) = make_query(space, config).configs
    assert [type(found[name]) for name in ("units", "epochs", "early")] == [int, int, bool]


def test_features_are_computed_once_for_those_who_share_them(space) -> None:
    query, features = make_query(space, space.sample(seed=0)), default_features(space)
    assert query.features_for(features) is query.features_for(features)
    other = copy.copy(features)
    assert query.features_for(other) is not query.features_for(features)
    np.testing.assert_array_equal(query.features_for(other), query.features_for(features))
    copied, its = copy.deepcopy((query, features))
    assert copied.features_for(its) is copied._features[0][1]


def test_codes_are_decoded(space) -> None:
    configs = space.sample(4, seed=2)
    codes = [space.encode(config) for config in configs]
    assert make_query(space, codes[0], encoded=True).configs == [space.decode(codes[0])]
    many = make_query(space, np.array(codes), encoded=True)
    assert many.configs == [space.decode(code) for code in codes]
    assert (
        make_query(space, [code.tolist() for code in codes], encoded=True).configs == many.configs
    )


@pytest.mark.parametrize(
    "config", [None, 5, "config", b"config", np.zeros(3), iter([{}]), {1, 2}, range(3)]
)
def test_what_is_no_configuration_is_refused(space, config) -> None:
    with pytest.raises(ConfigError, match=r"a mapping, or a list of mappings; got"):
        make_query(space, config)


@pytest.mark.parametrize("config", [[], (), {}, [5], [[]], [{}], [None, {}]])
def test_an_empty_list_and_strange_entries_are_refused(space, config) -> None:
    with pytest.raises(ConfigError):
        make_query(space, config)


@pytest.mark.parametrize(
    "codes", [None, [], [[]], "code", {}, [{}], [[1.0], [1.0, 2.0]], np.zeros((1, 1, 9)), [1.0]]
)
def test_what_is_no_code_is_refused(space, codes) -> None:
    with pytest.raises(ConfigError, match=r"code"):
        make_query(space, codes, encoded=True)

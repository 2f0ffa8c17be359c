"""What is asked: checked once, and from then on independent of what was given."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from eahas.errors import ConfigError
from eahas.models.features.features import default_features
from eahas.models.query import ask


@pytest.fixture(scope="module")
def space(own_spec):
    return own_spec().space


def test_one_configuration(space) -> None:
    config = space.sample(seed=0)
    question = ask(space, config)
    assert question.single
    assert question.epochs == config["epochs"]
    assert question.configs == [config]


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_configurations(space, kind) -> None:
    configs = space.sample(30, seed=0)
    question = ask(space, kind(configs))
    assert not question.single
    assert question.epochs.tolist() == [config["epochs"] for config in configs]
    assert question.configs == configs
    assert [type(c["early"]) for c in question.configs] == [bool] * 30
    assert any("momentum" not in c["opt"] for c in question.configs)


def test_without_a_fidelity_a_run_has_one_epoch(own_spec) -> None:
    space = own_spec(fidelity=None, targets=None).space
    assert ask(space, space.sample(seed=0)).epochs == 1
    assert ask(space, space.sample(3, seed=0)).epochs.tolist() == [1, 1, 1]


def test_what_the_caller_changes_later_does_not_matter(space) -> None:
    configs = space.sample(3, seed=1)
    kept = copy.deepcopy(configs)
    one, many = ask(space, configs[0]), ask(space, configs)
    for config in configs:
        config["opt"].clear()
        config["epochs"] = 99
    configs.clear()
    assert one.configs == kept[:1]
    assert many.configs == kept


def test_the_canonical_form_is_plain(space) -> None:
    config = space.sample(seed=0)
    config |= {"units": np.int64(5), "epochs": np.float64(12.0), "early": np.bool_(True)}
    (found,) = ask(space, config).configs
    assert [type(found[name]) for name in ("units", "epochs", "early")] == [int, int, bool]


def test_features_are_computed_once_for_those_who_share_them(space) -> None:
    question, features = ask(space, space.sample(seed=0)), default_features(space)
    assert question.seen_by(features) is question.seen_by(features)
    other = copy.copy(features)
    assert question.seen_by(other) is not question.seen_by(features)
    np.testing.assert_array_equal(question.seen_by(other), question.seen_by(features))
    copied, its = copy.deepcopy((question, features))
    assert copied.seen_by(its) is copied._seen[0][1]


def test_codes_are_decoded(space) -> None:
    configs = space.sample(4, seed=2)
    codes = [space.encode(config) for config in configs]
    assert ask(space, codes[0], encoded=True).configs == [space.decode(codes[0])]
    many = ask(space, np.array(codes), encoded=True)
    assert many.configs == [space.decode(code) for code in codes]
    assert ask(space, [code.tolist() for code in codes], encoded=True).configs == many.configs


@pytest.mark.parametrize(
    "config", [None, 5, "config", b"config", np.zeros(3), iter([{}]), {1, 2}, range(3)]
)
def test_what_is_no_configuration_is_refused(space, config) -> None:
    with pytest.raises(ConfigError, match=r"a mapping, or a list of mappings; got"):
        ask(space, config)


@pytest.mark.parametrize("config", [[], (), {}, [5], [[]], [{}], [None, {}]])
def test_an_empty_list_and_strange_entries_are_refused(space, config) -> None:
    with pytest.raises(ConfigError):
        ask(space, config)


@pytest.mark.parametrize(
    "codes", [None, [], [[]], "code", {}, [{}], [[1.0], [1.0, 2.0]], np.zeros((1, 1, 9)), [1.0]]
)
def test_what_is_no_code_is_refused(space, codes) -> None:
    with pytest.raises(ConfigError, match=r"code"):
        ask(space, codes, encoded=True)

"""Read-only JSON content: it behaves as dictionaries and lists do, and refuses every change."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from eahas.frozen import frozen

CONTENT = {"a": [1, {"b": None}], "c": {"d": "e"}}


def test_it_compares_prints_and_serialises_as_plain_content() -> None:
    fixed = frozen(CONTENT)
    assert fixed == CONTENT
    assert json.dumps(fixed) == json.dumps(CONTENT)
    assert repr(fixed) == repr(CONTENT)
    assert pickle.loads(pickle.dumps(fixed)) == CONTENT


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.__setitem__("a", 1),
        lambda f: f.pop("a"),
        lambda f: f.update(a=1),
        lambda f: f.setdefault("x", 1),
        lambda f: f.clear(),
        lambda f: f["a"].append(1),
        lambda f: f["a"].sort(),
        lambda f: f["a"].__delitem__(0),
        lambda f: f["a"][1].__setitem__("b", 1),
        lambda f: f["c"].__ior__({"d": 1}),
    ],
)
def test_every_change_is_refused(change) -> None:
    for fixed in (frozen(CONTENT), pickle.loads(pickle.dumps(frozen(CONTENT)))):
        with pytest.raises(TypeError, match="read-only"):
            change(fixed)
        assert fixed == CONTENT


def test_a_deep_copy_can_be_changed() -> None:
    fixed = frozen(CONTENT)
    own = copy.deepcopy(fixed)
    own["a"][1]["b"] = 7
    own["c"].update(d=8)
    assert fixed == CONTENT
    assert CONTENT["c"] == {"d": "e"}

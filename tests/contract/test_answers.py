"""A version that was published keeps its answers: a better fit is a new version."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from eahas import api

_found = importlib.util.spec_from_file_location("answers", Path(__file__).with_name("answers.py"))
kept = importlib.util.module_from_spec(_found)
_found.loader.exec_module(kept)

KNOWN = json.loads(kept.ANSWERS.read_text(encoding="utf-8"))


def test_every_version_that_ships_is_kept() -> None:
    assert {f"{b['name']}@{b['version']}" for b in api.list_benchmarks()} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_its_answers_are_those_that_were_published(name) -> None:
    now = kept.answers(api.load_benchmark(name))
    assert len(now) == len(KNOWN[name])
    for answer, before in zip(now, KNOWN[name], strict=True):
        assert answer["config"] == before["config"]
        assert answer["targets"].keys() == before["targets"].keys()
        for target, values in answer["targets"].items():
            np.testing.assert_allclose(values, before["targets"][target], rtol=1e-4, err_msg=target)

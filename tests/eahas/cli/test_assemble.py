"""`eahas assemble`, and the task and the device of the other commands."""

from __future__ import annotations

import json

import pytest

from eahas import api


@pytest.fixture(scope="module")
def folders(own_spec, handmade, saved, tmp_path_factory):
    root, spec = tmp_path_factory.mktemp("a"), own_spec(targets={"scalars": ["runtime_s"]})
    names = ("slow", "fast")
    return {n: saved(root / n, spec, [handmade(spec, "scalars", seed=len(n))]) for n in names}


def test_a_benchmark_of_two_devices(eahas, folders, tmp_path) -> None:
    out = tmp_path / "both"
    given = [f":{device}={folder}" for device, folder in folders.items()]
    status, said, error = eahas("assemble", *given, "--out", out, "--name", "both")
    assert (status, error) == (0, "")
    assert "2 parts; devices slow, fast" in said
    shown = eahas("predict", out, "--device", "fast", "--sample", 0, "--json")[1]
    bench = api.load_benchmark(out, device="fast")
    assert json.loads(shown) == bench.predict(bench.space.sample(seed=0)).to_dict()
    status, _, error = eahas("predict", out, "--sample", 0)
    assert status == 2
    assert "name one: device=... of slow, fast" in error


@pytest.mark.parametrize("given", ["folder", "a=b", ":a=", "a:b"])
def test_a_malformed_part_is_refused(eahas, given, tmp_path) -> None:
    status, _, error = eahas("assemble", given, "--out", tmp_path / "x", "--name", "x")
    assert status == 2
    assert "TASK:DEVICE=FOLDER" in error

"""Benchmarks with tasks and devices: assembled from folders, chosen at loading."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.assembly import Source, assemble
from eahas.errors import CheckpointError, EahasError
from eahas.frozen import thawed
from eahas.spec.spec import spec_from_dict

CURVES = {"curves": ["valid"]}
LATENCY = {"scalars": {"latency_ms": {"unit": "ms", "low": 0}}}
POWER = {"scalars": {"power_w": {"unit": "W", "low": 0}}}


@pytest.fixture(scope="module")
def folders(own_spec, handmade, saved, tmp_path_factory) -> dict[str, Path]:
    """Accuracies of two tasks, latencies of two devices, and a power of one device."""
    root = tmp_path_factory.mktemp("parts")
    made = {}
    for k, (name, targets, kind) in enumerate(
        (
            ("c10", CURVES, "curves"),
            ("c100", CURVES, "curves"),
            ("a100", LATENCY, "scalars"),
            ("pixel2", LATENCY, "scalars"),
            ("a100-power", POWER, "scalars"),
        )
    ):
        spec = own_spec(targets=targets)
        source = {"energy": {"source": "none", "formula": ""}} if kind == "curves" else {}
        made[name] = saved(root / name, spec, [handmade(spec, kind, seed=k)], **source)
    return made


def sources(folders) -> list[Source]:
    return [
        Source(folders["c10"], task="cifar10"),
        Source(folders["c100"], task="cifar100"),
        Source(folders["a100"], device="a100"),
        Source(folders["pixel2"], device="pixel 2"),
        Source(folders["a100-power"], device="a100"),
    ]


@pytest.fixture(scope="module")
def assembled(folders, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("assembled") / "many"
    assemble(sources(folders), folder, name="many", version=2, description="several devices")
    return folder


def test_a_task_and_a_device_choose_the_parts(folders, assembled) -> None:
    bench = api.load_benchmark(assembled, task="cifar100", device="a100")
    assert (bench.id, bench.task, bench.device) == ("many@2", "cifar100", "a100")
    assert bench.tasks == ("cifar10", "cifar100")
    assert bench.devices == ("a100", "pixel 2")
    assert bench.target_names == ("valid", "latency_ms", "power_w")
    config = bench.space.sample(seed=1)
    p = bench.predict(config)
    for name, part in (("valid", "c100"), ("latency_ms", "a100"), ("power_w", "a100-power")):
        alone = api.load_benchmark(folders[part]).predict(config)
        np.testing.assert_array_equal(p[name], alone[name])
    assert p.support == min(api.load_benchmark(f).predict(config).support for f in folders.values())


def test_a_target_may_exist_on_some_devices_only(assembled) -> None:
    phone = api.load_benchmark(assembled, task="cifar10", device="pixel 2")
    assert phone.target_names == ("valid", "latency_ms")
    other = phone.select(device="a100")
    assert (other.task, other.device) == ("cifar10", "a100")
    assert "power_w" in other.target_names
    config = phone.space.sample(seed=0)
    assert phone.predict(config)["latency_ms"] != other.predict(config)["latency_ms"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({}, r"has several tasks; name one: task=... of cifar10, cifar100"),
        ({"task": "cifar10"}, r"has several devices; name one: device=... of a100, pixel 2"),
        ({"task": "cifar11", "device": "a100"}, r"task 'cifar11' is unknown.*did you mean"),
        ({"task": "cifar10", "device": 3}, r"device 3 is unknown; allowed: a100, pixel 2"),
    ],
)
def test_a_missing_or_unknown_choice_is_refused(assembled, chosen, message) -> None:
    with pytest.raises(EahasError, match=message):
        api.load_benchmark(assembled, **chosen)


def test_a_benchmark_without_axes_takes_no_choice(toy) -> None:
    with pytest.raises(EahasError, match="own has no tasks; task='x' was given"):
        api.load_benchmark(toy, task="x")


def test_the_only_value_of_an_axis_needs_no_name(folders, tmp_path) -> None:
    assemble([Source(folders["a100"], device="a100")], tmp_path / "one", name="one")
    assert api.load_benchmark(tmp_path / "one").device == "a100"


def test_facts_of_all_parts_stand_together(assembled) -> None:
    bench = api.load_benchmark(assembled, task="cifar10", device="a100")
    assert bench.energy_source == "estimated"
    assert bench.manifest["provenance"]["runs"] == 3 * 30
    assert bench.spec.description == "several devices"
    described = bench.predict(bench.space.sample(seed=0)).to_dict()
    assert list(described["targets"]) == list(bench.target_names)


def test_a_pickle_keeps_the_choice(assembled) -> None:
    bench = api.load_benchmark(assembled, task="cifar10", device="pixel 2")
    p = bench.predict(bench.space.sample(seed=0))
    there = pickle.loads(pickle.dumps(p))
    assert there.benchmark.device == "pixel 2"
    assert there.to_dict() == p.to_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([], "needs|one or more folders"),
        ([("c10", "cifar10", None), ("c100", None, "a100")], "both predict valid"),
        ([("a100", None, "a100"), ("pixel2", None, None)], "both predict latency_ms"),
    ],
)
def test_parts_that_do_not_fit_are_refused(folders, tmp_path, change, message) -> None:
    given = [Source(folders[name], task, device) for name, task, device in change]
    with pytest.raises(EahasError, match=message):
        assemble(given, tmp_path / "x", name="x")
    assert not (tmp_path / "x").exists()


def test_parts_of_another_space_or_target_are_refused(
    folders, own_spec, handmade, saved, tmp_path
) -> None:
    kelvin = own_spec(targets={"scalars": {"latency_ms": {"unit": "K", "low": 0}}})
    other = saved(tmp_path / "b", kelvin, [handmade(kelvin, "scalars")])
    with pytest.raises(EahasError, match="target latency_ms differs from that of another part"):
        assemble(
            [Source(folders["a100"], device="a"), Source(other, device="b")],
            tmp_path / "x",
            name="x",
        )
    few = own_spec(constraints=[], targets=LATENCY)
    other = saved(tmp_path / "c", few, [handmade(few, "scalars")])
    with pytest.raises(EahasError, match="its space differs from that of"):
        assemble(
            [Source(folders["a100"], device="a"), Source(other, device="b")],
            tmp_path / "x",
            name="x",
        )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "parts is a list of one or more parts"),
        ([{"task": "a"}], "each has a folder, a task and a device"),
        ([{"folder": "../x"}], "folder is a name"),
        ([{"folder": "part0-cifar10", "device": 3}], "device is a name"),
        ([{"folder": "part0-cifar10", "host": "x"}], "each has a folder, a task and a device"),
    ],
)
def test_a_malformed_list_of_parts_is_refused(assembled, tmp_path, parts, message) -> None:
    folder = Path(shutil.copytree(assembled, tmp_path / "copy"))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "parts": parts}))
    with pytest.raises(CheckpointError, match=message):
        api.load_benchmark(folder, task="cifar10", device="a100")


def test_a_damaged_part_is_refused(assembled, tmp_path) -> None:
    folder = Path(shutil.copytree(assembled, tmp_path / "copy"))
    with (folder / "part0-cifar10" / "manifest.json").open("a") as file:
        file.write(" ")
    with pytest.raises(CheckpointError, match=r"part0-cifar10.manifest.json has \d+ bytes"):
        api.load_benchmark(folder, task="cifar10", device="a100")


def test_tables_of_tasks_and_devices_have_joint_optima(tabled, saved_table, tmp_path) -> None:
    """An accuracy that depends on the task, a latency that depends on the device."""
    whole = tabled()
    parts = []
    for name, kept, bound in (
        ("accuracy", ("valid", "runtime_s"), {"task": "t"}),
        ("latency", ("score",), {"device": "d"}),
    ):
        folder = saved_table(tmp_path / name, only(whole, kept))
        parts.append(Source(folder, **bound))
    assemble(parts, tmp_path / "both", name="both")
    both = api.load_benchmark(tmp_path / "both")
    together = api.load_benchmark(saved_table(tmp_path / "whole", whole))
    assert both.front("runtime_s", "score") == together.front("runtime_s", "score")
    assert both.front(("runtime_s", "score"), "valid") == together.front(
        ("runtime_s", "score"), "valid"
    )
    assert both.best("score", n=3) == together.best("score", n=3)


def only(table, names):
    """A table with some of its targets."""
    source = thawed(table.spec.source)
    for kind, section in source["targets"].items():
        source["targets"][kind] = {name: entry for name, entry in section.items() if name in names}
    kept = {
        field: {name: getattr(table, field)[name] for name in names}
        for field in ("values", "seed_variance", "error_quantiles")
    }
    return replace(table, spec=spec_from_dict(source), primary=names[0], **kept)

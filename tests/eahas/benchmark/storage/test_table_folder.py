"""A table's folder: exactly what was saved comes back, and nothing odd or damaged is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.storage import registry
from eahas.benchmark.storage import table_folder as tables
from eahas.benchmark.storage.folder import manifest_bytes, read_tensors, save_folder, tensor_bytes
from eahas.benchmark.storage.manifest import read_manifest
from eahas.errors import CheckpointError


@pytest.fixture(scope="module")
def saved(tabled, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "table"
    save_folder(folder, *tables.contents(tabled()))
    return folder


@pytest.fixture
def spoiled(saved, tmp_path) -> Callable[..., Path]:
    """A copy whose manifest and arrays were changed, and vouched for again."""

    def spoil(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
        folder = shutil.copytree(saved, tmp_path / "copy", dirs_exist_ok=True)
        manifest = json.loads((saved / "manifest.json").read_text())
        arrays = read_tensors(saved, tables.FILE, manifest)
        change(manifest, arrays)
        content = tensor_bytes(arrays)
        (folder / tables.FILE).write_bytes(content)
        (folder / "manifest.json").write_bytes(manifest_bytes(manifest, {tables.FILE: content}))
        return folder

    return spoil


def test_what_was_saved_comes_back(saved, tabled) -> None:
    table, back = tabled(), tables.load(saved)
    assert back.flats == table.flats
    assert (back.seeds, back.points, back.primary) == (table.seeds, table.points, table.primary)
    assert back.manifest["made"] == "by hand"
    np.testing.assert_array_equal(back.present, table.present)
    for name, values in table.values.items():
        assert back.values[name].dtype == values.dtype
        np.testing.assert_array_equal(back.values[name], values, err_msg=name)
        for part in ("location", "deviation"):
            a, b = (getattr(t.seed_variance[name], part) for t in (back, table))
            np.testing.assert_array_equal(a, b)
        assert back.seed_variance[name].weight == table.seed_variance[name].weight
    assert back.error_quantiles == table.error_quantiles


def test_percentages_are_stored_as_counts(saved) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    arrays = read_tensors(saved, tables.FILE, manifest)
    assert manifest["counts"] == {"valid": 50}
    assert arrays["values.valid"].dtype == np.uint8
    assert arrays["values.loss"].dtype == np.float32


def test_counts_are_exact_or_not_used() -> None:
    for scale in (1, 7, 200, 600, 10_000):
        values = (100.0 * np.arange(scale + 1) / scale).astype(np.float32)
        found = tables._count_scale(values)
        assert found == scale
        assert tables._count_dtype(scale) == (np.uint8 if scale < 256 else np.uint16)
    assert tables._count_scale(np.array([0.0, 100.0, np.pi], dtype=np.float32)) is None
    assert tables._count_scale(np.array([50.0, np.nan], dtype=np.float32)) is None


def test_it_is_named_and_described_as_other_benchmarks(tabled, saved_table, tmp_path) -> None:
    folder = saved_table(tmp_path / "listed", tabled())
    assert registry.describe(read_manifest(folder))["targets"] == {
        "valid": "percent",
        "loss": "nat",
        "runtime_s": "s",
        "test_energy_j": "J",
        "score": "percent",
    }
    assert api.load_ensemble(folder / "table").name == "table"
    with pytest.raises(CheckpointError, match=r"table is a table: it contains no weights"):
        api.load_ensemble(folder / "table" / "weights")
    with pytest.raises(CheckpointError, match=r"is a model, not a benchmark"):
        api.load_benchmark(folder / "table")


def entry(name: str, value: Any) -> Callable[..., None]:
    def change(manifest: dict[str, Any], arrays: dict[str, Any]) -> None:
        inside = manifest
        *sections, last = name.split(".")
        for section in sections:
            inside = inside[section]
        inside[last] = value

    return change


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("targets", [], "targets is empty"),
        ("targets", ["valid", "speed"], "targets: target 'speed' is unknown"),
        ("targets", ["loss", "valid"], "order of the spec"),
        ("targets", ["valid", "loss"], "2 numbers in"),
        ("seeds", [], "rising whole numbers"),
        ("seeds", [2, 0, 4], "rising whole numbers"),
        ("seeds", [0, True, 4], "rising whole numbers"),
        ("seeds", "0", "rising whole numbers"),
        ("points", 15, "points is a whole number from 16"),
        ("primary", "speed", "primary 'speed' is unknown"),
        ("name", 3, "name is text"),
        ("counts", {"valid": 0}, "whole number in 1..65535"),
        ("counts", {"valid": 50.0}, "whole number in 1..65535"),
        ("counts", {"loss": 50}, "counts: curve in percent 'loss' is unknown"),
        ("counts", [50], "counts is an object"),
        ("calibration.weights", [1.0], "calibration.weights are 5 numbers"),
        ("calibration.weights", [1.0, 1.0, 1.0, 1.0, -1.0], "calibration.weights are 5 numbers"),
        ("calibration.reaches", {}, "calibration.reaches.valid is missing"),
        ("spec.parameters", {"epochs": {"type": "float", "low": 1, "high": 2}}, "spec"),
        ("spec.parameters.width", {"type": "float", "low": 1, "high": 3}, "at most 1,000,000"),
        ("format", "eahas-ensemble", "wanted eahas-table: load_ensemble reads it"),
    ],
)
def test_an_odd_manifest_is_refused_by_entry(spoiled, name, value, why) -> None:
    with pytest.raises(CheckpointError, match=why) as refused:
        tables.load(spoiled(entry(name, value)))
    assert "manifest.json" in str(refused.value)


def array(name: str, change: Callable[[np.ndarray], Any]) -> Callable[..., None]:
    def changed(manifest: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays[name] = change(arrays[name].copy())

    return changed


def put(place: Any, value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[place] = value
        return values

    return change


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("keys", lambda a: a.astype(np.int64), "has type int64; allowed: int32"),
        ("keys", lambda a: a[:, :3], r"has .* \(configurations from 1, parameters = 4\)"),
        ("keys", lambda a: a[:0], r"has shape \(0, 4\); allowed: \(configurations from 1"),
        ("keys", put(0, [0, 0, 1, 0]), "holds a row twice"),
        ("keys", put((0, 2), 3), r"holds 3 at index \[0, 2\]; allowed: up to 2, on the grid of w"),
        ("keys", put((0, 2), -2), r"holds -2 at index \[0, 2\]; allowed: numbers from -1"),
        (
            "keys",
            put((0, 1), -1),
            "holds -1 for opt.momentum .* -1 if and only if the parameter",
        ),
        ("keys", put((0, 2), -1), "holds -1 for width .* -1 if and only if the parameter"),
        ("present", lambda a: a.astype(np.uint8), "has type uint8; allowed: bool"),
        ("present", lambda a: a[:, :2], r"has .* \(configurations = 16, seeds = 3\)"),
        ("present", put(0, False), r"holds no run at index \[0\]; allowed: one or more"),
        ("values.valid", lambda a: a.astype(np.uint16), "has type uint16; allowed: uint8"),
        ("values.valid", lambda a: a[:-1], r"has shape .* \(epochs of all runs = 163\)"),
        ("values.valid", put(0, 51), "holds 102 at index .* in 0..100, or NaN"),
        ("values.loss", put(0, np.inf), "holds inf at index .* finite numbers, or NaN"),
        ("values.loss", lambda a: a.astype(np.float64), "has type float64; allowed: float32"),
        ("values.runtime_s", put((0, 0), 0.0), "holds 0 at index .* above 0, or NaN"),
        ("values.runtime_s", put((0, 0), -1.0), "holds -1 at index .* above 0, or NaN"),
        ("values.runtime_s", put((0, 0), np.inf), "holds inf at index .* above 0, or NaN"),
        ("values.runtime_s", put((15, 0), 1.0), "holds a value at .* NaN where there is no run"),
        ("values.score", lambda a: a[0], r"has .* \(configurations = 16, seeds = 3\)"),
        ("values.score", lambda a: a.astype("f4"), "has type float32; allowed: float64"),
        ("values.score", put((0, 0), 100.5), "holds 100.5 at index .* in 0..100, or NaN"),
        ("typical.loss.location", lambda a: a[:, ::-1], "holds .* after .*; allowed: rising"),
        ("typical.loss.location", put(0, np.inf), "holds inf .* finite numbers"),
        ("typical.loss.location", lambda a: a.astype("f4"), "has type float32; allowed: float64"),
        ("typical.loss.location", lambda a: a[:0], r"has .* \(positions from 1, knots from 0\)"),
        ("typical.loss.deviation", put(0, 0.0), "holds 0 at index .* above 0"),
        ("typical.loss.deviation", put(0, np.nan), "holds nan at index .* above 0"),
        ("typical.loss.deviation", lambda a: a[:, :1], r"has .* \(positions = 3, knots = 2\)"),
        ("typical.score.location", lambda a: np.repeat(a, 2, 0), r"has .* \(1, knots from 0\)"),
    ],
)
def test_odd_arrays_are_refused_by_name(spoiled, name, change, why) -> None:
    with pytest.raises(CheckpointError, match=rf"{tables.FILE}: array '{name}' {why}"):
        tables.load(spoiled(array(name, change)))


def test_a_run_that_is_not_present_has_no_values(spoiled) -> None:
    with pytest.raises(CheckpointError, match=r"'values.valid' .* \(epochs of all runs = 161\)"):
        tables.load(spoiled(array("present", put((0, 0), False))))


def test_curves_that_would_not_fit_into_memory_are_refused(saved, monkeypatch) -> None:
    monkeypatch.setattr(tables, "MAX_NUMBERS", 239)
    with pytest.raises(CheckpointError, match=r"48 curves of up to 5 epochs; allowed: 239 num"):
        tables.load(saved)


def test_missing_and_further_arrays_are_refused(spoiled) -> None:
    with pytest.raises(
        CheckpointError,
        match=r"safetensors: array 'present' is missing; needed: keys, present, values.valid",
    ):
        tables.load(spoiled(lambda manifest, arrays: arrays.pop("present")))
    with pytest.raises(
        CheckpointError, match=r"safetensors: array 'more' is unknown; allowed: keys, present"
    ):
        tables.load(spoiled(lambda manifest, arrays: arrays.update(more=np.zeros(1))))


def test_altered_files_and_pickles_are_refused(saved, tmp_path) -> None:
    folder = shutil.copytree(saved, tmp_path / "copy")
    path = folder / tables.FILE
    content = path.read_bytes()
    for altered, why in (
        (content[:-1], "truncated or altered"),
        (content[:-1] + bytes([content[-1] ^ 1]), "does not have the SHA-256"),
        (b"PK\x03\x04" + content[4:], "is a pickle"),
    ):
        path.write_bytes(altered)
        with pytest.raises(CheckpointError, match=why):
            tables.load(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"runs.safetensors is missing"):
        tables.load(folder)


def test_a_benchmark_whose_table_is_another_space_s_is_refused(
    tabled, saved_table, own_spec, tmp_path
) -> None:
    folder = saved_table(tmp_path / "listed", tabled(), spec=dict(own_spec().source))
    with pytest.raises(CheckpointError, match=r"its space or its targets differ from those of"):
        api.load_benchmark(folder)

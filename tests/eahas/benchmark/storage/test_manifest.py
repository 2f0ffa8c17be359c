"""Manifests: what is no manifest, and what an entry may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eahas.benchmark.storage.manifest import (
    BENCHMARK,
    ENSEMBLE,
    MANIFEST,
    Manifest,
    parse_manifest,
    read_manifest,
)
from eahas.errors import CheckpointError

WHOLE = {"format": BENCHMARK, "format_version": 1, "files": {}}


def parsed(kind: str | None = None, **entries: Any) -> Manifest:
    content = {k: v for k, v in {**WHOLE, **entries}.items() if v is not ...}
    return parse_manifest(json.dumps(content).encode(), Path("there") / MANIFEST, kind)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is no"),  # older Pythons read it
        (b"[" * 100_000, "is not JSON: nested too deeply"),
        (b"[]", "files is missing"),
        (b'"text"', "files is missing"),
        (b"{}", "files is missing"),
        (b'{"files": []}', "files is missing"),
    ],
)
def test_what_is_no_manifest_is_refused_by_name(content: bytes, why: str) -> None:
    with pytest.raises(CheckpointError, match=r"bench/manifest.json") as caught:
        parse_manifest(content, Path("bench") / MANIFEST)
    assert why in str(caught.value)


@pytest.mark.parametrize("given", [..., None, "eahas", 1, ["eahas-benchmark"], {}])
def test_an_unknown_format_is_refused(given: Any) -> None:
    with pytest.raises(CheckpointError, match=r"has format .* wanted eahas-benchmark or eahas-ens"):
        parsed(format=given)


def test_the_wrong_kind_names_who_reads_it() -> None:
    assert parsed().kind == BENCHMARK
    with pytest.raises(CheckpointError, match=r"wanted eahas-ensemble: load_benchmark reads it"):
        parsed(ENSEMBLE)


@pytest.mark.parametrize("given", [..., None, 0, 2, "1", True, [1]])
def test_an_unknown_version_is_refused(given: Any) -> None:
    with pytest.raises(CheckpointError, match=r"format_version .*; this eahas reads 1"):
        parsed(format_version=given)


@pytest.mark.parametrize(
    ("look_up", "given"),
    [
        (lambda m: m.entry("a.b"), ...),
        (lambda m: m.entry("a.b"), [1]),
        (lambda m: m.entry("a.b"), {"c": 1}),
        (lambda m: m.text("a"), 1),
        (lambda m: m.flag("a"), 1),
        (lambda m: m.section("a"), "text"),
        *[(lambda m: m.whole("a", 1), value) for value in (0, 1.0, True, "1", None)],
        *[(lambda m: m.texts("a"), value) for value in ("ab", [1], ["x", "x"], {}, [["x"]])],
        *[
            (lambda m: m.numbers("a", 2, 0.0, 9.0), value)
            for value in ([1], [1, 2, 3], [1, -1], [1, 1e300], [1, True], [1, "2"], "12", [10**400])
        ],
        *[
            (lambda m: m.folders("a"), value)
            for value in ([], [""], ["."], [".."], ["../x"], ["a/b"], ["/a"], ["a\\b"], ["a\x00"])
        ],
        (lambda m: m.spec(), ...),
    ],
)
def test_an_entry_of_another_kind_is_refused_by_name(look_up: Any, given: Any) -> None:
    with pytest.raises(CheckpointError, match=r"there/manifest.json: (a|spec)\b"):
        look_up(parsed(a=given))


def test_a_number_that_overflows_is_refused() -> None:
    content = json.dumps(WHOLE)[:-1] + ', "a": [1e999]}'
    manifest = parse_manifest(content.encode(), Path(MANIFEST))
    with pytest.raises(CheckpointError, match=r"a are 1 numbers in 0..inf, got .inf."):
        manifest.numbers("a", 1, 0.0, float("inf"))


def test_entries_come_back_in_their_kind() -> None:
    manifest = parsed(a={"b": "text", "c": 3, "d": [1, 2.5], "e": ["x", "y-2"], "f": False})
    assert manifest.text("a.b") == "text"
    assert manifest.whole("a.c", 3) == 3
    assert manifest.numbers("a.d", 2, 1.0, 2.5) == (1.0, 2.5)
    assert manifest.texts("a.e") == manifest.folders("a.e") == ("x", "y-2")
    assert manifest.flag("a.f") is False


def test_what_is_wrong_with_a_spec_is_said_with_the_file() -> None:
    with pytest.raises(CheckpointError, match=r"there/manifest.json: spec: .*parameters"):
        parsed(spec={"name": "x"}).spec()


def test_a_folder_without_a_manifest_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"manifest.json is missing$"):
        read_manifest(tmp_path)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "surrogate_model.model").write_bytes(b"\x80\x04.")
    with pytest.raises(CheckpointError, match=r"surrogate_model.model, and pickles are never"):
        read_manifest(tmp_path)
    with pytest.raises(CheckpointError, match=r"its suffix is that of a pickle"):
        read_manifest(tmp_path / "inner" / "surrogate_model.model")


@pytest.mark.parametrize("name", ["missing", "a" * 5000, "a\x00b"])
def test_a_name_that_leads_nowhere_is_not_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"is not a folder"):
        read_manifest(tmp_path / name)


def test_a_manifest_that_is_a_folder_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(CheckpointError, match=r"manifest.json is missing"):
        read_manifest(tmp_path)

"""The specs that ship, and the files of a user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eahas.errors import EahasError, SpecError
from eahas.spec.spec import spec_from_dict
from sweeps.specs import list_specs, load_spec

MINIMAL = {"name": "mine", "parameters": {"lr": {"type": "float", "low": 0.1, "high": 1.0}}}


def test_the_specs_that_ship() -> None:
    assert list_specs() == [
        "mnasnet",
        "regnet-cifar10",
        "regnet-cifar10-16px",
        "regnet-digits",
        "regnet-digits-table",
        "regnet-tinyimagenet",
    ]


@pytest.mark.parametrize("name", list_specs())
def test_a_shipped_spec(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == spec.space.name == name
    assert spec_from_dict(json.loads(json.dumps(spec.source))) == spec


@pytest.mark.parametrize("name", [name for name in list_specs() if name.startswith("regnet")])
def test_a_spec_of_regnets(name: str) -> None:
    spec = load_spec(name)
    assert spec.space.fidelity == "OPTIM.MAX_EPOCH"
    assert spec.space.names[:5] == tuple(
        f"REGNET.{part}" for part in ("DEPTH", "W0", "WA", "WM", "GROUP_W")
    )
    assert spec.space.names[-1] == "OPTIM.MAX_EPOCH"
    assert {t.name for t in spec.scalars} >= {"runtime_s", "train_energy_j", "test_energy_j"}


@pytest.mark.parametrize(
    ("name", "ranges", "choices"),
    [
        (
            "regnet-cifar10",
            [(6, 15), (48, 128), (8, 32), (2.5, 3), (1, 32)],
            [(0, 16), (50, 100, 200)],
        ),
        (
            "regnet-tinyimagenet",
            [(6, 15), (48, 128), (8, 32), (1.5, 3), (1, 32)],
            [(0, 16), (50, 100, 200)],
        ),
    ],
)
def test_ea_has_bench_spaces(name: str, ranges: Any, choices: Any) -> None:
    """The published ranges: EA-HAS-Bench, table of the search space."""
    parameters = load_spec(name).space.parameters
    assert [(p.low, p.high) for p in parameters[:5]] == ranges  # type: ignore[union-attr]
    assert parameters[5].grid() == [0.001, 0.003, 0.005, 0.01, 0.03, 0.05, 0.1, 0.3, 0.5, 1.0]
    assert parameters[6].grid() == ["sgd", "adam", "adamw"]
    assert parameters[7].grid() == ["cos", "exp", "lin"]
    assert [tuple(p.grid()) for p in parameters[8:]] == choices


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".yml"])
def test_a_file_of_ones_own(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_text(json.dumps(MINIMAL), encoding="utf-8")  # JSON is YAML too
    assert load_spec(path) == load_spec(str(path)) == spec_from_dict(MINIMAL)


def test_yaml_may_share_sections(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\n"
        "parameters:\n"
        "  a: &unit {type: float, low: 0, high: 1}\n"
        "  b: {<<: *unit, high: 2}\n"
        "  c: *unit\n",
        encoding="utf-8",
    )
    assert [p.allowed() for p in load_spec(path).space.parameters] == [
        "number in 0..1",
        "number in 0..2",
        "number in 0..1",
    ]


def test_yaml_reads_exponents_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (
        "name: mine\nparameters:\n  x: {type: choice, choices: [1e-5, -2E+3, 1.5e2, 1e, e1, 0x1e2]}"
    )
    path.write_text(text, encoding="utf-8")
    assert load_spec(path).space["x"].grid() == [1e-5, -2000.0, 150.0, "1e", "e1", 482]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("regnet-cifar", "spec 'regnet-cifar' is unknown; allowed: mnasnet, regnet-cifar10"),
        ("", "spec '' is unknown"),
        ("../regnet-digits", "did you mean 'regnet-digits'?"),
        (None, "spec 'None' is unknown"),
        (3, "spec '3' is unknown"),
        ("no/such/file.yaml", "the file does not exist"),
        ("no\0such.json", "cannot be read"),
    ],
)
def test_an_unknown_spec(name: Any, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(name)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "text", "says"),
    [
        (".json", "{", "not JSON: "),
        (".json", "", "not JSON: "),
        (".json", "[" * 100_000, "not JSON: "),
        (".json", "9" * 5000, "not JSON: "),
        (".json", '{"name": "a", "name": "b"}', "the key 'name' occurs twice"),
        (".json", '{"name": "a", "parameters": {"x": NaN}}', "parameters: x: allowed are text"),
        (".json", "[1]", "a spec is a mapping of sections, got [1]"),
        (".json", b"\xff\xfe", "cannot be read as UTF-8"),
        (".yaml", "", "a spec is a mapping of sections, got None"),
        (".yaml", "{", "not YAML: "),
        (".yaml", "a: [1", "not YAML: "),
        (".yaml", "\t", "not YAML: "),
        (".yaml", "a: *b", "not YAML: "),
        (".yaml", "a: 1\n---\nb: 2", "not YAML: "),
        (".yaml", "? [1]\n: 2", "not YAML: "),
        (".yaml", "!!python/object:os.system x", "not YAML: "),
        (".yaml", "!!bool maybe", "not YAML: "),
        (".yaml", "!!timestamp x", "not YAML: "),
        (".yaml", "when: 2020-13-45", "not YAML: "),
        (".yaml", "9" * 5000, "not YAML: "),
        (".yaml", "[" * 100_000, "not YAML: "),
        (".yaml", "\0", "not YAML: "),
        (".yaml", b"\xff\xfe", "cannot be read as UTF-8"),
        (".yaml", "name: a\nname: b", "the key 'name' occurs twice"),
        (".yaml", "name: a\nparameters: &p {a: *p}", "at most 20 levels"),
        (".yaml", "name: a\ndata: {day: 2020-01-02}", "data: day: allowed are text"),
        (".yaml", "name: a\nparameters: {on: {type: boolean}}", "a name is text (quoted in YAML)"),
    ],
)
def test_a_broken_file(tmp_path: Path, suffix: str, text: str | bytes, says: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(EahasError, match=r"^spec '.*broken") as caught:
        load_spec(path)
    assert says in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(SpecError, match="cannot be read"):
        load_spec(tmp_path / "folder.json")

"""Checked records: only the check makes them, and nothing changes them afterwards."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eahas.errors import RecordError
from eahas.records import read_records, write_records
from eahas.records import schema as record_schema
from eahas.records.parquet import as_stored, records_bytes
from eahas.records.records import Records
from eahas.records.schema import check_rows, with_machine_factors
from eahas.spec.spec import Spec, spec_from_dict
from surrogates.data.dataset import runs_from_records

ROOT = Path(__file__).resolve().parents[3]
SPEC: dict[str, Any] = {
    "name": "small",
    "parameters": {
        "width": {"type": "integer", "low": 1, "high": 9},
        "act": {"type": "choice", "choices": ["relu", 2, False]},
        "max_epoch": {"type": "choice", "choices": [2]},
    },
    "fidelity": "max_epoch",
    "targets": {"curves": {"loss": {"unit": "nat"}}, "scalars": {"fit_s": {"unit": "s"}}},
}


@pytest.fixture
def spec() -> Spec:
    return spec_from_dict(SPEC)


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Five plain rows: an anchor, three successful runs and a failed one."""
    common = {"space": "small", "space_version": 1, "seed": 0, "act": "relu", "max_epoch": 2}
    good = {"status": "ok", "epochs": 2, "loss": [2.0, 0.1], "fit_s": 1.5, "split": "train"}
    names = [f"r{k}" for k in range(5)]
    rows = [
        {"run_id": name, "config_id": name, "width": k + 1, **common, **good}
        for k, name in enumerate(names)
    ]
    rows[0] |= {"role": "anchor", "split": ""}
    rows[4] |= {"status": "failed", "reason": "out of memory", "epochs": 0, "loss": []}
    del rows[4]["fit_s"]
    return rows


@pytest.fixture
def records(rows: list[dict[str, Any]], spec: Spec) -> Records:
    return check_rows(rows, spec)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The run_id of each row that is checked from here on."""
    checked: list[str] = []

    def count(row: Any, spec: Spec, real: Callable[..., Any] = record_schema._checked) -> Any:
        checked.append(row["run_id"])
        return real(row, spec)

    monkeypatch.setattr(record_schema, "_checked", count)
    return checked


# Who makes them


def test_there_is_no_public_constructor(rows: list[dict[str, Any]], spec: Spec) -> None:
    for arguments in ((), (rows, spec)):
        with pytest.raises(TypeError):
            Records(*arguments)  # type: ignore[call-arg]


def test_only_the_checking_functions_use_the_private_constructor() -> None:
    rooms = ("eahas", "regnet_hpo", "surrogates", "sweeps", "benchmarks")
    users = {
        str(path.relative_to(ROOT))
        for room in rooms
        for path in (ROOT / room).rglob("*.py")
        if "._of_checked" in path.read_text(encoding="utf-8")
    }
    assert users == {f"eahas/records/{name}.py" for name in ("parquet", "records", "schema")}


# Counts of checks


def test_records_are_not_checked_again(records: Records, spec: Spec, checks: list[str]) -> None:
    assert check_rows(records, spec) is records
    assert check_rows(records, spec_from_dict(SPEC)) is records  # an equal spec
    as_stored(records, spec)
    records_bytes(records.ok[1:], spec)
    assert checks == []


def test_plain_rows_are_checked_when_written_and_when_read(
    rows: list[dict[str, Any]], spec: Spec, checks: list[str], tmp_path: Path
) -> None:
    write_records(tmp_path / "r.parquet", rows, spec)
    assert checks == [row["run_id"] for row in rows]
    checks.clear()
    records = read_records(tmp_path / "r.parquet", spec)
    assert checks == [row["run_id"] for row in rows]
    write_records(tmp_path / "again.parquet", records, spec)
    assert len(checks) == 5
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "r.parquet").read_bytes()


def test_records_of_another_spec_are_checked(records: Records, tmp_path: Path) -> None:
    targets = {"curves": {"loss": {"unit": "nat"}}, "scalars": {"fit_s": {"unit": "s", "high": 1}}}
    strict = spec_from_dict(SPEC | {"targets": targets})
    with pytest.raises(RecordError, match=r"fit_s contains 1\.5; allowed: .*1"):
        write_records(tmp_path / "r.parquet", records, strict)
    with pytest.raises(RecordError, match="belongs to small@1, not to small@2"):
        check_rows(records, spec_from_dict(SPEC | {"version": 2}))


def test_no_records_are_not_written(records: Records, spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no records"):
        write_records(tmp_path / "r.parquet", records[:0], spec)


# Read-only


@pytest.mark.parametrize(
    "change",
    [
        lambda records: records[1].update(seed=1),
        lambda records: records[1].__setitem__("seed", 1),
        lambda records: records[1].pop("split"),
        lambda records: records[1].clear(),
        lambda records: records[1].setdefault("machine", "m"),
        lambda records: records[1].__ior__({"seed": 1}),
        lambda records: records[1].__delitem__("seed"),
        lambda records: records[1]["loss"].append(0.0),
        lambda records: records[1]["loss"].__setitem__(0, 9.0),
        lambda records: records[1]["loss"].sort(),
        lambda records: records[1]["loss"].__iadd__([1.0]),
        lambda records: records.__setitem__(0, records[1]),
        lambda records: records.append(records[1]),
        lambda records: setattr(records, "spec", None),
        lambda records: setattr(records, "_rows", ()),
    ],
)
def test_a_change_raises_and_cannot_reach_a_later_fit(
    records: Records, spec: Spec, change: Callable[[Records], object]
) -> None:
    before = runs_from_records(records, spec)
    with pytest.raises((TypeError, AttributeError)):
        change(records)
    after = runs_from_records(records, spec)
    assert np.array_equal(before.curves, after.curves)
    assert np.array_equal(before.seed, after.seed)


def test_the_given_rows_are_no_way_in(rows: list[dict[str, Any]], spec: Spec) -> None:
    records = check_rows(rows, spec)
    rows[1]["loss"][0] = -5.0
    rows[1]["seed"] = 7
    rows.clear()
    assert (len(records), records[1]["loss"], records[1]["seed"]) == (5, [2.0, 0.1], 0)


def test_copies_to_change(records: Records, rows: list[dict[str, Any]]) -> None:
    copies = records.to_list()
    assert copies == rows
    copies[1]["loss"][0] = -5.0
    copies[1]["seed"] = 7
    assert records[1]["loss"] == [2.0, 0.1]
    assert ({**records[1], "seed": 3}["seed"], (records[1] | {"seed": 3})["seed"]) == (3, 3)
    assert records[1]["seed"] == 0
    plain = copy.deepcopy(records[1])
    plain["loss"][0] = -5.0  # a deep copy of a row is a plain dictionary
    assert records[1]["loss"] == [2.0, 0.1]


# A sequence


def test_records_are_a_sequence_like_the_list_of_their_rows(
    records: Records, rows: list[dict[str, Any]], spec: Spec
) -> None:
    assert len(records) == 5
    assert records == rows and rows == records and records != rows[1:]
    assert list(records) == rows and list(reversed(records)) == rows[::-1]
    assert records[-1] == rows[-1] and rows[2] in records
    assert [*records[:1], records[2]] == [rows[0], rows[2]]
    assert records == check_rows(rows, spec) and records != tuple(rows)
    assert pd.DataFrame(records).equals(pd.DataFrame(records.to_list()))
    assert json.loads(json.dumps(list(records))) == rows
    assert repr(records) == "<Records: 5 runs of small@1>"


def test_slices_and_selections_are_records(
    records: Records, rows: list[dict[str, Any]], checks: list[str]
) -> None:
    selections = {
        "slice": (records[1:3], rows[1:3]),
        "ok": (records.ok, rows[:4]),
        "in_splits": (records.in_splits, rows[1:]),
        "where": (records.where(lambda row: row["width"] > 2), rows[2:]),
        "empty": (records[:0], []),
    }
    for name, (selected, expected) in selections.items():
        assert type(selected) is Records, name
        assert selected.spec == records.spec
        assert selected == expected, name
    assert checks == []


def test_counts_of_a_column(records: Records) -> None:
    assert records.counts("status") == {"ok": 4, "failed": 1}
    assert records.counts("role") == {"anchor": 1, "": 4}


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda records: pickle.loads(pickle.dumps(records))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_and_pickles_are_read_only_records(
    records: Records, duplicate: Callable[[Records], Records]
) -> None:
    again = duplicate(records)
    assert type(again) is Records and again == records
    for change in (lambda: again[1].update(seed=1), lambda: again[1]["loss"].append(1.0)):
        with pytest.raises(TypeError, match="read-only"):
            change()


# Machine factors


def test_machine_factors_are_the_only_values_checked(
    records: Records, spec: Spec, checks: list[str]
) -> None:
    factors = {row["run_id"]: 1.0 + row["width"] for row in records}
    changed = with_machine_factors(records, factors)
    assert type(changed) is Records and checks == []
    assert [row["machine_factor"] for row in changed] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert check_rows(changed.to_list(), spec) == changed


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf"), "1"])
def test_a_bad_machine_factor_is_refused(records: Records, factor: Any) -> None:
    with pytest.raises(RecordError, match=r"machine_factor is .*; allowed: "):
        with_machine_factors(records, {row["run_id"]: factor for row in records})

"""Records of curves with schedules, and of cumulative curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eahas.errors import RecordError
from eahas.records.completion import completed
from eahas.records.parquet import read_records, write_records
from eahas.records.schema import check_row
from eahas.spec.spec import Spec, spec_from_dict

SOURCE: dict[str, Any] = {
    "name": "s",
    "parameters": {
        "a": {"type": "float", "low": 0.0, "high": 1.0},
        "max_epoch": {"type": "choice", "choices": [4, 12]},
    },
    "fidelity": "max_epoch",
    "targets": {
        "curves": {
            "valid": {"epochs": [0, 2, 4, 8]},
            "loss": {"unit": "nats", "epochs": {"every": 5, "last": True}},
            "elapsed_s": {"unit": "s", "cumulative": True, "total": "runtime_s"},
        },
        "scalars": ["runtime_s"],
    },
}


@pytest.fixture(scope="module")
def spec() -> Spec:
    return spec_from_dict(SOURCE)


def row(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "run_id": "r",
        "space": "s",
        "space_version": 1,
        "config_id": "c",
        "seed": 0,
        "status": "ok",
        "epochs": 12,
        "a": 0.5,
        "max_epoch": 12,
        "valid": [10.0, 20.0, 30.0, 40.0],
        "loss": [2.0, 1.0, 0.5],
        "elapsed_s": [float(k) for k in range(1, 13)],
        "runtime_s": 12.0,
    }
    return {k: v for k, v in (whole | changes).items() if v is not None}


def test_a_row_has_a_value_for_each_scheduled_epoch_that_was_finished(spec: Spec) -> None:
    assert check_row(row(), spec)["loss"] == [2.0, 1.0, 0.5]
    broken = {"status": "diverged", "reason": "x", "runtime_s": None}
    early = row(epochs=6, valid=[1, 2, 3], loss=[2], elapsed_s=[1, 2, 3, 4, 5, 6], **broken)
    assert check_row(early, spec)["valid"] == [1.0, 2.0, 3.0]
    none = row(epochs=0, valid=[1], loss=[], elapsed_s=[], **broken)
    assert check_row(none, spec)["valid"] == [1.0]
    assert check_row(none | {"valid": []}, spec)["valid"] == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"valid": [1.0, 2.0, 3.0]},
            "valid has 3 values; after 12 of 12 epochs it has 4, at the epochs [0, 2, 4, 8]",
        ),
        ({"loss": [1.0] * 12}, "loss has 12 values; after 12 of 12 epochs it has 3"),
        ({"elapsed_s": [1.0] * 11}, "elapsed_s has 11 values for 12 epochs"),
        (
            {"elapsed_s": [1.0, 3.0, 2.0, *range(4, 13)]},
            "elapsed_s: value 3 is 2, below value 2, 3; a cumulative curve never falls",
        ),
        ({"elapsed_s": [-1.0, *range(2, 13)]}, "elapsed_s contains -1; allowed: 0..inf"),
        ({"runtime_s": 12.1}, "elapsed_s ends at 12 and its total runtime_s is 12.1"),
    ],
)
def test_rows_that_are_refused(spec: Spec, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(RecordError) as caught:
        check_row(row(**changes), spec)
    assert says in str(caught.value)


def test_the_end_of_a_curve_is_its_total_to_single_precision(spec: Spec) -> None:
    close = row(runtime_s=12.0 * (1 + 5e-7))
    assert check_row(close, spec)["runtime_s"] == close["runtime_s"]


def test_a_file_keeps_the_lists(spec: Spec, tmp_path: Path) -> None:
    write_records(tmp_path / "r.parquet", [row()], spec)
    (read,) = read_records(tmp_path / "r.parquet", spec)
    assert read["valid"] == [10.0, 20.0, 30.0, 40.0]
    assert len(read["elapsed_s"]) == 12


def plain(**changes: Any) -> dict[str, Any]:
    """A row of a file that names only parameters and targets."""
    left = ("run_id", "space", "space_version", "config_id", "seed", "status", "epochs")
    return {k: v for k, v in row(**changes).items() if k not in left}


NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "epochs", "status", "reason"),
    [
        ({}, 12, "ok", None),
        (
            {
                "valid": [1.0, 2.0, 3.0, NAN],
                "loss": [2.0, NAN, NAN],
                "elapsed_s": [*map(float, range(1, 7)), *[NAN] * 6],
            },
            6,
            "diverged",
            "valid is not a finite number from epoch 8 on",
        ),
        (
            {"valid": [1.0, NAN, NAN, NAN], "loss": [NAN] * 3, "elapsed_s": [NAN] * 12},
            0,
            "diverged",
            "valid is not a finite number from epoch 2 on",
        ),
    ],
)
def test_what_a_file_leaves_out_follows_from_the_curves(
    spec: Spec, changes: dict[str, Any], epochs: int, status: str, reason: str | None
) -> None:
    (found,) = completed([plain(**changes)], spec)
    assert (found["epochs"], found["status"], found.get("reason")) == (epochs, status, reason)
    checked = check_row(found, spec)
    assert len(checked["elapsed_s"]) == epochs


def test_a_curve_that_is_too_short_is_named_with_its_schedule(spec: Spec) -> None:
    with pytest.raises(RecordError, match="loss has 2 of 3 values, but max_epoch is 12"):
        completed([plain(loss=[2.0, 1.0])], spec)


def test_a_sparse_curve_alone_tells_the_epoch_of_its_last_value() -> None:
    source = SOURCE | {"targets": {"curves": {"loss": {"epochs": {"every": 5, "last": True}}}}}
    spec = spec_from_dict(source)
    given = {"a": 0.5, "max_epoch": 12, "loss": [2.0, 1.0, NAN]}
    (found,) = completed([given], spec)
    assert found["epochs"] == 10

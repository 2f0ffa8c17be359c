"""The record schema: what is a record, what is refused, and the way through Parquet."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eahas.errors import RecordError
from eahas.records.parquet import as_stored, read_records, read_rows, records_bytes, write_records
from eahas.records.schema import COLUMNS, KINDS, check_row, check_rows, config_of, started_at
from eahas.spec.spec import Spec, spec_from_dict

Row = dict[str, Any]
SPEC: dict[str, Any] = {
    "name": "small",
    "version": 2,
    "parameters": {
        "OPTIM.LR": {"type": "float", "low": 0.1, "high": 0.9, "quantum": 0.1},
        "DEPTH": {"type": "integer", "low": 1, "high": 9},
        "KIND": {"type": "choice", "choices": ["a", "b"]},
        "WITH_BIAS": {"type": "boolean", "when": {"KIND": ["a"]}},
        "EPOCHS": {"type": "choice", "choices": [2, 3]},
    },
    "fidelity": "EPOCHS",
    "targets": {"curves": ["valid", "test"], "scalars": ["runtime_s"]},
}
CONFIG = {"OPTIM.LR": 0.3, "DEPTH": 4, "KIND": "a", "WITH_BIAS": True, "EPOCHS": 3}


@pytest.fixture
def spec() -> Spec:
    return spec_from_dict(SPEC)


def row_of(**changed: Any) -> Row:
    """A good row; a value of None takes a field out."""
    row = {
        "run_id": "r1",
        "space": "small",
        "space_version": 2,
        "config_id": "c1",
        "seed": 0,
        "status": "ok",
        "reason": "",
        "split": "train",
        "role": "main",
        "epochs": 3,
        **CONFIG,
        "valid": [10.0, 20.0, 30.0],
        "test": [11.0, 21.0, 31.0],
        "runtime_s": 1.5,
        "epoch_time_s": [0.5, 0.5, 0.5],
        "machine_factor": 1.0,
    } | changed
    return {name: value for name, value in row.items() if value is not None}


# One row


def test_a_good_row_comes_back_in_the_order_of_the_schema(spec: Spec) -> None:
    row = row_of()
    checked = check_row(dict(reversed(row.items())), spec)
    assert checked == row
    names = [*KINDS, *spec.space.names, "valid", "test", "runtime_s"]
    assert list(checked) == [name for name in names if name in checked]


def test_values_become_plain_python(spec: Spec) -> None:
    row = row_of(
        epochs=np.int64(3),
        seed=7.0,
        runtime_s=np.float32(1.5),
        valid=np.array([10, 20, 30]),
        test=(11, 21, 31),
        **{"OPTIM.LR": np.float64(0.3), "DEPTH": np.int32(4)},
    )
    checked = check_row(row, spec)
    assert checked == row_of(seed=7)
    json.dumps(checked)
    assert type(checked["epochs"]) is type(checked["seed"]) is type(checked["DEPTH"]) is int


def test_unknown_columns_and_nulls_are_left_out(spec: Spec) -> None:
    checked = check_row(row_of() | {"train": [1.0], "my_note": "x", "idle_power_w": None}, spec)
    assert checked == row_of()


def test_a_nested_row_is_not_a_row(spec: Spec) -> None:
    with pytest.raises(RecordError, match=r"OPTIM\.LR"):
        check_row(row_of(**{"OPTIM.LR": None}) | {"OPTIM": {"LR": 0.3}}, spec)


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_a_run_that_did_not_end_well_needs_no_targets_but_a_reason(spec: Spec, status: str) -> None:
    row = row_of(status=status, epochs=0, valid=None, test=None, runtime_s=None, epoch_time_s=None)
    assert check_row(row | {"reason": "loss is nan"}, spec)["status"] == status
    with pytest.raises(RecordError, match=f"a run with status {status} needs its reason"):
        check_row(row, spec)


def test_a_diverged_run_keeps_the_curve_of_its_finished_epochs(spec: Spec) -> None:
    row = row_of(status="diverged", reason="x", epochs=1, valid=[9.0], test=[8.0], runtime_s=None)
    assert check_row(row | {"epoch_time_s": [0.5]}, spec)["valid"] == [9.0]
    with pytest.raises(RecordError, match="valid has 2 values for 1 epochs"):
        check_row(row | {"epoch_time_s": [0.5], "valid": [9.0, 9.0]}, spec)


@pytest.mark.parametrize("column", [c for c in COLUMNS if c.required], ids=lambda c: c.name)
def test_a_missing_column_is_named_with_its_meaning(spec: Spec, column: Any) -> None:
    row = row_of()
    del row[column.name]
    with pytest.raises(RecordError, match=re.escape(f"{column.name} is missing ({column.meaning}")):
        check_row(row, spec)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"space": "other"}, "belongs to other@2, not to small@2"),
        ({"space_version": 1}, "belongs to small@1, not to small@2"),
        ({"status": "okay"}, "status 'okay' is unknown; allowed: ok, diverged, failed"),
        ({"split": "holdout"}, "split 'holdout' is unknown; allowed: train, valid, test"),
        ({"role": "side"}, "role 'side' is unknown; allowed: main, repeat, anchor"),
        ({"run_id": 3}, "run_id is 3; allowed: text"),
        ({"seed": "0"}, "seed is '0'; allowed: a whole number"),
        ({"seed": 1.5}, "seed is 1.5; allowed: a whole number"),
        ({"seed": True}, "seed is True; allowed: a whole number"),
        ({"seed": 2**63}, "seed is 9223372036854775808; allowed: a whole number"),
        ({"epochs": -1}, "epochs is -1; allowed: whole numbers from 0"),
        ({"epochs": 4}, "4 epochs where EPOCHS is 3"),
        ({"epochs": 2}, "status ok with 2 of 3 epochs"),
        ({"machine_factor": math.nan}, "machine_factor is nan; allowed: a finite number, or null"),
        ({"runtime_s": "1.5"}, "runtime_s is '1.5'; allowed: a finite number"),
        ({"runtime_s": math.inf}, "runtime_s is inf; allowed: a finite number"),
        ({"runtime_s": -1.0}, "runtime_s contains -1; allowed: 0..inf"),
        ({"runtime_s": None}, "runtime_s is missing from a run with status ok"),
        ({"valid": None}, "valid is missing from a run with status ok"),
        ({"valid": [1.0, 2.0]}, "valid has 2 values for 3 epochs"),
        ({"valid": [1.0, math.nan, 2.0]}, "valid: value 2 is nan; allowed: a list of finite"),
        ({"valid": [1.0, None, 2.0]}, "valid is [1.0, None, 2.0]; allowed: a list of finite"),
        ({"valid": ["1", "2", "3"]}, "valid is ['1', '2', '3']; allowed: a list of finite"),
        ({"valid": [[1.0], [2.0], [3.0]]}, "allowed: a list of finite numbers, one per epoch"),
        ({"valid": [[1.0], 2.0, 3.0]}, "allowed: a list of finite numbers, one per epoch"),
        ({"valid": 30.0}, "valid is 30.0; allowed: a list of finite numbers, one per epoch"),
        ({"valid": [1.0, 2.0, 100.1]}, "valid contains 100.1; allowed: 0..100"),
        ({"test": [-0.1, 2.0, 3.0]}, "test contains -0.1; allowed: 0..100"),
        ({"epoch_time_s": [1.0]}, "epoch_time_s has 1 values for 3 epochs"),
        ({"DEPTH": 10}, "DEPTH=10 is out of range; allowed: integer in 1..9"),
        ({"DEPTH": None}, "DEPTH"),
        ({"WITH_BIAS": None}, "WITH_BIAS"),
        ({"KIND": "c"}, "KIND='c' is not allowed; allowed: one of 'a', 'b'"),
    ],
)
def test_a_bad_row_is_refused_by_run_and_field(spec: Spec, changed: Row, message: str) -> None:
    with pytest.raises(RecordError) as raised:
        check_row(row_of(**{"run_id": "r1"} | changed), spec)
    assert str(raised.value).startswith("record ")
    assert message in str(raised.value)


@pytest.mark.parametrize("row", [None, 3, [("run_id", "r1")], "r1"])
def test_something_else_is_no_record(spec: Spec, row: Any) -> None:
    with pytest.raises(RecordError, match="a record is a mapping, got"):
        check_row(row, spec)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.complex_numbers()
    | st.builds(object)
    | st.sampled_from([np.float32(1), np.int8(1), np.bool_(True), np.array([1.0]), np.array("a")]),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted(set(KINDS) | set(CONFIG) | {"valid", "test", "runtime_s"}))


@given(changed=st.dictionaries(FIELDS, ANYTHING, min_size=1, max_size=4))
def test_whatever_stands_in_a_row_it_is_checked_or_refused(changed: Row) -> None:
    spec = spec_from_dict(SPEC)
    try:
        checked = check_row(row_of() | changed, spec)
    except RecordError:
        return
    json.dumps(checked, allow_nan=False)
    assert check_row(checked, spec) == checked
    assert len(records_bytes([checked], spec)) > 0


# Many rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no records"),
        ([{}, {"seed": 1}], "record 'r1' occurs twice"),
        (
            [{}, {"run_id": "r2", "DEPTH": 5}],
            "record 'r2': config_id 'c1' belongs to another configuration",
        ),
        (
            [{}, {"run_id": "r2", "seed": 1, "config_id": "c2"}],
            "record 'r2': config_id 'c2', but the same configuration has the config_id 'c1'",
        ),
        (
            [{}, {"run_id": "r2", "seed": 1, "split": "test"}],
            "record 'r2': split 'test', but another run of its configuration is in 'train'",
        ),
    ],
)
def test_rows_that_contradict_each_other_are_refused(
    spec: Spec, rows: list[Row], message: str
) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        check_rows([row_of(**changed) for changed in rows], spec)


@pytest.mark.parametrize("changed", [{"split": ""}, {"config_id": "c2"}, {"DEPTH": 5}])
def test_an_anchor_belongs_to_no_split_and_may_repeat_a_configuration(
    spec: Spec, changed: Row
) -> None:
    rows = [row_of(), row_of(run_id="r2", seed=1, role="anchor", **changed)]
    assert check_rows(rows, spec) == rows


# Files


def test_rows_survive_the_way_through_a_file(spec: Spec, tmp_path: Path) -> None:
    rows = [
        row_of(),
        row_of(run_id="r2", seed=1, valid=[1.0, 100.0, 0.0], machine_factor=None),
        row_of(run_id="r3", config_id="c2", KIND="b", WITH_BIAS=None, epochs=2, EPOCHS=2)
        | {"valid": [1.0, 2.0], "test": [1.0, 2.0], "epoch_time_s": [0.1, 0.2]},
        row_of(run_id="r4", seed=2, status="failed", reason="out of memory", epochs=0)
        | {"valid": [], "test": [], "epoch_time_s": []},
    ]
    write_records(tmp_path / "records.parquet", rows, spec)
    found = read_records(tmp_path / "records.parquet", spec)
    assert found[:2] == rows[:2]
    assert found[2]["epoch_time_s"] == pytest.approx([0.1, 0.2])
    assert found[3] == rows[3]
    metadata = parquet.read_schema(tmp_path / "records.parquet").metadata
    assert metadata[b"eahas.space"] == b"small@2"


def test_the_columns_have_the_types_of_the_spec_whatever_the_rows_hold(spec: Spec) -> None:
    row = row_of(KIND="b", WITH_BIAS=None)
    schema = parquet.read_schema(pa.BufferReader(records_bytes([row], spec)))
    found = {name: str(schema.field(name).type) for name in spec.space.names}
    assert found == {
        "OPTIM.LR": "double",
        "DEPTH": "int64",
        "KIND": "string",
        "WITH_BIAS": "bool",
        "EPOCHS": "int64",
    }
    assert "energy_source" not in schema.names  # a column that no row has


def test_writing_twice_gives_the_same_bytes(spec: Spec) -> None:
    assert records_bytes([row_of()], spec) == records_bytes([row_of()], spec)


def test_reading_and_writing_again_changes_nothing(spec: Spec, tmp_path: Path) -> None:
    row = row_of(valid=[0.1, 1 / 3, 100.0], epoch_time_s=[0.1, 0.2, 0.3])
    for path in (first := tmp_path / "1", second := tmp_path / "2"):
        write_records(path, [row], spec)
        row = read_records(path, spec)[0]
    assert first.read_bytes() == second.read_bytes()


def test_a_bound_forgives_what_single_precision_takes(tmp_path: Path) -> None:
    targets = {"curves": {"share": {"low": 0.0, "high": 33.3}, "loss": {"low": 0.7}}}
    spec = spec_from_dict(SPEC | {"targets": targets})
    row = row_of(share=[33.3, 33.3, 33.3], loss=[0.7, 0.7, 0.7])
    write_records(tmp_path / "records.parquet", [row], spec)
    assert len(read_records(tmp_path / "records.parquet", spec)) == 1


def test_choices_of_mixed_types_survive(tmp_path: Path) -> None:
    parameters = SPEC["parameters"] | {
        "ACT": {"type": "choice", "choices": [False, "relu", 3]},
        "SCALE": {"type": "choice", "choices": [1, 0.5]},
    }
    spec = spec_from_dict(SPEC | {"parameters": parameters})
    rows = [
        row_of(run_id=f"r{k}", config_id=f"c{k}", ACT=act, SCALE=scale)
        for k, (act, scale) in enumerate([(False, 1), ("relu", 0.5), (3, 1)])
    ]
    write_records(tmp_path / "records.parquet", rows, spec)
    found = read_records(tmp_path / "records.parquet", spec)
    configs = [(row["ACT"], row["SCALE"]) for row in found]
    assert repr(configs) == "[(False, 1), ('relu', 0.5), (3, 1)]"
    assert [config_of(row, spec)["ACT"] for row in found] == [False, "relu", 3]


def test_a_column_can_be_a_target(tmp_path: Path) -> None:
    scalars = {"test_time_s": {"unit": "s", "low": 0}}
    spec = spec_from_dict(SPEC | {"targets": {"scalars": scalars}})
    write_records(tmp_path / "records.parquet", [row_of(test_time_s=0.25)], spec)
    assert read_records(tmp_path / "records.parquet", spec)[0]["test_time_s"] == 0.25
    with pytest.raises(RecordError, match="test_time_s is missing from a run with status ok"):
        check_row(row_of(), spec)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"targets": {"curves": {"wall_s": {}}}}, "the target wall_s has the name of a record"),
        ({"targets": {"scalars": {"machine": {}}}}, "the target machine has the name of a record"),
        (
            {"parameters": SPEC["parameters"] | {"seed": {"type": "boolean"}}},
            "the parameter seed has the name of a record column; rename it",
        ),
    ],
)
def test_names_that_columns_have_already_are_refused(changed: Row, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        check_row(row_of(), spec_from_dict(SPEC | changed))


def test_a_bad_row_writes_nothing(spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        write_records(tmp_path / "records.parquet", [row_of(seed="x")], spec)
    assert not (tmp_path / "records.parquet").exists()


@pytest.mark.parametrize(
    "content",
    [
        lambda good: b"",
        lambda good: b"run_id,space\n",
        lambda good: good[: len(good) // 2],
        lambda good: good[:-4] + b"XXXX",
        lambda good: good[:200] + bytes(len(good) - 208) + good[-8:],
    ],
    ids=["empty", "csv", "cut off", "end overwritten", "footer overwritten"],
)
def test_a_file_that_is_no_parquet_is_refused(
    spec: Spec, tmp_path: Path, content: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "records.parquet"
    path.write_bytes(content(records_bytes([row_of()], spec)))
    with pytest.raises(RecordError, match=r"records\.parquet is not readable as Parquet"):
        read_rows(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path, found in ((tmp_path / "none.parquet", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(RecordError, match=f"records file .* {found}"):
            read_rows(path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"run_id": pa.array([], pa.string())}, "no records"),
        ({"a": [1]}, r"no values of OPTIM\.LR \(parameter\), .*valid"),
    ],
    ids=["no rows", "other columns"],
)
def test_a_table_that_holds_no_records_is_refused(
    spec: Spec, tmp_path: Path, table: dict[str, Any], message: str
) -> None:
    parquet.write_table(pa.table(table), tmp_path / "records")
    with pytest.raises(RecordError, match=message):
        read_records(tmp_path / "records", spec)


def test_a_file_written_by_pandas_is_a_file_of_records(spec: Spec, tmp_path: Path) -> None:
    import pandas

    rows = [row_of(), row_of(run_id="r2", seed=1, status="failed", reason="x", epochs=0)]
    for name in ("valid", "test", "epoch_time_s", "runtime_s", "machine_factor"):
        del rows[1][name]
    pandas.DataFrame(rows).to_parquet(tmp_path / "records.parquet")
    assert read_records(tmp_path / "records.parquet", spec) == rows


# Energy


def test_joules_need_a_known_source() -> None:
    source = dict(SPEC) | {"targets": {"scalars": ["train_energy_j"]}}
    spec = spec_from_dict(source)
    good = row_of(train_energy_j=5.0, energy_source="rapl", valid=None, test=None, runtime_s=None)
    assert check_row(good, spec)["energy_source"] == "rapl"
    with pytest.raises(RecordError, match=r"energy_source 'magic' .*nvml_counter"):
        check_row(good | {"energy_source": "magic"}, spec)
    for without in ("", None):
        with pytest.raises(RecordError, match="train_energy_j is given without its energy_source"):
            check_row(good | {"energy_source": without}, spec)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"machine_factor": 0.0}, "machine_factor is 0; allowed: above 0"),
        ({"machine_factor": -1.5}, "machine_factor is -1.5"),
        ({"machine_facts": "{"}, "machine_facts is '{'; allowed: JSON"),
        ({"energy_reading": "[" * 100_000}, "energy_reading is .*; allowed: JSON"),
        ({"started_at": "yesterday"}, "started_at is 'yesterday'; allowed: a time of ISO 8601"),
    ],
)
def test_what_is_read_later_must_be_readable(spec: Spec, change: Row, why: str) -> None:
    with pytest.raises(RecordError, match=why):
        check_row(row_of(**change), spec)


def test_a_start_may_be_in_zulu_time(spec: Spec) -> None:
    began = started_at(check_row(row_of(started_at="2026-01-01T10:00:00Z"), spec))
    assert began is not None and began.utcoffset() == datetime.timedelta(0)


def test_rows_as_stored_are_those_of_a_file(spec: Spec, tmp_path: Path) -> None:
    row = row_of(valid=[10 / 3, 20 / 3, 30 / 7], epoch_time_s=[0.1, 0.2, 0.3], runtime_s=1 / 3)
    write_records(tmp_path / "r.parquet", [row], spec)
    assert as_stored([row], spec) == read_records(tmp_path / "r.parquet", spec)

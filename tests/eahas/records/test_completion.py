"""Files that other trainers wrote: what they may leave out, and what is a mistake."""

from __future__ import annotations

import datetime
import decimal
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from eahas.errors import RecordError
from eahas.records.parquet import read_records, write_records
from eahas.records.schema import check_rows
from eahas.spec.spec import spec_from_dict

SPEC = spec_from_dict(
    {
        "name": "own",
        "version": 2,
        "parameters": {
            "lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
            "layers": {"type": "integer", "low": 1, "high": 4},
            "features": {"type": "choice", "choices": ["sqrt", 0.5, 1]},
            "early": {"type": "boolean"},
            "wait": {"type": "integer", "low": 1, "high": 9, "when": {"early": [True]}},
            "max_epoch": {"type": "choice", "choices": [2, 3]},
        },
        "fidelity": "max_epoch",
        "targets": {
            "curves": {"loss": {"unit": "nat", "low": 0}, "f1": {"direction": "maximize"}},
            "scalars": {"fit_s": {"unit": "s"}, "size": {"unit": "B", "optional": True}},
        },
    }
)
ROW = {
    "lr": 0.01,
    "layers": 2,
    "features": "sqrt",
    "early": False,
    "max_epoch": 3,
    "loss": [2.0, 1.5, 1.0],
    "f1": [0.125, 0.25, 0.5],
    "fit_s": 1.5,
}
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def read(tmp_path):
    """`read(*rows)`: a file that pandas writes of ROW with these changes, as it is read."""

    def written(*changes, spec=SPEC, **columns):
        path = tmp_path / "runs.parquet"
        frame = pd.DataFrame([{**ROW, **change} for change in changes or ({},)])
        frame = frame.assign(**columns)
        frame[[c for c in frame if not frame[c].isna().all()]].to_parquet(path)
        return read_records(path, spec)

    return written


def test_what_follows_from_the_rest_is_filled_in(read) -> None:
    (row,) = read()
    assert row == {
        **ROW,
        "run_id": "row-0",
        "space": "own",
        "space_version": 2,
        "config_id": row["config_id"],
        "seed": 0,
        "status": "ok",
        "epochs": 3,
    }
    assert re.fullmatch("[0-9a-f]{12}", row["config_id"])
    assert check_rows([row], SPEC) == [row]


@pytest.mark.parametrize(("no", "yes"), [(0, 1), (0.0, 1.0), ("False", "True"), ("0", "1")])
def test_a_truth_may_be_a_number_or_a_word(no, yes, read) -> None:
    first, second = read({"early": no}, {"early": yes, "wait": 3.0})
    assert first["early"] is False and second["early"] is True


def test_a_parameter_of_one_value_needs_no_column(read) -> None:
    source = {**SPEC.source, "parameters": {**SPEC.source["parameters"]}}
    source["parameters"]["max_epoch"] = {"type": "choice", "choices": [3]}
    source["parameters"]["data"] = {"type": "choice", "choices": ["digits"]}
    (row,) = read({"max_epoch": None}, spec=spec_from_dict(source))
    assert (row["max_epoch"], row["epochs"], row["data"]) == (3, 3, "digits")


def test_runs_of_one_configuration_are_known_by_it(read) -> None:
    rows = read({}, {"lr": 0.1}, {"fit_s": 2.0}, {"lr": 0.1, "fit_s": 3.0}, {"fit_s": 4.0})
    assert [row["seed"] for row in rows] == [0, 0, 1, 1, 2]
    names = [row["config_id"] for row in rows]
    assert names[0] == names[2] == names[4] != names[1] == names[3]
    assert read({}, {"lr": 0.1})[1]["config_id"] == names[1]  # whatever else the file holds


def test_what_a_file_says_is_kept(read) -> None:
    given = {"run_id": "a", "config_id": "b", "seed": 7, "split": "test", "software": "mine"}
    (row,) = read(given)
    assert given.items() <= row.items()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([{"space": "other"}], "record 'row-0': belongs to other@2, not to own@2"),
        ([{"space_version": 1}], "record 'row-0': belongs to own@1, not to own@2"),
        ([{"seed": 3}, {"lr": 0.1}], "record 'row-1': seed is missing"),
        ([{"status": "COMPLETE"}], "status 'COMPLETE' is unknown; allowed: ok, diverged"),
        (
            [{"status": "ok", "loss": [2.0, NAN, NAN], "f1": [0.125] * 3}],
            "status ok with 1 of 3 epochs; a run that ended early",
        ),
        ([{"status": "ok", "fit_s": NAN}], "fit_s is missing from a run with status ok"),
        ([{}, {"fit_s": 2.0}, {}], "record 'row-2' is a duplicate of 'row-0'"),
        ([{"seed": 3}, {"seed": 3}], "record 'row-1' is a duplicate of 'row-0'"),
    ],
)
def test_what_a_file_says_wrongly_is_refused(read, changes, message) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        read(*changes)


def test_names_that_are_numbers_are_read_as_text(read) -> None:
    rows = read({}, {"fit_s": 2.0}, run_id=[17, 18], config_id=[3, 3], seed=[1, 2])
    assert [(r["run_id"], r["config_id"], r["seed"]) for r in rows] == [
        ("17", "3", 1),
        ("18", "3", 2),
    ]


def test_without_a_status_a_run_with_all_targets_is_ok_and_one_that_lacks_some_failed(read) -> None:
    lacking = {"loss": None, "f1": None, "fit_s": NAN}
    rows = read({}, lacking, {"lr": 0.1, "fit_s": NAN}, {"size": INF, "seed": 0, "lr": 0.2}, seed=0)
    assert [row["status"] for row in rows] == ["ok", "failed", "failed", "ok"]
    assert [row.get("reason") for row in rows[1:3]] == ["no loss, f1, fit_s", "no fit_s"]
    assert [row["epochs"] for row in rows] == [3, 0, 3, 3]
    assert "size" not in rows[3]


def test_a_curve_that_stops_being_a_number_is_a_run_that_diverged(read) -> None:
    (row,) = read({"loss": [2.0, NAN, NAN], "f1": [0.125, 0.25, NAN], "fit_s": INF})
    assert row["status"] == "diverged"
    assert row["reason"] == "loss is not a finite number from epoch 2 on"
    assert (row["epochs"], row["loss"], row["f1"]) == (1, [2.0], [0.125])
    (row,) = read({"loss": [INF], "f1": [0.125]})
    assert (row["status"], row["epochs"], row["loss"], row["f1"]) == ("diverged", 0, [], [])


def test_a_status_of_the_file_is_believed(read) -> None:
    broken = {"loss": [2.0, NAN], "f1": [0.125, 0.125], "fit_s": INF}
    rows = read(
        {}, {**broken, "lr": 0.1}, {**broken, "lr": 0.2}, status=["ok", "failed", "diverged"]
    )
    assert [row["status"] for row in rows] == ["ok", "failed", "diverged"]
    assert [row.get("reason", "") for row in rows] == ["", "not given", "not given"]
    assert [row["epochs"] for row in rows] == [3, 1, 1]


def test_curves_may_be_padded_to_one_length(read) -> None:
    (row,) = read({"max_epoch": 2, "loss": [2.0, 1.0, NAN], "f1": np.array([0.125, 0.25, NAN])})
    assert (row["status"], row["epochs"], row["loss"], row["f1"]) == (
        "ok",
        2,
        [2.0, 1.0],
        [0.125, 0.25],
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"loss": [2.0, 1.0], "f1": [0.125, 0.25]},
            "record 'row-0': loss has 2 values, but max_epoch is 3; a run that ended early is "
            "diverged or failed: add a column status",
        ),
        ({"loss": [2.0] * 4, "f1": [0.125] * 4}, "4 epochs where max_epoch is 3"),
        ({"loss": [2.0, NAN, 1.0]}, "loss: value 2 is None, but value 3 is a number; fill"),
        ({"early": "perhaps"}, "early='perhaps' is not allowed; allowed: one of False, True"),
        ({"f1": [0.125, 0.25]}, "f1 has 2 values, but max_epoch is 3"),
        ({"loss": [2.0, 1.0, -0.1]}, "record 'row-0': loss contains -0.1; allowed: 0..inf"),
        ({"lr": "0.01"}, "record 'row-0': lr='0.01' is of type str"),
        ({"lr": 3.0}, "record 'row-0': lr=3.0 is out of range; allowed: number in 0.0001..1"),
        ({"lr": INF}, "record 'row-0': lr=inf"),
        ({"wait": 3}, "record 'row-0': wait=3 is given, but it exists only if early is"),
        ({"features": "sqr"}, "did you mean 'sqrt'?"),
        ({"fit_s": 1e39}, "fit_s is 1e+39; allowed: up to 3e+38"),
        ({"loss": [1e39] * 3}, "loss contains 1e+39; allowed: up to 3e+38"),
        ({"loss": "2.0, 1.5, 1.0"}, "loss is '2.0, 1.5, 1.0'; allowed: a list of finite numbers"),
    ],
)
def test_a_mistake_is_still_one(read, change, message) -> None:
    with pytest.raises(RecordError, match=re.escape(message)):
        read(change)


def test_a_column_of_the_spec_that_is_not_there_is_named(read, tmp_path) -> None:
    path = tmp_path / "named.parquet"
    pd.DataFrame([ROW]).rename(columns={"loss": "val_loss", "lr": "rate"}).to_parquet(path)
    with pytest.raises(RecordError) as raised:
        read_records(path, SPEC)
    assert str(raised.value) == (
        f"{path}: the file has no values of lr (parameter), loss (curve), which own needs; "
        "other columns: rate, val_loss; did you mean 'val_loss'?"
    )


def test_equal_rows_with_names_or_seeds_of_their_own_are_different_runs(read) -> None:
    assert len(read({}, {}, seed=[3, 4])) == 2
    assert len(read({}, {}, run_id=["a", "b"])) == 2
    assert len(read({}, *[{"fit_s": NAN, "lr": 0.1}] * 2)) == 3  # two that failed


def test_types_of_columns_do_not_matter(read, tmp_path) -> None:
    changes = [
        {"lr": 1e-4},
        {"lr": 0.1, "early": True, "wait": 3.0},
        {"lr": 1.0, "features": "0.5"},
    ]
    plain = read(*changes)
    assert [row.get("wait") for row in plain] == [None, 3, None]
    assert plain[2]["features"] == 0.5
    frame = pd.DataFrame([{**ROW, **change} for change in changes])
    typed = frame.assign(
        lr=frame.lr.astype("float32"),
        layers=frame.layers.astype("category"),
        features=frame.features.astype("category"),
        early=frame.early.astype("boolean"),
        wait=frame.wait.astype("Int8"),
        max_epoch=frame.max_epoch.astype("uint16"),
        loss=frame.loss.map(lambda values: np.array(values, dtype="float32")),
        fit_s=[decimal.Decimal("1.5")] * 3,
        took=pd.Timedelta("1ns"),
        when=pd.Timestamp("2024-01-01 00:00:00.123456789"),
        note=[b"\xff"] * 3,
    )
    typed.set_index("note").to_parquet(tmp_path / "typed.parquet")
    assert read_records(tmp_path / "typed.parquet", SPEC) == plain


def test_a_time_of_any_kind_is_when_a_run_began(read) -> None:
    moment = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
    for given in (moment, pd.Timestamp(moment), moment.isoformat()):
        assert read({"started_at": given})[0]["started_at"] == "2024-05-06T07:08:09+00:00"


def test_what_is_read_is_what_a_benchmark_will_store(read, tmp_path) -> None:
    rows = read({"loss": [0.1, 1 / 3, 1e-9]})
    write_records(tmp_path / "stored.parquet", rows, SPEC)
    assert read_records(tmp_path / "stored.parquet", SPEC) == rows


def test_nans_are_nulls(tmp_path) -> None:
    table = pa.table(
        {name: [value] for name, value in ROW.items()} | {"size": [NAN], "wait": [NAN]}
    )
    parquet.write_table(table, tmp_path / "runs.parquet")
    (row,) = read_records(tmp_path / "runs.parquet", SPEC)
    assert not {"size", "wait"} & set(row)


def test_a_space_without_curves_needs_no_epochs(read) -> None:
    targets = {"scalars": {"fit_s": {}}}
    parameters = {"lr": {"type": "float", "low": 0, "high": 1}}
    alone = spec_from_dict({"name": "alone", "parameters": parameters, "targets": targets})
    rows = read({}, {"lr": 0.5, "fit_s": NAN}, spec=alone)
    assert [(row["status"], row["epochs"]) for row in rows] == [("ok", 1), ("failed", 0)]
    timed = spec_from_dict({**SPEC.source, "targets": targets})
    assert [row["epochs"] for row in read({}, {"lr": 0.5, "fit_s": NAN}, spec=timed)] == [3, 0]


def test_what_a_csv_makes_of_lists_and_files_is_told(read, tmp_path) -> None:
    with pytest.raises(RecordError, match=r"loss is '\[2.0\]'.*this is text: parse it with json"):
        read({"loss": "[2.0]"})
    (tmp_path / "runs.csv").write_text("lr,loss\n1,2\n")
    with pytest.raises(RecordError, match=r"not readable as Parquet: .*pandas.read_csv"):
        read_records(tmp_path / "runs.csv", SPEC)

"""A sweep goes on elsewhere from its records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eahas.errors import RecordError, SweepError
from eahas.records.parquet import read_records, write_records
from eahas.spec.spec import Spec, spec_from_dict
from sweeps.collect import collect
from sweeps.launch import finished_count, launch
from sweeps.plan import DONE, WORK, load_plan, sample
from sweeps.restore import restore

Put = Callable[..., dict[str, Any]]


@pytest.fixture
def records(folder: Path, put: Put, tmp_path: Path) -> Path:
    """The records of a sweep that finished 3 of its 4 runs."""
    runs = load_plan(folder)[1]
    put(runs[0], machine="m1", runtime_s=0.123456789)
    put(runs[1], status="failed", reason="x", epochs=0, valid=None, test=None, train=None)
    put(runs[2], valid=[1 / 3] * runs[2].config["OPTIM.MAX_EPOCH"])
    collect(folder, tmp_path / "records.parquet")
    return tmp_path / "records.parquet"


@pytest.fixture
def fresh(spec: Spec, tmp_path: Path) -> Path:
    """The same sweep, sampled again on a fresh checkout."""
    sample(spec, tmp_path / "fresh", 3)
    return tmp_path / "fresh"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_was_finished_is_finished_again(fresh: Path, records: Path) -> None:
    runs = load_plan(fresh)[1]
    assert restore(fresh, records) == 3
    assert finished_count(fresh, runs) == 3
    collect(fresh)
    assert (fresh / "records.parquet").read_bytes() == records.read_bytes()


def test_launch_makes_only_what_the_records_lack(fresh: Path, records: Path) -> None:
    restore(fresh, records)
    before = contents(fresh / DONE)
    assert launch(fresh, workers=0) == 4
    assert contents(fresh / DONE).items() > before.items()
    assert not list((fresh / WORK).iterdir())


def test_the_machine_factor_is_left_to_the_next_collect(fresh: Path, records: Path) -> None:
    restore(fresh, records)
    made = [json.loads(path.read_text()) for path in (fresh / DONE).iterdir()]
    assert all("machine_factor" not in record for record in made)


def test_a_run_that_is_done_stays_as_it_is(fresh: Path, records: Path, put: Put) -> None:
    runs = load_plan(fresh)[1]
    mine = put(runs[0], into=fresh, runtime_s=99.0)
    assert restore(fresh, str(records)) == 2
    assert json.loads((fresh / DONE / f"{runs[0].run_id}.json").read_text()) == mine
    assert restore(fresh, records) == 0


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"configs": 2}],
    ids=["other configurations", "a shorter plan"],
)
def test_records_of_another_plan_are_refused_and_nothing_is_written(
    spec: Spec, tmp_path: Path, records: Path, other: dict[str, Any]
) -> None:
    if "configs" in other:  # the last record is of a run that the shorter plan has not
        rows = read_records(records, spec)
        write_records(records, [*rows[:1], rows[2]], spec)
        other = {"configs": 1}
    sample(spec, tmp_path / "other", **{"configs": 3} | other)
    before = contents(tmp_path / "other")
    with pytest.raises(SweepError, match="another sweep"):
        restore(tmp_path / "other", records)
    assert contents(tmp_path / "other") == before


def test_records_of_another_space_are_refused(
    tiny: dict[str, Any], tmp_path: Path, records: Path
) -> None:
    sample(spec_from_dict(tiny | {"version": 2}), tmp_path / "other", 3)
    with pytest.raises(RecordError, match="belongs to tiny@1, not to tiny@2"):
        restore(tmp_path / "other", records)


def test_what_is_no_sweep_or_no_file_is_refused(fresh: Path, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="is not a sweep folder"):
        restore(tmp_path, tmp_path / "records.parquet")
    with pytest.raises(RecordError, match="does not exist"):
        restore(fresh, tmp_path / "records.parquet")

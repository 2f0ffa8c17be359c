"""An incremental sweep: a fixed list and one store that only grows."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eahas.errors import DataError, MeterError, SpecError, SweepError
from eahas.records.parquet import read_records, write_records
from eahas.spec.spec import Spec, spec_from_dict
from sweeps import incremental
from sweeps.incremental import listed_runs, run_increment, work_folder
from sweeps.plan import DONE, PLAN_FILE, SPEC_FILE, plan_list

pytestmark = pytest.mark.integration


@pytest.fixture
def listed(tiny: dict[str, Any]) -> Spec:
    """The tiny spec with a list of 3 configurations: 5 runs with a repeat and an anchor."""
    return spec_from_dict(tiny | {"sweep": {"configs": 3, "repeat_every": 3}})


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "records.parquet"


def short(monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    """Let the time of a call be up after so many more runs, by a clock of its own."""
    import sweeps.run_loop as work

    finished: list[str] = []
    real = work.write_json

    def counted(path: Path, record: Any) -> None:
        real(path, record)
        finished.append(path.stem)

    monkeypatch.setattr(work, "write_json", counted)
    monkeypatch.setattr(work.RunLimits, "over", property(lambda _: len(finished) >= runs))


def two_runs(spec: Spec, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose time is up after two runs."""
    with monkeypatch.context() as patch:
        short(patch, 2)
        run_increment(spec, store, 60, workers=0)


# The list


def test_the_list_is_fixed_and_a_longer_one_begins_with_it(spec: Spec) -> None:
    few, many = plan_list(spec, 30, repeat_every=10), plan_list(spec, 60, repeat_every=10)
    assert many[: len(few)] == few == plan_list(spec, 30, repeat_every=10)
    assert plan_list(spec, 30, seed=1) != plan_list(spec, 30)


def test_every_tenth_configuration_is_trained_again_on_both_sides(spec: Spec) -> None:
    runs = plan_list(spec, 200, repeat_every=10)
    again = [run for run in runs if run.role == "repeat"]
    assert len(again) == 20
    assert {run.seed for run in again} == {1}
    assert Counter(run.split for run in again) == {"train": 10, "test": 10}
    for position, run in enumerate(runs):
        if run.role == "repeat":
            first = runs[position - 1]
            first = runs[position - 2] if first.role == "anchor" else first
            assert (first.config_id, first.seed) == (run.config_id, 0)


def test_without_repeats_there_are_none(spec: Spec) -> None:
    assert {run.role for run in plan_list(spec, 30)} == {"main", "anchor"}


@pytest.mark.parametrize("counts", [{"configs": 0}, {"configs": 5, "repeat_every": -1}])
def test_counts_are_whole_numbers(spec: Spec, counts: dict[str, Any]) -> None:
    with pytest.raises(SweepError, match="allowed are whole numbers from"):
        plan_list(spec, **counts)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"config": 3}, "sweep: field 'config' is unknown"),
        ({"configs": 0}, "sweep: configs is a whole number from 1, got 0"),
        ({"repeat_every": "10"}, "sweep: repeat_every is a whole number from 0, got '10'"),
    ],
)
def test_a_bad_section_is_refused(tiny: dict, section: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        listed_runs(spec_from_dict(tiny | {"sweep": section}))
    assert message in str(raised.value)


# Increments


def test_increments_add_up_to_the_whole(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each on a fresh machine, which has the store and nothing else."""
    planned = [run.run_id for run in listed_runs(listed)]
    assert len(planned) == 5
    with monkeypatch.context() as patch:
        short(patch, 2)
        first = run_increment(listed, store, 60, workers=0)
    assert (first.before, first.after, first.planned) == (0, 2, 5)
    before = read_records(store, listed)
    assert [row["run_id"] for row in before] == planned[:2]
    shutil.rmtree(work_folder(store))
    second = run_increment(listed, store, 60, workers=0)
    assert (second.before, second.after) == (2, 5)
    rows = read_records(store, listed)
    assert [row["run_id"] for row in rows] == planned
    kept = [{k: v for k, v in row.items() if k != "machine_factor"} for row in rows[:2]]
    assert kept == [{k: v for k, v in row.items() if k != "machine_factor"} for row in before]
    assert run_increment(listed, store, 60, workers=0).after == 5  # nothing is left: no error


def test_workers_keep_to_the_budget_too(listed: Spec, store: Path) -> None:
    assert run_increment(listed, store, 60, workers=1).after == 5


def test_a_run_that_was_cut_off_goes_on_in_the_next_call(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sweeps.run_loop as work

    epochs: list[int] = []
    real = work.RunLock.reset_deaths

    def counted(self: Any) -> None:
        real(self)
        epochs.append(1)

    monkeypatch.setattr(work.RunLock, "reset_deaths", counted)
    with monkeypatch.context() as patch:
        patch.setattr(work.RunLimits, "over", property(lambda _: bool(epochs)))
        with pytest.raises(
            SweepError,
            match=r"ended before any run did; the next call continues",
        ):
            run_increment(listed, store, 60, workers=0)
    assert len(epochs) == 1
    assert not store.exists()
    run_increment(listed, store, 60, workers=0)
    assert len(epochs) == sum(run.config["OPTIM.MAX_EPOCH"] for run in listed_runs(listed))


def test_a_budget_of_nothing_says_so_and_leaves_the_store(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        short(patch, 1)
        run_increment(listed, store, 60, workers=0)
    content = store.read_bytes()
    with pytest.raises(SweepError, match=r"of 0 s ended before any run did; none had finished an"):
        run_increment(listed, store, 0, workers=0)
    assert store.read_bytes() == content


@pytest.mark.parametrize("budget_s", [-1.0, float("nan"), "60"])
def test_a_budget_is_seconds_from_zero(listed: Spec, store: Path, budget_s: Any) -> None:
    with pytest.raises(SweepError, match="allowed are seconds from 0"):
        run_increment(listed, store, budget_s, workers=0)


def test_what_is_finished_needs_no_images(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sweeps.launch as launching

    run_increment(listed, store, 60, workers=0)
    monkeypatch.delattr(launching, "preflight")
    made = run_increment(listed, store, 60, workers=0)
    assert (made.before, made.after) == (5, 5)
    store.unlink()
    run_increment(listed, store, 60, workers=0)
    assert len(read_records(store, listed)) == 5


def test_more_configurations_than_the_space_has_are_refused(tiny: dict[str, Any]) -> None:
    for name, value in (("DEPTH", 2), ("W0", 8), ("WA", 4.0), ("WM", 1.5)):
        tiny["parameters"][f"REGNET.{name}"] = {"type": "choice", "choices": [value]}
    with pytest.raises(SpecError, match="sweep: configs, which is not given, is 1,000: space tiny"):
        listed_runs(spec_from_dict(tiny))
    with pytest.raises(SpecError, match="sweep: configs is 900: space tiny has fewer"):
        listed_runs(spec_from_dict(tiny | {"sweep": {"configs": 900}}))


def test_the_list_may_grow(listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_runs(listed, store, monkeypatch)
    more = spec_from_dict(dict(listed.source) | {"sweep": {"configs": 5, "repeat_every": 3}})
    made = run_increment(more, store, 60, workers=0)
    assert (made.before, made.after, made.planned) == (2, 8, 8)
    assert [row["run_id"] for row in read_records(store, more)] == [
        r.run_id for r in listed_runs(more)
    ]
    with pytest.raises(SweepError, match="has runs of another spec or list"):
        run_increment(listed, store, 60, workers=0)


def test_the_store_of_another_sweep_is_refused_and_kept(
    listed: Spec, tiny: dict, store: Path
) -> None:
    other = spec_from_dict(tiny | {"sweep": {"configs": 2, "seed": 5, "repeat_every": 0}})
    run_increment(other, store, 60, workers=0)
    content = store.read_bytes()
    with pytest.raises(SweepError, match=r"\.sweep has runs of another spec or list"):
        run_increment(listed, store, 60, workers=0)
    shutil.rmtree(work_folder(store))
    with pytest.raises(SweepError, match="it belongs to another sweep"):
        run_increment(listed, store, 60, workers=0)
    assert store.read_bytes() == content


def test_what_a_killed_call_left_uncollected_comes_into_the_store(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_runs(listed, store, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("sweeps.collect.write_records", lambda *_: None)  # killed before writing
        run_increment(listed, store, 60, workers=0)
    assert len(read_records(store, listed)) == 2
    made = run_increment(listed, store, 60, workers=0)
    assert (made.before, made.after) == (2, 5)
    assert len(read_records(store, listed)) == 5


def test_runs_of_two_recipes_do_not_mix(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_runs(listed, store, monkeypatch)
    shutil.rmtree(work_folder(store))
    content = store.read_bytes()
    training = dict(listed.source["training"]) | {"weight_decay": 0.1}
    other = spec_from_dict(dict(listed.source) | {"training": training})
    with pytest.raises(SweepError, match="was made with other settings"):
        run_increment(other, store, 60, workers=0)
    assert store.read_bytes() == content
    assert run_increment(listed, store, 60, workers=0).after == 5


def test_a_call_that_failed_does_not_stand_in_the_way_of_the_right_one(
    listed: Spec, tiny: dict[str, Any], store: Path
) -> None:
    wrong = tiny["data"] | {"train": 10_000_000}
    with pytest.raises(DataError, match="images are requested"):
        run_increment(spec_from_dict(dict(listed.source) | {"data": wrong}), store, 60, workers=0)
    assert run_increment(listed, store, 60, workers=0).after == 5


def test_failed_runs_stay_failed_unless_they_are_to_be_made_again(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import regnet_hpo.train as training

    def broken(*_: Any, **__: Any) -> None:
        raise MeterError(f"the driver is gone, {time.monotonic_ns()}")

    with monkeypatch.context() as patch:
        short(patch, 2)
        patch.setattr(training, "train", broken)
        run_increment(listed, store, 60, workers=0)
    assert [row["status"] for row in read_records(store, listed)] == ["failed"] * 2
    run_increment(listed, store, 60, workers=0)
    found = Counter(row["status"] for row in read_records(store, listed))
    assert found == {"failed": 2, "ok": 4}  # an anchor too, in place of the one that failed
    run_increment(listed, store, 60, workers=0, retry_failed=True)
    assert [row["status"] for row in read_records(store, listed)] == ["ok"] * 6


def test_failed_runs_that_were_not_made_again_keep_their_rows(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_increment(listed, store, 60, workers=0)
    shutil.rmtree(work_folder(store))
    rows = [{**row, "status": "failed", "reason": "x"} for row in read_records(store, listed)]
    write_records(store, rows, listed)
    with monkeypatch.context() as patch:
        short(patch, 1)
        made = run_increment(listed, store, 60, workers=0, retry_failed=True)
    assert (made.before, made.made, made.after) == (5, 1, 5)
    found = Counter(row["status"] for row in read_records(store, listed))
    assert found == {"ok": 1, "failed": 4}


def another_machine(store: Path, spec: Spec, **changed: Any) -> None:
    """Let the store have been made by another machine, and its folder be elsewhere."""
    rows = [{**row, "machine": "a" * 12, **changed} for row in read_records(store, spec)]
    write_records(store, rows, spec)
    shutil.rmtree(work_folder(store))


def test_the_store_comes_before_an_older_record_in_the_folder(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed run was made again elsewhere, and the store came back."""
    two_runs(listed, store, monkeypatch)
    path = work_folder(store) / DONE / f"{listed_runs(listed)[1].run_id}.json"
    row = json.loads(path.read_text())
    path.write_text(json.dumps(row | {"status": "failed", "reason": "x"}))
    run_increment(listed, store, 60, workers=0)
    rows = read_records(store, listed)
    assert [row["status"] for row in rows] == ["ok"] * 5


def test_a_run_that_was_made_again_comes_into_the_store_whatever_happens(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_increment(listed, store, 60, workers=0)
    rows = read_records(store, listed)
    lost = [rows[0], rows[1] | {"status": "failed", "reason": "x"}, *rows[2:]]
    write_records(store, lost, listed)  # its process was killed after the run, before collecting
    made = run_increment(listed, store, 60, workers=0)
    assert (made.made, made.after) == (1, 5)
    assert [row["status"] for row in read_records(store, listed)] == ["ok"] * 5


def test_an_increment_of_a_further_anchor_alone_is_no_failure(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_runs(listed, store, monkeypatch)
    another_machine(store, listed)
    with monkeypatch.context() as patch:
        short(patch, 1)
        made = run_increment(listed, store, 60, workers=0)
    assert (made.made, made.after) == (0, 2)
    assert len(read_records(store, listed)) == 3


def test_an_anchor_that_a_machine_lacks_is_made_although_all_runs_are(
    listed: Spec, store: Path
) -> None:
    run_increment(listed, store, 60, workers=0)
    rows = read_records(store, listed)
    write_records(store, [rows[0] | {"machine": "a" * 12}, *rows[1:]], listed)
    made = run_increment(listed, store, 60, workers=0)
    assert made.unrelated == {}
    assert len(read_records(store, listed)) == 6
    assert run_increment(listed, store, 60, workers=0).made == 0


def test_a_plan_that_stands_is_not_written_again(listed: Spec, store: Path) -> None:
    run_increment(listed, store, 60, workers=0)
    paths = [work_folder(store) / name for name in (PLAN_FILE, SPEC_FILE)]
    before = [path.stat().st_ino for path in paths]
    run_increment(listed, store, 60, workers=0)
    assert [path.stat().st_ino for path in paths] == before


def test_a_further_anchor_is_no_planned_run(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_runs(listed, store, monkeypatch)
    another_machine(store, listed)
    made = run_increment(listed, store, 60, workers=0)
    assert (made.before, made.made, made.after, made.planned) == (2, 3, 5, 5)
    rows = read_records(store, listed)
    assert len(rows) == 6
    assert made.unrelated == {}
    another_machine(store, listed)
    write_records(store, [row for row in rows if row["run_id"] != "c00002-s0"], listed)
    with pytest.raises(SweepError, match="none had finished an epoch"):
        run_increment(listed, store, 0, workers=0)


def test_a_machine_without_an_anchor_does_not_stop_the_store(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its anchor failed, or was cut off; the records are worth more than the factor."""
    two_runs(listed, store, monkeypatch)
    rows = read_records(store, listed)
    write_records(store, [row | {"role": "main"} for row in rows[1:]], listed)
    another_machine(store, listed)
    with monkeypatch.context() as patch:
        short(patch, 2)
        made = run_increment(listed, store, 60, workers=0)
    assert made.unrelated == {"a" * 12: 1}
    assert len(read_records(store, listed)) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data_fingerprint": "0" * 12}, "trained on other images .*digits, 000000000000"),
        ({"energy_source": "nvml_counter"}, "energies from nvml_counter.* here is estimated"),
        ({"energy_source": "rapl"}, "energies from rapl.* source here is estimated"),
    ],
)
def test_what_cannot_be_compared_does_not_come_into_one_store(
    listed: Spec,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    message: str,
) -> None:
    two_runs(listed, store, monkeypatch)
    another_machine(store, listed, **changed)
    content = store.read_bytes()
    with pytest.raises(SweepError, match=message):
        run_increment(listed, store, 60, workers=0)
    assert store.read_bytes() == content


def test_what_was_finished_before_a_failure_is_in_the_store(
    listed: Spec, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is taken away in the middle of a call."""
    import sweeps.run_loop as work

    real = work.write_json

    def last_one(path: Path, record: Any) -> None:
        real(path, record)
        if len(list(path.parent.iterdir())) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(work, "write_json", last_one)
    with pytest.raises(KeyboardInterrupt):
        run_increment(listed, store, 60, workers=0)
    assert len(read_records(store, listed)) == 3


def test_the_list_of_a_spec_that_ships() -> None:
    from sweeps.specs import load_spec

    runs = listed_runs(load_spec("regnet-cifar10-16px"))
    mains = sum(run.role == "main" for run in runs)
    assert mains == 3000
    assert sum(run.role == "repeat" for run in runs) == mains // 10
    assert incremental.SweepSettings().repeat_every == 10

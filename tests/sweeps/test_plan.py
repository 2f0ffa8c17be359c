"""The first stage: a fixed, seeded list of runs, and what is refused when it is read again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas.errors import SpecError, SweepError
from eahas.spec.spec import Spec, spec_from_dict
from sweeps.plan import (
    PLAN_FILE,
    SPEC_FILE,
    load_plan,
    plan_all,
    plan_runs,
    require_planned,
    sample,
)
from sweeps.specs import load_spec


def test_a_plan_is_its_seed(spec: Spec) -> None:
    assert plan_runs(spec, 20) == plan_runs(spec, 20, seed=0) != plan_runs(spec, 20, seed=1)


def test_more_configurations_begin_with_the_same(spec: Spec) -> None:
    few, many = ([run.config for run in plan_runs(spec, n) if run.role == "main"] for n in (10, 30))
    assert many[:10] == few


def test_every_fifteen_configurations_are_split_alike(spec: Spec) -> None:
    mains = [run for run in plan_runs(spec, 45) if run.role == "main"]
    for start in (0, 15, 30):
        split = Counter(run.split for run in mains[start : start + 15])
        assert split == {"train": 9, "valid": 2, "test": 4}


def test_configurations_differ_and_are_canonical(spec: Spec) -> None:
    configs = [run.config for run in plan_runs(spec, 40) if run.role == "main"]
    assert len({json.dumps(c) for c in configs}) == 40
    assert all(spec.space.check(c) == c for c in configs)
    assert all(type(value) in (int, float, str) for c in configs for value in c.values())


def test_repeats_share_configuration_and_side_and_have_further_seeds(spec: Spec) -> None:
    runs = plan_runs(spec, 30, repeats_train=4, repeats_test=2, repeat_seeds=3)
    mains = {run.config_id: run for run in runs if run.role == "main"}
    repeats = [run for run in runs if run.role == "repeat"]
    assert Counter(run.split for run in repeats) == {"train": 12, "test": 6}
    for run in repeats:
        main = mains[run.config_id]
        assert (run.config, run.split) == (main.config, main.split)
    assert Counter(run.seed for run in repeats) == {1: 6, 2: 6, 3: 6}
    assert Counter(run.seed for run in mains.values()) == {0: 30}
    assert len({run.run_id for run in runs}) == len(runs)


def test_repeats_are_spread_over_the_sweep(spec: Spec) -> None:
    roles = [
        run.role for run in plan_runs(spec, 60, repeats_train=20, repeats_test=10) if run.split
    ]
    assert Counter(roles[: len(roles) // 2])["repeat"] == pytest.approx(30, abs=2)


def test_the_anchor_comes_first_and_every_fifty_runs_and_is_one_configuration(
    spec: Spec,
) -> None:
    runs = plan_runs(spec, 110)
    places = [k for k, run in enumerate(runs) if run.role == "anchor"]
    assert places == [0, 51, 102]
    anchors = [runs[k] for k in places]
    assert len({json.dumps([run.config, run.seed, run.config_id]) for run in anchors}) == 1
    assert {run.split for run in anchors} == {""}


def test_a_spec_of_numpy_numbers_gives_the_same_plan(tiny: dict[str, Any], tmp_path: Path) -> None:
    plain = plan_runs(spec_from_dict(tiny), 5)
    rates = tiny["parameters"]["OPTIM.BASE_LR"]
    rates["choices"] = [np.float64(rate) for rate in rates["choices"]]
    tiny["training"]["batch_size"] = np.int64(25)
    assert sample(spec_from_dict(tiny), tmp_path, 5) == plain
    assert load_plan(tmp_path)[1] == plain


@pytest.mark.parametrize(
    "counts",
    [
        {"configs": 0},
        {"configs": 2.5},
        {"configs": True},
        {"configs": 5, "repeats_train": -1},
        {"configs": 5, "repeats_test": "2"},
        {"configs": 5, "repeat_seeds": 0},
    ],
)
def test_counts_are_whole_numbers(spec: Spec, counts: dict[str, Any]) -> None:
    with pytest.raises(SweepError, match="allowed are whole numbers from"):
        plan_runs(spec, **counts)


def test_a_space_has_only_so_many_configurations(tiny: dict[str, Any]) -> None:
    for given in tiny["parameters"].values():
        if given["type"] == "choice":
            given["choices"] = given["choices"][:1]
        else:
            given.update(type="choice", choices=[given["low"]])
            for field in ("low", "high", "log", "quantum", "power_of_two_below"):
                given.pop(field, None)
    tiny["constraints"] = []
    with pytest.raises(SpecError, match="fewer than n=2 different configurations"):
        plan_runs(spec_from_dict(tiny), 2)


# Folders


def test_a_folder_gives_back_what_was_sampled(spec: Spec, tmp_path: Path) -> None:
    runs = sample(spec, tmp_path / "new" / "sweep", 7, seed=3)
    there, planned = load_plan(tmp_path / "new" / "sweep")
    assert planned == runs
    assert there == spec
    assert there.source == spec.source


def test_sampling_the_same_sweep_again_changes_nothing(spec: Spec, tmp_path: Path) -> None:
    runs = sample(spec, tmp_path, 7)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert sample(spec, tmp_path, 7) == runs
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("other", [{"configs": 8}, {"seed": 1}, {"training": {"batch_size": 30}}])
def test_another_sweep_is_not_sampled_over(
    spec: Spec, tiny: dict[str, Any], tmp_path: Path, other: dict[str, Any]
) -> None:
    sample(spec, tmp_path, 7)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    tiny["training"] |= other.pop("training", {})
    with pytest.raises(SweepError, match="already contains another sweep"):
        sample(spec_from_dict(tiny), tmp_path, **{"configs": 7} | other)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_is_no_sweep_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match=r"spec\.json is missing; create one with: eahas sweep"):
        load_plan(tmp_path)


def change_line(**changed: Any) -> Any:
    def change(text: str) -> str:
        first, *rest = text.splitlines()
        return "\n".join([json.dumps(json.loads(first) | changed), *rest])

    return change


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        (SPEC_FILE, lambda text: text[:40], "spec.json is damaged"),
        (SPEC_FILE, lambda text: "[]", "spec.json is damaged: a spec is a mapping"),
        (PLAN_FILE, lambda text: "", "plan.jsonl is empty"),
        (PLAN_FILE, lambda text: text[:-20], "plan.jsonl, line 4"),
        (PLAN_FILE, lambda text: text + "[1]", "plan.jsonl, line 5"),
        (PLAN_FILE, lambda text: text + text, "a run_id occurs twice"),
        (PLAN_FILE, lambda text: "\udcff".join(text[:9]), "plan.jsonl, line 1"),
        (PLAN_FILE, change_line(run_id="../x"), "line 1: run_id: letters, digits"),
        (PLAN_FILE, change_line(seed=-1), "seed is a whole number from 0, got -1"),
        (PLAN_FILE, change_line(colour="red"), "plan.jsonl, line 1"),
        (PLAN_FILE, change_line(config={}), "plan.jsonl, line 1: "),
    ],
)
def test_a_damaged_folder_is_refused_by_file(
    folder: Path, file: str, damage: Any, message: str
) -> None:
    text = damage((folder / file).read_text(encoding="utf-8"))
    (folder / file).write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(SweepError) as raised:
        load_plan(folder)
    assert message in str(raised.value)


def test_a_record_must_be_the_planned_runs(spec: Spec) -> None:
    run = plan_runs(spec, 1)[1]
    row = {"run_id": run.run_id, "config_id": "c00000", "seed": 0, "role": "main", "split": "test"}
    require_planned(run, row | dict(run.config), "here")
    for changed in ({"seed": 1}, {"OPTIM.MAX_EPOCH": 9}, {"split": None}, {"role": "repeat"}):
        with pytest.raises(SweepError, match=r"here: c00000-s0 has .* another sweep"):
            require_planned(run, row | dict(run.config) | changed, "here")


def test_a_plan_of_all_has_every_configuration_with_every_seed(spec: Spec) -> None:
    small = spec_from_dict(
        {
            **spec.source,
            "parameters": {
                name: {
                    "type": "choice",
                    "choices": [given["choices"][0] if "choices" in given else given["low"]],
                }
                for name, given in spec.source["parameters"].items()
            }
            | {"OPTIM.BASE_LR": {"type": "choice", "choices": [0.01, 0.1, 0.5]}},
            "constraints": [],
        }
    )
    runs = [run for run in plan_all(small, repeat_seeds=2) if run.role != "anchor"]
    assert len(runs) == 3 * 3
    assert Counter(run.seed for run in runs) == {0: 3, 1: 3, 2: 3}
    assert {run.config["OPTIM.BASE_LR"] for run in runs} == {0.01, 0.1, 0.5}
    assert {run.split for run in runs} == {"test"}
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    assert plan_all(small) == plan_all(small, seed=0)
    orders = {tuple(r.config["OPTIM.BASE_LR"] for r in plan_all(small, seed=s)) for s in range(9)}
    assert len(orders) > 1


def test_a_space_too_large_is_not_planned_whole(spec: Spec) -> None:
    with pytest.raises(SpecError, match="at most 1,000,000 can be listed"):
        plan_all(load_spec("regnet-digits"))

from __future__ import annotations

import numpy as np
import pytest

from eahas.errors import FitError
from surrogates.data.dataset import controls_from_records, runs_from_records, split_of, unvaried


def test_arrays_have_the_documented_shapes(runs) -> None:
    n = len(runs)
    assert n == 300
    assert runs.x.shape == (n, len(runs.features.names))
    assert runs.curves.shape == (n, 2, 12)
    assert runs.scalars.shape == (n, 2)
    short = runs.epochs == 4
    assert np.isnan(runs.curves[short][:, :, 4:]).all()
    assert np.isfinite(runs.curves[short][:, :, :4]).all()


def test_anchors_and_failed_runs_are_left_out(spec, rows) -> None:
    changed = [dict(row) for row in rows[:10]]
    changed[0]["role"] = "anchor"
    changed[1] |= {"status": "failed", "epochs": 0}
    assert len(runs_from_records(changed, spec)) == 8


def test_controls_stand_aside_by_themselves(spec, rows) -> None:
    assert controls_from_records(rows, spec) is None
    changed = [dict(row) for row in rows]
    changed[0]["role"], changed[1]["role"], changed[2]["role"] = "anchor", "control", "control"
    changed[2]["status"] = "failed"
    controls = controls_from_records(changed, spec)
    assert controls is not None and len(controls) == 1
    assert controls.config_id.tolist() == [rows[1]["config_id"]]


def test_a_parameter_that_never_varies_is_told(runs) -> None:
    assert unvaried(runs) == []
    some = runs.where(runs.columns()["kind"] == "x")
    assert unvaried(some) == [
        "kind is x in all runs, but the spec allows one of 'x', 'y': predictions for other values "
        "are not supported by data"
    ]


def test_nothing_to_learn_from_is_an_error(spec, rows) -> None:
    with pytest.raises(FitError, match="none of the 1 records"):
        runs_from_records([{**rows[0], "status": "failed"}], spec)


def test_a_diverged_run_stands_at_chance_and_has_no_cost(regnet_rows, regnet_spec) -> None:
    runs = runs_from_records(regnet_rows, regnet_spec)
    valid = [t.name for t in regnet_spec.curves].index("valid")
    assert runs.curves[1, valid, 0] == 55.0
    assert (runs.curves[1, valid, 1:10] == 10.0).all()
    assert np.isnan(runs.scalars[1]).all()
    assert np.isfinite(runs.scalars[0]).all()


def test_times_of_another_machine_are_divided_by_its_factor(spec, rows) -> None:
    slow = {**rows[0], "machine_factor": 2.0}
    a, b = (runs_from_records([row], spec).scalars[0, 0] for row in (rows[0], slow))
    assert b == pytest.approx(a / 2)


def test_runs_of_one_configuration_weigh_as_one(runs) -> None:
    assert runs.weight.sum() == pytest.approx(100)
    assert len(runs.first_seeds()) == 100
    assert set(runs.first_seeds().seed) == {0}


def test_a_split_by_name_is_stable_and_has_all_sides() -> None:
    sides = [split_of(f"c{i}") for i in range(2000)]
    assert sides == [split_of(f"c{i}") for i in range(2000)]
    shares = {side: sides.count(side) / 2000 for side in set(sides)}
    assert shares == pytest.approx({"train": 0.6, "valid": 0.15, "test": 0.25}, abs=0.04)


@pytest.fixture
def regnet_spec():
    from sweeps.specs import load_spec

    return load_spec("regnet-digits")


@pytest.fixture
def regnet_rows(regnet_spec):
    rows = []
    for i, nested in enumerate(regnet_spec.space.sample(2, seed=0)):
        nested["OPTIM"]["MAX_EPOCH"] = 10
        rows.append(
            {
                "run_id": f"r{i}",
                "config_id": f"r{i}",
                "space": regnet_spec.name,
                "space_version": regnet_spec.version,
                "seed": 0,
                "status": "ok",
                "epochs": 10,
                **{t.name: [55.0] * 10 for t in regnet_spec.curves},
                **{t.name: 1.0 for t in regnet_spec.scalars},
                **regnet_spec.space.check(nested),
            }
        )
    rows[1] |= {"status": "diverged", "epochs": 1, "reason": "loss is nan in epoch 2"}
    for target in regnet_spec.curves:
        rows[1][target.name] = [55.0]
    return rows


def test_measured_joules_are_divided_by_no_factor(spec, rows) -> None:
    """A machine that is twice as slow does not draw twice as much."""
    for source, share in (("estimated", 0.5), ("nvml_counter", 1.0), ("rapl", 1.0)):
        slow = {**rows[0], "machine_factor": 2.0, "energy_source": source}
        (found,) = runs_from_records([slow], spec).scalars
        assert found[0] == pytest.approx(rows[0]["runtime_s"] / 2)
        assert found[1] == pytest.approx(rows[0]["test_energy_j"] * share)


def test_a_loss_is_not_known_after_a_run_diverged(regnet_rows, regnet_spec) -> None:
    from eahas.spec.spec import spec_from_dict

    source = {**regnet_spec.source}
    described = {"train": None, "valid": None, "test": {"unit": "nat", "direction": "minimize"}}
    source["targets"] = {**source["targets"], "curves": described}
    runs = runs_from_records(regnet_rows, spec_from_dict(source))
    assert (runs.curves[1, 1, 1:10] == 10.0).all()
    assert np.isnan(runs.curves[1, 2, 1:10]).all()


def test_what_was_reported_has_the_unit_and_the_factor_of_its_target(spec, rows) -> None:
    row = {**rows[0], "runtime_s_std": 0.5, "test_energy_j_std": 0.25, "machine_factor": 2.0}
    for source, energy in (("estimated", 0.125), ("rapl", 0.25)):
        (found,) = runs_from_records([{**row, "energy_source": source}], spec).spreads
        assert found.tolist() == [0.25, energy]
    assert np.isnan(runs_from_records([rows[0]], spec).spreads).all()


def test_runs_with_some_scalars_alone_are_otherwise_the_same(runs) -> None:
    some = runs.only(["test_energy_j"])
    assert [t.name for t in some.spec.targets] == ["test_energy_j"]
    np.testing.assert_array_equal(some.scalars[:, 0], runs.scalars[:, 1])
    assert some.spreads.shape == (len(runs), 1)
    assert some.curves.shape == (len(runs), 0, 12)
    np.testing.assert_array_equal(some.x, runs.x)


def test_runs_by_their_places(runs) -> None:
    some = runs.where_rows(np.array([7, 3]))
    assert some.config_id.tolist() == runs.config_id[[3, 7]].tolist()
    valid, time = runs.spec.curves[0], runs.spec.scalars[0]
    np.testing.assert_array_equal(some.values_of(valid), runs.curves[[3, 7], 0])
    np.testing.assert_array_equal(some.values_of(time), runs.scalars[[3, 7], 0])

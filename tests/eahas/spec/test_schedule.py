"""Schedules: at which epochs a curve has values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eahas.errors import SpecError
from eahas.spec.schedule import EVERY_EPOCH, Schedule, schedule_from_json
from eahas.spec.spec import spec_from_dict
from eahas.spec.targets import KNOWN_TARGETS, curve_groups, main_curve

FORMS: list[tuple[Any, int, list[int]]] = [
    (None, 4, [1, 2, 3, 4]),
    ([0, 2, 4, 8], 8, [0, 2, 4, 8]),
    ([0, 2, 4, 8], 5, [0, 2, 4]),
    ({"every": 5}, 12, [5, 10]),
    ({"every": 5, "last": True}, 12, [5, 10, 12]),
    ({"every": 5, "last": True}, 10, [5, 10]),
    ({"every": 5, "last": True}, 3, [3]),
    ({"every": 5, "start": 0}, 11, [0, 5, 10]),
    ({"every": 3, "start": 1}, 8, [1, 4, 7]),
    ({"at": [0, 2], "last": True}, 7, [0, 2, 7]),
    ({"at": [0, 2], "last": True}, 2, [0, 2]),
]


@pytest.mark.parametrize(("given", "length", "epochs"), FORMS)
def test_the_epochs_of_a_run(given: Any, length: int, epochs: list[int]) -> None:
    schedule = schedule_from_json("epochs", given)
    assert schedule.epochs_of(length).tolist() == epochs
    assert schedule.counts(length) == len(epochs)
    assert [schedule.epoch_at(k, length) for k in range(len(epochs))] == epochs
    assert [e for e in range(length + 1) if schedule.includes(e, length)] == epochs
    for at in range(length + 1):
        assert schedule.reached(at, length) == sum(epoch <= at for epoch in epochs)


@pytest.mark.parametrize("given", [given for given, *_ in FORMS])
def test_many_lengths_are_counted_at_once(given: Any) -> None:
    schedule = schedule_from_json("epochs", given)
    lengths = np.arange(1, 40)
    assert schedule.counts(lengths).tolist() == [len(schedule.epochs_of(n)) for n in lengths]
    at = np.minimum(lengths, 9)
    expected = [int((schedule.epochs_of(n) <= a).sum()) for a, n in zip(at, lengths, strict=True)]
    assert schedule.reached(at, lengths).tolist() == expected


@pytest.mark.parametrize("given", [given for given, *_ in FORMS])
def test_a_schedule_survives_json(given: Any) -> None:
    schedule = schedule_from_json("epochs", given)
    assert schedule_from_json("epochs", schedule.to_json()) == schedule
    assert str(schedule)


def test_the_default_is_every_epoch_however_it_is_written() -> None:
    assert schedule_from_json("epochs", {"every": 1}) == EVERY_EPOCH == Schedule()
    assert schedule_from_json("epochs", [1, 2]) != EVERY_EPOCH


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (5, "epochs: a list of epochs, {at: [...]} or {every: k} is needed, got 5"),
        ({}, "is needed, got {}"),
        ({"at": [1], "every": 2}, "is needed, got"),
        ([], "a list of one or more epochs, got []"),
        ([0, 2, 2], "the epochs of a list must rise, got [0, 2, 2]"),
        ([-1, 2], "an epoch is a whole number in 0..1000000000, got -1"),
        ([0.5], "an epoch is a whole number in 0..1000000000, got 0.5"),
        ({"every": 0}, "every is a whole number in 1..1000000000, got 0"),
        ({"every": 2, "start": -1}, "start is a whole number in 0..1000000000, got -1"),
        ({"every": 2, "last": 1}, "last is true or false, got 1"),
        ({"at": [1], "start": 0}, "field 'start' is unknown; allowed: at, last"),
    ],
)
def test_malformed_schedules(given: Any, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        schedule_from_json("epochs", given)
    assert says in str(caught.value)


def source(curves: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "parameters": {
            "a": {"type": "float", "low": 0.0, "high": 1.0},
            "max_epoch": {"type": "choice", "choices": [4, 10]},
        },
        "fidelity": "max_epoch",
        "targets": {"curves": curves, "scalars": ["runtime_s"]},
        **more,
    }


def test_a_known_curve_takes_a_schedule_and_stays_what_it_is() -> None:
    spec = spec_from_dict(source({"valid": {"epochs": [0, 4]}}))
    (curve,) = spec.curves
    assert (curve.unit, curve.direction) == ("percent", "maximize")
    assert curve.schedule == Schedule(listed=(0, 4))
    assert KNOWN_TARGETS["valid"].schedule == EVERY_EPOCH


def test_curves_of_one_schedule_go_together_that_of_the_learning_curve_first() -> None:
    every = {"unit": "s", "cumulative": True}
    spec = spec_from_dict(
        source(
            {
                "elapsed_s": every | {"total": "runtime_s"},
                "loss": {"unit": "nats", "epochs": {"every": 2}},
                "valid": {"epochs": {"every": 2}},
                "test": None,
            }
        )
    )
    groups = [[curve.name for curve in group] for group in curve_groups(spec.curves)]
    assert groups == [["loss", "valid"], ["elapsed_s"], ["test"]]
    assert spec.main_curve is not None
    assert spec.main_curve.name == "valid"
    assert main_curve(spec.curves[:2]) == spec.curves[1]  # not what is cumulative


@pytest.mark.parametrize(
    ("curve", "says"),
    [
        ({"epochs": [5]}, "it has no value in a run of 4 epochs; it has values at epochs 5"),
        ({"epochs": {"every": 5}}, "it has no value in a run of 4 epochs"),
        ({"total": "runtime_s"}, "only a cumulative curve has a total; add cumulative: true"),
        ({"cumulative": True, "low": 1}, "a cumulative curve has low: 0 and no high"),
        ({"cumulative": True, "high": 9}, "a cumulative curve has low: 0 and no high"),
        ({"cumulative": True, "total": "runtime"}, "did you mean 'runtime_s'?"),
        ({"cumulative": True, "total": "runtime_s"}, "runtime_s needs the unit '', low: 0"),
        (
            {"cumulative": True, "total": "runtime_s", "unit": "s", "epochs": {"every": 4}},
            "it has values at every 4 epochs from 4, so it does not always end at its total",
        ),
    ],
)
def test_curves_that_do_not_fit_their_runs(curve: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_dict(source({"c": curve}))
    assert says in str(caught.value)


def test_a_total_is_met_where_the_last_epoch_is_scheduled() -> None:
    curve = {"cumulative": True, "total": "runtime_s", "unit": "s"}
    for epochs in (None, {"every": 2}, {"every": 4, "last": True}, {"at": [0], "last": True}):
        spec = spec_from_dict(source({"c": curve | {"epochs": epochs}}))
        assert spec.curves[0].total == "runtime_s"
        assert spec.curves[0].low == 0.0


def test_a_saved_target_may_bear_the_name_of_a_newer_attribute() -> None:
    names = {"epochs_of": {"unit": "s"}, "fidelities": {"unit": "s"}}
    spec = spec_from_dict(source({"valid": None}) | {"targets": {"scalars": names}})
    assert [target.name for target in spec.scalars] == ["epochs_of", "fidelities"]

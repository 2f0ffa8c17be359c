"""Regressors put together, and kernel machines; through a checkpoint's arrays and back."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.errors import CheckpointError
from eahas.models.regressors import (
    Joined,
    KernelMachine,
    MlpEnsemble,
    Pooled,
    joined,
    pooled,
    regressor_from_tensors,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))


def network(members: int, outputs: int, inputs: int = 3) -> MlpEnsemble:
    return MlpEnsemble(
        (RNG.normal(size=(members, inputs, outputs)).astype(np.float32),),
        (RNG.normal(size=(members, outputs)).astype(np.float32),),
    )


def machine(outputs: int = 2) -> KernelMachine:
    return KernelMachine(
        center=RNG.normal(size=3),
        rate=np.array([0.5, 1.0, 2.0]),
        support=RNG.normal(size=(7, 3)),
        coefficient=RNG.normal(size=(7, outputs)),
        intercept=RNG.normal(size=outputs),
    )


def test_a_kernel_machine_is_its_definition() -> None:
    kernel = machine()
    for row, found in zip(X, kernel.many(X)[0], strict=True):
        z = (row - kernel.center) * kernel.rate
        near = np.exp(-((z - kernel.support) ** 2).sum(axis=1))
        np.testing.assert_allclose(found, near @ kernel.coefficient + kernel.intercept)
        np.testing.assert_allclose(kernel.one(row), found[None])


def test_joined_outputs_stand_side_by_side() -> None:
    parts = (network(4, 2), machine(3))
    both = Joined(parts)
    assert (both.members, both.inputs, both.outputs) == (4, 3, 5)
    found = both.many(X)
    assert found.shape == (4, 40, 5)
    np.testing.assert_allclose(found[..., :2], parts[0].many(X))
    for member in range(4):  # one machine serves every member
        np.testing.assert_allclose(found[member, :, 2:], parts[1].many(X)[0])
    np.testing.assert_allclose(both.one(X[3]), found[:, 3], rtol=1e-5)


def test_pooled_members_stand_together() -> None:
    parts = (network(2, 3), network(3, 3))
    both = Pooled(parts)
    assert (both.members, both.inputs, both.outputs) == (5, 3, 3)
    np.testing.assert_array_equal(both.many(X)[:2], parts[0].many(X))
    np.testing.assert_array_equal(both.many(X)[2:], parts[1].many(X))
    np.testing.assert_allclose(both.one(X[3]), both.many(X)[:, 3], rtol=1e-5)


def test_nested_regressors_come_back_from_their_arrays() -> None:
    whole = Joined((Pooled((network(2, 3), machine(3))), network(3, 1)))
    back = regressor_from_tensors(whole.described(), whole.tensors())
    np.testing.assert_array_equal(back.many(X), whole.many(X))
    assert back.described() == whole.described()


@pytest.mark.parametrize(
    ("put", "parts", "why"),
    [
        (joined, (network(2, 1), network(3, 1)), "2, 3 members; allowed: 1 or 3"),
        (pooled, (network(2, 1), network(2, 2)), "1, 2 outputs; allowed: the same number"),
        (joined, (network(2, 1), network(2, 1, inputs=4)), "3, 4 inputs; allowed: the same"),
        (pooled, (network(2, 1), network(2, 1, inputs=4)), "3, 4 inputs; allowed: the same"),
    ],
)
def test_parts_that_do_not_fit_are_refused(put, parts, why) -> None:
    with pytest.raises(CheckpointError, match=f"the parts of the regressor have {why}"):
        put(parts)


@pytest.mark.parametrize(
    ("described", "why"),
    [
        (None, "describes no regressor: None"),
        ({}, "regressor None is unknown; allowed: mlp, trees, kernel, joined, pooled"),
        ({"kind": "oracle"}, "regressor 'oracle' is unknown"),
        ({"kind": "joined"}, "the parts of a joined regressor are None; allowed: a list"),
        ({"kind": "pooled", "parts": []}, r"the parts of a pooled regressor are \[\]"),
        ({"kind": []}, r"regressor \[\] is unknown"),
        ("mlp", "describes no regressor: 'mlp'"),
        (5, "describes no regressor: 5"),
    ],
)
def test_a_description_of_nothing_is_refused(described, why) -> None:
    with pytest.raises(CheckpointError, match=why):
        regressor_from_tensors(described, network(2, 1).tensors())


def test_regressors_inside_regressors_have_an_end() -> None:
    described: dict[str, object] = {"kind": "mlp"}
    for _ in range(50):
        described = {"kind": "pooled", "parts": [described]}
    with pytest.raises(CheckpointError, match=r"belongs to no part"):
        regressor_from_tensors(described, network(2, 1).tensors())
    arrays = {f"{'0.' * 50}{name}": array for name, array in network(2, 1).tensors().items()}
    with pytest.raises(CheckpointError, match="at most 4 deep"):
        regressor_from_tensors(described, arrays)


def test_an_array_of_no_part_is_refused() -> None:
    whole = Pooled((network(2, 1), network(2, 1)))
    for name in ("2.weight.0", "weight.0", "x.y"):
        with pytest.raises(CheckpointError, match=f"'{name}' belongs to no part"):
            regressor_from_tensors(
                whole.described(), whole.tensors() | {name: np.zeros(1, np.float32)}
            )


@pytest.mark.parametrize(
    ("name", "array", "why"),
    [
        ("rate", np.ones(2), r"has shape \(2,\); allowed: \(inputs = 3\)"),
        ("support", np.ones((7, 2)), r"has shape .* \(vectors from 1, inputs = 3\)"),
        ("support", np.full((7, 3), np.inf), r"holds inf at index \[0, 0\]"),
        ("support", np.full((7, 3), np.nan), "holds nan"),
        ("support", np.full((7, 3), -1e31), r"holds -1e\+31 .* in -1e\+30..1e\+30"),
        ("support", np.ones((7, 3), np.float32), "has type float32; allowed: float64"),
        ("coefficient", np.ones(7), r"has shape .* \(vectors = 7, outputs from 1\)"),
        ("coefficient", np.ones((6, 2)), r"has shape .* \(vectors = 7, outputs from 1\)"),
        ("intercept", np.zeros(0), r"has shape \(0,\); allowed: \(outputs = 2\)"),
        ("more", np.zeros(1), "is unknown; allowed: center, rate, support"),
    ],
)
def test_arrays_that_are_no_machine_are_refused(name, array, why) -> None:
    with pytest.raises(CheckpointError, match=f"array '{name}' {why}"):
        regressor_from_tensors({"kind": "kernel"}, machine().tensors() | {name: array})


def test_an_array_of_a_part_is_named_as_in_the_file() -> None:
    whole = Joined((Pooled((network(2, 3), machine(3))), network(3, 1)))
    arrays = whole.tensors() | {"0.1.rate": np.ones(2)}
    with pytest.raises(CheckpointError, match=r"array '0.1.rate' has shape \(2,\)"):
        regressor_from_tensors(whole.described(), arrays)

"""Networks as arrays: one row, many rows and the definition agree; what cannot work is refused."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from eahas.errors import CheckpointError
from eahas.models.regressors.mlp import MAX_FEATURE, ROW_BLOCK, MlpEnsemble, mlp_from_tensors


def network(*sizes: int, members: int = 3, scale: float = 1.0) -> MlpEnsemble:
    rng = np.random.default_rng(0)
    pairs = list(pairwise(sizes))
    weights = [rng.normal(size=(members, i, o)) * scale / i**0.5 for i, o in pairs]
    biases = [rng.normal(size=(members, o)) for _, o in pairs]
    return MlpEnsemble(
        tuple(w.astype(np.float32) for w in weights), tuple(b.astype(np.float32) for b in biases)
    )


def defined(mlp: MlpEnsemble, x: np.ndarray) -> np.ndarray:
    """The same by the definition, in double precision."""
    out = []
    for member in range(mlp.members):
        h = x.astype(float)
        for k, (weight, bias) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
            h = (np.maximum(h, 0.0) if k else h) @ weight[member].astype(float) + bias[member]
        out.append(h)
    return np.array(out)


@pytest.mark.parametrize("sizes", [(4, 2), (4, 16, 2), (4, 16, 8, 1), (1, 1)])
@pytest.mark.parametrize("members", [1, 3])
def test_one_row_many_rows_and_the_definition_agree(sizes, members) -> None:
    mlp = network(*sizes, members=members)
    x = np.random.default_rng(1).normal(size=(2 * ROW_BLOCK + 5, sizes[0])) * 3
    kept = x.copy()
    many = mlp.many(x)
    assert many.shape == (members, len(x), sizes[-1])
    np.testing.assert_allclose(many, defined(mlp, x), rtol=1e-4, atol=1e-5)
    for k in (0, 1, len(x) - 1):
        one = mlp.one(x[k])
        assert one.shape == (members, sizes[-1])
        np.testing.assert_allclose(one, many[:, k], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(x, kept)


def test_tensors_come_back() -> None:
    mlp = network(4, 6, 2)
    back = mlp_from_tensors(mlp.tensors())
    for a, b in zip(mlp.weights + mlp.biases, back.weights + back.biases, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (back.members, back.inputs, back.outputs) == (3, 4, 2)


def changed(**arrays: np.ndarray | None) -> dict[str, np.ndarray]:
    tensors = network(4, 6, 2).tensors()
    named = {name.replace("_", "."): array for name, array in arrays.items()}
    return {k: v for k, v in {**tensors, **named}.items() if v is not None}


ONE = network(4, 6, 2).tensors()


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({}, "'weight.0' is missing; needed: weight.0, bias.0"),
        (changed(weight_1=None), "'bias.1' is unknown"),
        (changed(bias_0=None), "'bias.0' is missing"),
        (changed(weight_7=ONE["weight.1"]), "'weight.2' is missing"),
        (changed(more=ONE["weight.1"]), "'more' is unknown; allowed: weight.0, bias.0, weight.1"),
        (changed(weight_0=ONE["weight.0"][0]), r"'weight.0' has shape \(4, 6\)"),
        (
            changed(weight_0=ONE["weight.0"][:, :, :-1]),
            r"'bias.0' has .*\(members = 3, width 1 = 5",
        ),
        (changed(weight_0=ONE["weight.0"][:2]), r"'bias.0' has .*\(members = 2, width 1 = 6\)"),
        (changed(bias_1=ONE["bias.1"].T), r"'bias.1' has .*\(members = 3, outputs = 2\)"),
        ({name: array[:0] for name, array in ONE.items()}, r"\(members from 1, inputs from 1"),
        (changed(weight_1=ONE["weight.1"][:, :-1]), r"'weight.1' has .*width 1 = 6, outputs from"),
        (
            changed(weight_1=ONE["weight.1"][:2], bias_1=ONE["bias.1"][:2]),
            r"'weight.1' has .*\(members = 3",
        ),
        (changed(weight_0=ONE["weight.0"].astype(np.float64)), "'weight.0' .* allowed: float32"),
        (changed(bias_0=ONE["bias.0"].astype(np.int32)), "'bias.0' .* allowed: float32"),
        (changed(weight_0=ONE["weight.0"] * np.float32("nan")), "'weight.0' holds nan .* finite"),
        (changed(bias_1=ONE["bias.1"] + np.float32("inf")), "'bias.1' holds inf .* finite"),
        (changed(weight_0=np.full_like(ONE["weight.0"], 3e38)), "sums overflow"),
        ({name: array * np.float32(1e17) for name, array in ONE.items()}, "sums overflow"),
    ],
)
def test_arrays_that_do_not_make_networks_are_refused(tensors, why) -> None:
    with pytest.raises(CheckpointError, match=why):
        mlp_from_tensors(tensors)


@pytest.mark.parametrize(
    ("dims", "why"),
    [
        ({"members": 1}, r"'decoder.weight.0' has shape \(3, 4, 6\); allowed: \(members = 1"),
        ({"inputs": 5}, r"'decoder.weight.0' has shape \(3, 4, 6\); .* inputs = 5"),
        ({"outputs": 3}, r"'decoder.weight.1' has shape \(3, 6, 2\); .* outputs = 3"),
    ],
)
def test_sizes_that_are_needed_are_named_with_the_array_in_the_file(dims, why) -> None:
    with pytest.raises(CheckpointError, match=why):
        mlp_from_tensors(ONE, dims=dims, prefix="decoder.")


def test_weights_that_are_let_in_do_not_overflow() -> None:
    """As large as they may be, on inputs as large as they may be, in the worst of directions."""
    scale = 1e17
    while True:
        try:
            ones = {name: np.ones_like(a) * np.float32(scale) for name, a in ONE.items()}
            mlp = mlp_from_tensors(ones)
            break
        except CheckpointError:
            scale /= 2
    x = np.full((3, 4), MAX_FEATURE)
    assert np.isfinite(mlp.one(x[0])).all()
    assert np.isfinite(mlp.many(x)).all()
    assert mlp.one(x[0]).max() > 1e35

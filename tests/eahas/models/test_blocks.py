"""Products in blocks: the numbers of the whole product, and none large enough for BLAS threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from eahas import api
from eahas.models.blocks import (
    MAX_MATRIX_PRODUCT,
    MAX_VECTOR_PRODUCT,
    block_shape,
    product,
    stacked_product,
)
from eahas.space.sampling import sample_columns

SIZES = [(1, 65, 480), (7, 600, 2), (49, 96, 96), (97, 170, 64), (500, 16, 1), (25, 1500, 1)]
SIZES += [(1025, 65, 96), (49, 71, 4100), (3, 16_000, 7), (2001, 1, 257), (97, 300, 301)]


@pytest.fixture
def sizes(monkeypatch) -> Iterator[list[tuple[int, int, int]]]:
    """The (n, K, N) of each product that is handed to BLAS."""
    seen: list[tuple[int, int, int]] = []
    matmul = np.matmul

    def watched(a, b, out=None, **options):
        seen.append((a.shape[-2], a.shape[-1], b.shape[-1]))
        return matmul(a, b, out, **options)

    monkeypatch.setattr(np, "matmul", watched)
    yield seen


def starts_threads(count: int, inner: int, width: int) -> bool:
    if min(count, width) == 1:
        return count * inner * width > MAX_VECTOR_PRODUCT
    return count * inner * width > MAX_MATRIX_PRODUCT


@pytest.mark.parametrize(("count", "inner", "width"), SIZES)
@pytest.mark.parametrize("transposed", [False, True])
def test_blocks_are_the_whole_product_and_small(count, inner, width, transposed, sizes) -> None:
    rng = np.random.default_rng(0)
    rows, matrix = rng.random((count, inner)), rng.random((inner, width))
    if transposed:
        matrix = np.asfortranarray(matrix)
    expected = rows @ matrix
    np.testing.assert_allclose(product(rows, matrix), expected, rtol=1e-12)
    out = np.full((count, width + 3), np.nan)
    product(rows, matrix, out[:, 1 : 1 + width])
    np.testing.assert_allclose(out[:, 1 : 1 + width], expected, rtol=1e-12)
    assert np.isnan(np.delete(out, np.s_[1 : 1 + width], axis=1)).all()
    assert sizes
    assert not any(starts_threads(*size) for size in sizes)


@pytest.mark.parametrize(("count", "inner", "width"), [(11, 6, 200), (11, 6, 9000), (2, 7, 50_000)])
def test_a_stack_of_products_is_that_of_each(count, inner, width, sizes) -> None:
    rng = np.random.default_rng(1)
    rows, matrices = rng.random((3, count, inner)), rng.random((3, inner, width))
    np.testing.assert_allclose(stacked_product(rows, matrices), rows @ matrices, rtol=1e-12)
    assert not any(starts_threads(*size) for size in sizes)


def test_a_block_has_all_columns_where_enough_rows_fit() -> None:
    assert block_shape(10_000, 96, 96) == (24, 96)
    rows, columns = block_shape(48, 71, 4100)
    assert rows == 48
    assert columns < 4100


@pytest.fixture(params=["regnet-digits", "accel-nasbench"])
def bench(request) -> api.Benchmark:
    """Loaded before the products are watched: loading multiplies vectors to check the weights."""
    return api.load_benchmark(request.param)


def test_no_prediction_of_a_list_starts_threads(bench, sizes) -> None:
    """Every product of a list goes through `matmul`; the operator `@` would not be seen here."""
    prediction = bench.predict_columns(sample_columns(bench.space, 1100, seed=0))
    for target in bench.targets:
        prediction.interval(0.9)[target.name]
        assert np.isfinite(prediction[target.name]).any()
    assert (prediction.support > 0).all()
    assert len(sizes) > 10
    assert not any(starts_threads(*size) for size in sizes)

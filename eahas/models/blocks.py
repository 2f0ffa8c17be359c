"""Matrix products of long lists, in blocks that no BLAS splits over threads.

OpenBLAS, which numpy's wheels contain, starts threads for large products: for a product of two
matrices of more than 65,536 * 4 multiply-adds (SMP_THRESHOLD_MIN * GEMM_MULTITHREAD_THRESHOLD in
its interface/gemm.c), and for a matrix times a vector of 2,304 * 4 elements or more
(interface/gemv.c; newer versions: 115,200 * 4). Its threads wait for each other in busy loops. On
a machine where other processes use the cores this takes many times as long as one thread would, and
it slows the other processes down too. Smaller products run in the calling thread, without any
setting. Their operands also stay in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

MAX_MATRIX_PRODUCT = 262_144  # multiply-adds in a product of two matrices
MAX_VECTOR_PRODUCT = 9_215  # elements of a matrix that a vector is multiplied with
ROW_MULTIPLES = (24, 8, 1)  # kernels compute 12, 8 or 4 rows at once; a remainder takes longer
MIN_ROWS = 16  # in a block with all columns; if fewer fit, the columns are divided as well

Array = np.ndarray


def product(rows: Array, matrix: Array, out: Array | None = None) -> Array:
    """rows (n, K) times a matrix (K, N), block by block: (n, N).

    The same as `np.matmul(rows, matrix, out)`, up to rounding. One call of `matmul` computes many
    blocks: all blocks of rows, or of a wide matrix all blocks of columns. `out` must not overlap
    with `rows`. K is not divided; it is at most 16,384.
    """
    count, (inner, width) = len(rows), matrix.shape
    if is_small(count, inner, width):
        return np.matmul(rows, matrix, out)
    size, columns = block_shape(count, inner, width)
    if out is None:
        out = np.empty((count, width), dtype=np.result_type(rows, matrix))
    if width <= columns:
        _by_rows(rows, matrix, out, size)
    else:
        for part in _slices(count, size):
            _by_columns(rows[part], matrix, out[part], columns)
    return out


def stacked_product(rows: Array, matrices: Array) -> Array:
    """A stack of products (S, n, K) times (S, K, N): (S, n, N); one `matmul` where they are small.

    The same as `rows @ matrices`, up to rounding.
    """
    _, count, inner = rows.shape
    width = matrices.shape[2]
    if is_small(count, inner, width):
        return np.matmul(rows, matrices)
    out = np.empty((len(rows), count, width), dtype=np.result_type(rows, matrices))
    for left, right, result in zip(rows, matrices, out, strict=True):
        product(left, right, result)
    return out


def is_small(count: int, inner: int, width: int) -> bool:
    """Whether one thread computes (count, inner) times (inner, width)."""
    vector = count == 1 or width == 1
    return count * inner * width <= (MAX_VECTOR_PRODUCT if vector else MAX_MATRIX_PRODUCT)


def block_shape(count: int, inner: int, width: int) -> tuple[int, int]:
    """The numbers of rows and columns of a block of the product (count, inner) x (inner, width)."""
    if count == 1:
        return 1, max(1, MAX_VECTOR_PRODUCT // inner)
    if width == 1:
        return max(1, MAX_VECTOR_PRODUCT // inner), 1
    area = max(4, MAX_MATRIX_PRODUCT // inner)
    if min(count, MIN_ROWS) * width <= area:
        return _rounded(area // width), width
    rows = _rounded(min(count, math.isqrt(area)))
    return rows, area // rows


def _rounded(rows: int) -> int:
    return rows - rows % next(multiple for multiple in ROW_MULTIPLES if multiple <= rows)


def _by_rows(rows: Array, matrix: Array, out: Array, size: int) -> None:
    """Compute all whole blocks of rows in one stacked product, then the remaining rows."""
    whole = _count_in_whole_blocks(len(rows), size)
    if whole:
        stack = rows[:whole].reshape(-1, size, rows.shape[1])
        np.matmul(stack, matrix, out[:whole].reshape(-1, size, out.shape[1]))
    for part in _slices(len(rows) - whole, size):
        at = slice(whole + part.start, whole + part.stop)
        np.matmul(rows[at], matrix, out[at])


def _by_columns(rows: Array, matrix: Array, out: Array, size: int) -> None:
    """Compute all whole blocks of columns in one stacked product, then the remaining columns."""
    whole = _count_in_whole_blocks(matrix.shape[1], size)
    if whole:
        stack, into = (a[:, :whole].reshape(len(a), -1, size) for a in (matrix, out))
        np.matmul(rows, stack.transpose(1, 0, 2), into.transpose(1, 0, 2))
    for part in _slices(matrix.shape[1] - whole, size):
        at = slice(whole + part.start, whole + part.stop)
        np.matmul(rows, matrix[:, at], out[:, at])


def _count_in_whole_blocks(count: int, size: int) -> int:
    """The number of rows or columns, out of `count`, in whole blocks; never `count` - 1."""
    whole = count - count % size
    return whole - size if count - whole == 1 and size > 1 else whole


def _slices(count: int, size: int) -> Iterator[slice]:
    """Slices of 0..count of at most `size`; none has length 1 unless `count` or `size` is 1."""
    start = 0
    while start < count:
        step = min(size, count - start)
        if count - start == size + 1 and size > 1:
            step = (size + 1) // 2
        yield slice(start, start + step)
        start += step

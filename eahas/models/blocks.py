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

from collections.abc import Iterator

import numpy as np

MAX_MATRIX_PRODUCT = 262_144  # multiply-adds in a product of two matrices
MAX_VECTOR_PRODUCT = 9_215  # elements of a matrix that a vector is multiplied with
ROW_MULTIPLES = (24, 8, 1)  # kernels compute 12, 8 or 4 rows at once; a remainder takes longer
MIN_ROWS = 16  # of a block, before its columns are divided; fewer rows take longer

Array = np.ndarray


def product(rows: Array, matrix: Array, out: Array | None = None) -> Array:
    """rows (n, K) times a matrix (K, N), block by block: (n, N).

    The same as `np.matmul(rows, matrix, out)`, up to rounding. One call of `matmul` computes all
    whole blocks of rows. `out` must not overlap with `rows`.
    """
    count, (inner, width) = len(rows), matrix.shape
    size, columns = block_shape(count, inner, width)
    if count <= size and width <= columns:
        return np.matmul(rows, matrix, out)
    if out is None:
        out = np.empty((count, width), dtype=np.result_type(rows, matrix))
    for part in _divided(width, columns):
        _by_rows(rows, matrix[:, part], out[:, part], size)
    return out


def block_shape(count: int, inner: int, width: int) -> tuple[int, int]:
    """How many rows and columns of (count, inner) times (inner, width) one block has."""
    if count == 1:
        return 1, max(1, MAX_VECTOR_PRODUCT // inner)
    if width == 1:
        return max(1, MAX_VECTOR_PRODUCT // inner), 1
    columns = max(1, min(width, MAX_MATRIX_PRODUCT // (min(count, MIN_ROWS) * inner)))
    rows = max(1, MAX_MATRIX_PRODUCT // (inner * columns))
    return rows - rows % next(multiple for multiple in ROW_MULTIPLES if multiple <= rows), columns


def _by_rows(rows: Array, matrix: Array, out: Array, size: int) -> None:
    """Whole blocks of rows as a stack, then the rest."""
    count, width = out.shape
    whole = count - count % size
    if count - whole == 1 and size > 1:
        whole -= size
    if whole > 0:
        stack = rows[:whole].reshape(-1, size, rows.shape[1])
        np.matmul(stack, matrix, out[:whole].reshape(-1, size, width))
    for part in _divided(count - whole, size):
        at = slice(whole + part.start, whole + part.stop)
        np.matmul(rows[at], matrix, out[at])


def _divided(count: int, size: int) -> Iterator[slice]:
    """0..count in parts of at most `size`, none of them single unless `count` or `size` is 1."""
    start = 0
    while start < count:
        step = min(size, count - start)
        if count - start == size + 1 and size > 1:
            step = (size + 1) // 2
        yield slice(start, start + step)
        start += step

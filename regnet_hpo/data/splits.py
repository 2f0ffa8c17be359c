"""Stratified splits with a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eahas.errors import DataError, MissingExtraError


def stratified_splits(
    labels: np.ndarray, sizes: Sequence[int], seed: int, source: str
) -> list[np.ndarray]:
    """Sorted positions of disjoint splits of these sizes, each stratified by label.

    The same seed gives the same splits. `source` names the data set in messages. Raises DataError
    if there are not enough images or a split is too small to contain every class.
    """
    requested = " + ".join(f"{size:,}" for size in sizes)
    if sum(sizes) > len(labels):
        raise DataError(f"data: {requested} images are requested; {source} has {len(labels):,}")
    classes, unused = len(np.unique(labels)), len(labels) - sum(sizes)
    if min(sizes) < classes:
        raise DataError(
            f"data: {requested} images are requested; {source} has {classes} classes, and each "
            "split needs at least one image per class"
        )
    if 0 < unused < classes:
        raise DataError(
            f"data: {requested} images are requested; {source} has {len(labels):,}. The {unused} "
            f"unused images are fewer than its {classes} classes; request all images or fewer"
        )
    try:
        rest, _ = _stratified(labels, sum(sizes), seed, np.arange(len(labels)))
        splits = []
        for size in sizes:
            split, rest = _stratified(labels, size, seed, rest)
            splits.append(split)
    except ValueError as error:  # a split too small to contain every class
        raise DataError(
            f"data: {source} cannot be split into {requested}, stratified: {error}"
        ) from None
    return splits


def _stratified(
    labels: np.ndarray, size: int, seed: int, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted positions of a stratified split of `size`, and of the rest."""
    try:
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingExtraError("a stratified split", "scikit-learn", "train") from None

    if size == len(positions):
        return positions, positions[:0]
    split, rest = train_test_split(
        positions, train_size=size, random_state=seed, stratify=labels[positions]
    )
    return np.sort(split), np.sort(rest)

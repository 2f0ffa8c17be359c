"""Seeded, stratified parts of a pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eahas.errors import DataError, MissingExtraError


def carve(labels: np.ndarray, sizes: Sequence[int], seed: int, what: str) -> list[np.ndarray]:
    """Sorted positions of disjoint parts of these sizes, each stratified by label.

    Raises DataError where the parts are larger than the whole or too small for every label;
    `what` names the whole in the message. The same seed gives the same parts.
    """
    wanted = " + ".join(f"{size:,}" for size in sizes)
    if sum(sizes) > len(labels):
        raise DataError(f"data: {wanted} images are asked for, and {what} has {len(labels):,}")
    classes, left = len(np.unique(labels)), len(labels) - sum(sizes)
    if min(sizes) < classes:
        raise DataError(
            f"data: {wanted} images are asked for, and {what} has {classes} classes; "
            "each part needs at least one image of each"
        )
    if 0 < left < classes:
        raise DataError(
            f"data: {wanted} images are asked for, and {what} has {len(labels):,}: the {left} that "
            f"are left are fewer than its {classes} classes; ask for all or for fewer"
        )
    try:
        rest, _ = _stratified(labels, sum(sizes), seed, np.arange(len(labels)))
        parts = []
        for size in sizes:
            part, rest = _stratified(labels, size, seed, rest)
            parts.append(part)
    except ValueError as error:  # a part too small to hold every label
        raise DataError(
            f"data: {what} cannot be split into {wanted}, stratified: {error}"
        ) from None
    return parts


def _stratified(
    labels: np.ndarray, size: int, seed: int, among: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted positions of a stratified part of `size`, and of the rest."""
    try:
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingExtraError("a stratified split", "scikit-learn", "train") from None

    if size == len(among):
        return among, among[:0]
    part, rest = train_test_split(among, train_size=size, random_state=seed, stratify=labels[among])
    return np.sort(part), np.sort(rest)

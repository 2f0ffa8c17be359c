"""A query of a model: one configuration or a list of configurations, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import ConfigError, shown
from eahas.models.features.features import Features
from eahas.space.space import Space

ROW_BLOCK = 2048  # configurations whose features are computed at once


@dataclass(frozen=True, eq=False)
class Query:
    """Checked configurations, independent of the objects that the caller passed.

    For one configuration, `values` is its canonical flat form, and `epochs` is an int. For a list
    of n configurations, `values` has one column (n,) per parameter, and `epochs` is (n,). If the
    space has no fidelity, every run has one epoch.
    """

    space: Space
    single: bool
    values: Mapping[str, Any]
    epochs: Any
    _features: list[tuple[Features, np.ndarray]] = field(default_factory=list, repr=False)

    def features_for(self, features: Features) -> np.ndarray:
        """The features, (F,) or (n, F). Models with the same `Features` object share the result."""
        for known, x in self._features:
            if known is features:
                return x
        x = features.one(self.values) if self.single else self._features_of_list(features)
        self._features.append((features, x))
        return x

    def _features_of_list(self, features: Features) -> np.ndarray:
        """`features.many` in blocks of rows, which limits the memory of a long list."""
        count = len(self.epochs)
        if count <= ROW_BLOCK:
            return features.many(self.values)
        x = np.empty((count, len(features.names)))
        for start in range(0, count, ROW_BLOCK):
            rows = slice(start, start + ROW_BLOCK)
            x[rows] = features.many({name: column[rows] for name, column in self.values.items()})
        return x

    @cached_property
    def flats(self) -> list[Mapping[str, Any]]:
        """The configurations in canonical flat form."""
        if self.single:
            return [self.values]
        columns = [self.values[name].tolist() for name in self.space.names]
        return [
            {k: v for k, v in zip(self.space.names, row, strict=True) if v is not None}
            for row in zip(*columns, strict=True)
        ]

    @property
    def configs(self) -> list[dict[str, Any]]:
        """The configurations in canonical nested form, as new objects."""
        return [self.space.nest(flat) for flat in self.flats]


def make_query(space: Space, config: Any, *, encoded: bool = False) -> Query:
    """The query of a configuration, or of a list of configurations.

    With `encoded`, `config` is the encoding (W,) of a configuration, or encodings (n, W). Raises
    ConfigError, which names the field, the given value and the allowed values.
    """
    if encoded:
        config = _decoded(space, config)
    if isinstance(config, Mapping):
        return restored_query(space, space.check(config), single=True)
    if not isinstance(config, (list, tuple)):
        raise ConfigError(
            f"config must be a mapping, or a list of mappings; got {type(config).__name__}"
        )
    return make_column_query(space, space.columns(config))


def make_column_query(space: Space, columns: Mapping[str, Any]) -> Query:
    """The query of canonical columns, as `Space.columns` or `eahas.space.sampling` return them.

    The columns are copied; their values are not checked. Raises ConfigError if a column is missing
    or unknown, if the columns have different lengths, or if they are empty.
    """
    lengths = {len(column) for column in columns.values()}
    if set(columns) != set(space.names) or len(lengths) != 1 or 0 in lengths:
        raise ConfigError(
            f"columns of one length, at least 1, are needed for {', '.join(space.names)}; "
            f"got {shown({name: len(column) for name, column in columns.items()})}"
        )
    ordered = {name: np.array(columns[name]) for name in space.names}
    epochs = np.ones(lengths.pop(), dtype=np.int64)
    if space.fidelity is not None:
        epochs = ordered[space.fidelity].astype(np.int64)
    return Query(space, False, ordered, epochs)


def restored_query(space: Space, values: Mapping[str, Any], single: bool) -> Query:
    """The query with the `values` of an earlier query; they are not checked again."""
    if not single:
        return make_column_query(space, values)
    epochs = 1 if space.fidelity is None else values[space.fidelity]
    return Query(space, True, dict(values), epochs)


def _decoded(space: Space, codes: Any) -> Any:
    """The configuration of an encoding (W,), or the list of configurations of encodings (n, W)."""
    try:
        rows = np.asarray(codes, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"encoded: config must be one code or rows of codes: {error}") from None
    if rows.ndim not in (1, 2) or not rows.size:
        raise ConfigError(
            f"encoded: config must be one code or rows of codes; got shape {rows.shape}"
        )
    return space.decode(rows) if rows.ndim == 1 else [space.decode(row) for row in rows]

"""What is asked of a surrogate: one configuration or a list of them, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import ConfigError, shown
from eahas.models.features.features import Features
from eahas.space.space import Space


@dataclass(frozen=True, eq=False)
class Query:
    """Checked configurations; nothing in it changes when the caller changes what was given.

    `single`: `values` is a flat canonical configuration and `epochs` an int. Else `values` are the
    columns of n configurations and `epochs` is (n,). Without a fidelity a run has one epoch.
    """

    space: Space
    single: bool
    values: Mapping[str, Any]
    epochs: Any
    _seen: list[tuple[Features, np.ndarray]] = field(default_factory=list, repr=False)

    def features_for(self, features: Features) -> np.ndarray:
        """The features, (F,) or (n, F); computed once for models that share them."""
        for known, x in self._seen:
            if known is features:
                return x
        x = features.one(self.values) if self.single else features.many(self.values)
        self._seen.append((features, x))
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

    @cached_property
    def configs(self) -> list[dict[str, Any]]:
        """The configurations in canonical nested form."""
        return [self.space.nest(flat) for flat in self.flats]


def make_query(space: Space, config: Any, *, encoded: bool = False) -> Query:
    """The question for a configuration or a list of them; with `encoded`, for codes of them.

    Raises ConfigError naming the field, what was given and what is allowed.
    """
    if encoded:
        config = _decoded(space, config)
    if isinstance(config, Mapping):
        flat = space.check(config)
        return Query(space, True, flat, 1 if space.fidelity is None else flat[space.fidelity])
    if not isinstance(config, (list, tuple)):
        raise ConfigError(
            f"a configuration is a mapping, or a list of mappings; got {type(config).__name__}"
        )
    return make_column_query(space, space.columns(config))


def make_column_query(space: Space, columns: Mapping[str, Any]) -> Query:
    """The question for canonical columns, as `Space.columns` or `eahas.space.sampling` give them.

    Raises ConfigError where a column is missing, strange or of another length; the values in them
    are taken as they are.
    """
    lengths = {len(column) for column in columns.values()}
    if set(columns) != set(space.names) or len(lengths) != 1 or 0 in lengths:
        raise ConfigError(
            f"columns of one length are needed for {', '.join(space.names)}; "
            f"got {shown({name: len(column) for name, column in columns.items()})}"
        )
    ordered = {name: columns[name] for name in space.names}
    epochs = np.ones(lengths.pop(), dtype=np.int64)
    if space.fidelity is not None:
        epochs = ordered[space.fidelity].astype(np.int64)
    return Query(space, False, ordered, epochs)


def _decoded(space: Space, codes: Any) -> Any:
    """The configuration of a code (width,), or the list of rows of codes (n, width)."""
    try:
        rows = np.asarray(codes, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"encoded: one code or rows of codes are needed: {error}") from None
    if rows.ndim not in (1, 2) or not rows.size:
        raise ConfigError(f"encoded: one code or rows of codes are needed, got shape {rows.shape}")
    return space.decode(rows) if rows.ndim == 1 else [space.decode(row) for row in rows]

"""Checked records: rows that passed the check of one spec and that nothing changes afterwards.

`eahas.records.schema.check_rows` and `eahas.records.parquet.read_records` make `Records`. A
function that takes `Records` can therefore rely on the schema, and nothing is checked again when
records are fitted or written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from eahas.frozen import FrozenDict, FrozenList, thawed
from eahas.spec.spec import Spec

ASIDE = ("anchor", "control")  # roles of runs that belong to no split and are used in no fit
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Records(Sequence[Record]):
    """A read-only sequence of checked rows, with the spec that they were checked against.

    Each row is a read-only dictionary in canonical form (`eahas.records.schema.check_row`), and the
    lists in it are read-only. A slice and a selection are `Records` too. Records equal a list
    of the same rows.
    """

    spec: Spec
    _rows: tuple[Record, ...]

    def __init__(self) -> None:
        raise TypeError("Records are made by check_rows(rows, spec) and read_records(path, spec)")

    @classmethod
    def _of_checked(cls, rows: Iterable[Record], spec: Spec) -> Records:
        """The constructor, for the checking functions of `eahas.records` only."""
        records: Records = object.__new__(cls)
        object.__setattr__(records, "spec", spec)
        object.__setattr__(records, "_rows", tuple(map(_frozen, rows)))
        return records

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            return self._of_checked(self._rows[index], self.spec)
        return self._rows[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Records):
            return self._rows == other._rows and self.spec == other.spec
        return list(self._rows) == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> Records:
        return self  # read-only, so that a copy needs no new rows

    def __repr__(self) -> str:
        return f"<Records: {len(self)} runs of {self.spec.name}@{self.spec.version}>"

    def where(self, keep: Callable[[Record], bool]) -> Records:
        """The records for which `keep` is true."""
        return self._of_checked(filter(keep, self._rows), self.spec)

    @property
    def ok(self) -> Records:
        """The records with status ok."""
        return self.where(lambda row: row["status"] == "ok")

    @property
    def in_splits(self) -> Records:
        """The records that belong to a split: without anchors and controls."""
        return self.where(lambda row: row.get("role") not in ASIDE)

    def counts(self, column: str) -> Counter[str]:
        """The number of records for each value of a text column; an absent value counts as ""."""
        return Counter(row.get(column, "") for row in self._rows)

    def to_list(self) -> list[dict[str, Any]]:
        """Copies of the rows as plain dictionaries with plain lists, which can be changed."""
        return [thawed(row) for row in self._rows]


def _frozen(row: Record) -> Record:
    """The row, read-only. A row is flat: its only containers are lists of numbers."""
    if isinstance(row, FrozenDict):
        return row
    return FrozenDict({k: FrozenList(v) if isinstance(v, list) else v for k, v in row.items()})

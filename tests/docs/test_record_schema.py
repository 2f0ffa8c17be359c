"""docs/record-schema.md and the schema in code say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from eahas.records.schema import COLUMNS


def test_the_page_has_the_table_of_the_columns() -> None:
    page = Path(__file__).parents[2] / "docs" / "record-schema.md"
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w*) \| (\w*) \| (.*) \|$", page.read_text(), re.M)
    assert rows == [
        (c.name, c.kind, c.unit, "yes" if c.required else "", c.meaning) for c in COLUMNS
    ]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: c.name)
def test_the_unit_stands_in_the_name(column: Any) -> None:
    ending = {"s": "_s", "J": "_j", "W": "_w"}
    if column.unit:
        assert column.name.endswith(ending[column.unit])
    else:
        assert not column.name.endswith(tuple(ending.values()))

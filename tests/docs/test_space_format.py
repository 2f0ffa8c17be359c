"""docs/space-format.md names every field of the sections that a trainer reads, with its default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from regnet_hpo.settings import MeasureSettings, TrainSettings

PAGE = Path(__file__).parents[2] / "docs" / "space-format.md"


def fields_of(section: str) -> dict[str, str]:
    """Field and default of each row of a section's table; a row may name two of them."""
    text = PAGE.read_text(encoding="utf-8").partition(f"Fields of `{section}`:\n")[2]
    rows = re.findall(r"^\| (`.*?) \| .* \| (.*?) \|$", text.split("\n\n")[0], re.MULTILINE)
    found = {}
    for names, defaults in rows:
        named = re.findall(r"`(\w+)`", names)
        given = (
            [part.strip("` ") for part in defaults.split(", ")] if len(named) > 1 else [defaults]
        )
        found |= dict(zip(named, (each.strip("`") for each in given), strict=True))
    return found


@pytest.mark.parametrize(
    ("section", "settings"), [("training", TrainSettings), ("measurement", MeasureSettings)]
)
def test_every_field_stands_there_with_its_default(section: str, settings: type) -> None:
    told = fields_of(section)
    known = {f.name: f.default for f in dataclasses.fields(settings)}
    assert told.keys() == known.keys()
    for name, default in known.items():
        if isinstance(default, bool) or default is None or isinstance(default, str):
            assert told[name] == {None: "null", True: "true", False: "false"}.get(default, default)
        else:
            assert float(told[name]) == default, name

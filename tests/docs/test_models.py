"""The page of model families names each that there is, with what it says of itself."""

from __future__ import annotations

from pathlib import Path

from surrogates.families import FAMILIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"


def test_every_family_stands_on_its_page_and_no_other() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    expected = [f"| `{n}` | {chosen.targets} | {chosen.about} |" for n, chosen in FAMILIES.items()]
    assert rows == expected

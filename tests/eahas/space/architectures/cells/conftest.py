"""Cells to test with, and the public tables where they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest


def public_table(name: str) -> Path:
    """A file of the shared data folder beside the project; skips the test where it is missing."""
    for folder in Path(__file__).resolve().parents:
        path = folder / "shared" / "data" / name
        if path.is_file():
            return path
    pytest.skip(f"the public table shared/data/{name} is not installed")

"""What tests of all rooms share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def install(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, dict[str, str]]], Path]:
    """`install(entry points by group)`: as if a package with `tests/plugin` were installed."""

    def installed(groups: dict[str, dict[str, str]]) -> Path:
        site = tmp_path_factory.mktemp("site")
        info = site / f"{site.name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {site.name}\nVersion: 1.0\n", encoding="utf-8")
        lines = []
        for group, points in groups.items():
            lines += [f"[{group}]", *(f"{name} = {place}" for name, place in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        monkeypatch.syspath_prepend(site)
        monkeypatch.syspath_prepend(Path(__file__).parent / "plugin")
        return site

    return installed

"""Progress on stderr."""

from __future__ import annotations

import io
import sys

import pytest

from eahas.cli import progress
from eahas.cli.progress import Bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_quick_shows_nothing(capsys):
    with Bars() as bars:
        for done in range(100):
            bars("fit", done, 100)
    assert capsys.readouterr() == ("", "")


def test_elsewhere_than_on_a_terminal_a_line_now_and_then(capsys, monkeypatch):
    now = iter([0.0, 1.0, 2.5, 2.5, 3.0, 20.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with Bars() as bars:
        for done in (1, 2, 3, 4):
            bars("fit", done, 4)
    assert capsys.readouterr().err == "fit: 2 of 4\nfit: 4 of 4\n"


def test_on_a_terminal_a_bar_for_each_thing_that_is_done(monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(progress, "QUIET_S", 0.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Bars() as bars:
        bars("fit curves", 1, 2)
        bars("fit curves", 2, 2)
        bars("judge", 1, 1)
    drawn = sys.stderr.getvalue()
    assert "fit curves" in drawn
    assert "0/2" in drawn
    assert "judge" in drawn

"""Curves in a terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest

from eahas.cli import terminal

RISING = np.linspace(10.0, 90.0, 50)


def braille(line: str) -> list[int]:
    return [i for i, char in enumerate(line) if 0x2800 < ord(char) <= 0x28FF]


def test_a_plot_fits_its_width_and_height():
    for columns in (40, 80, 100):
        lines = terminal.plot(RISING, RISING - 5, RISING + 5, columns=columns).splitlines()
        assert len(lines) == terminal.HEIGHT + 2
        assert max(map(len, lines)) <= columns
        assert lines[-1].strip() == "1" + lines[-1].strip()[1:-9] + "50 epochs"


def test_a_rising_curve_rises():
    lines = terminal.plot(RISING, RISING, RISING, columns=60).splitlines()[: terminal.HEIGHT]
    first = [braille(line)[0] for line in lines if braille(line)]
    assert first == sorted(first, reverse=True)


def test_the_line_has_no_gap_even_where_it_jumps():
    jump = np.array([0.0] * 10 + [100.0] * 10)
    lines = terminal.plot(jump, jump, jump, columns=60).splitlines()[: terminal.HEIGHT]
    assert all(braille(line) for line in lines)


def test_the_band_is_drawn_around_the_line():
    alone = terminal.plot(RISING, RISING, RISING, columns=60)
    banded = terminal.plot(RISING, RISING - 8, RISING + 8, columns=60)
    dots = [sum(len(braille(line)) for line in text.splitlines()) for text in (alone, banded)]
    assert dots[1] > 1.5 * dots[0]


@pytest.mark.parametrize("value", [np.array([3.0]), np.full(4, 50.0), np.zeros(7), -RISING * 1e9])
def test_odd_curves_are_drawn_too(value):
    assert "└" in terminal.plot(value, value, value, columns=40)


def test_the_table_holds_the_first_and_the_last_epoch():
    lines = terminal.table(RISING, RISING - 1, RISING + 1).splitlines()
    assert lines[1].split() == ["1", "10.0", "9.00", "11.0"]
    assert lines[-1].split() == ["50", "90.0", "89.0", "91.0"]
    assert len(terminal.table(RISING[:3], RISING[:3], RISING[:3]).splitlines()) == 4


def test_braille_needs_utf8():
    assert terminal.can_draw(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert not terminal.can_draw(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert not terminal.can_draw(io.StringIO())


def test_the_width_follows_the_terminal_within_bounds(monkeypatch):
    for given, used in (("10", 40), ("72", 72), ("500", 100)):
        monkeypatch.setenv("COLUMNS", given)
        assert terminal.width() == used

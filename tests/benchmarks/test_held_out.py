"""The script that prints the tables of docs/results.md, on what ships."""

from __future__ import annotations

from itertools import pairwise

from benchmarks import held_out


def test_the_tables_are_whole(capsys) -> None:
    held_out.main("regnet-digits")
    lines = capsys.readouterr().out.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) > 40
    for line, below in pairwise(lines):
        if below.startswith("| ---"):
            width = line.count("|")
        if line.startswith("|"):
            assert line.count("|") == width, line
    assert sum("surrogate" in line for line in tables) == 6
    assert all(" [" in line for line in tables if line.startswith("| valid, last epoch"))

"""`eahas front`: what it prints and writes."""

from __future__ import annotations

import pytest


def test_it_prints_a_line_a_front_and_writes_both_files(eahas, bench, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("matplotlib")
    table, picture = tmp_path / "front.parquet", tmp_path / "front.png"
    given = ("front", bench, "--samples", "30", "--against", "runtime_s")
    status, out, _ = eahas(*given, "--out", table, "--plot", picture)
    assert status == 0
    assert "fronts of valid over 30 configurations" in out
    assert "runtime_s" in out
    assert set(parquet.read_table(table).column("front").to_pylist()) == {"runtime_s"}
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_an_unknown_target_is_one_line(eahas, bench):
    status, _, err = eahas("front", bench, "--against", "speed")
    assert status == 2
    assert "'speed' is unknown" in err

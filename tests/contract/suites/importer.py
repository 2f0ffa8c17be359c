"""The contract of an importer: what a public data set becomes must be whole and honest records.

A plug-in tests its own importer with a subclass and a fixture:

    class TestMine(ImporterContract):
        @pytest.fixture
        def imported(self):
            spec = load_spec("mine")
            return spec, import_rows(PATH, spec)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas.records.parquet import read_records, write_records
from eahas.records.schema import ASIDE, check_rows
from eahas.spec.spec import Spec
from surrogates.data.dataset import runs_from_records

Imported = tuple[Spec, Sequence[Mapping[str, Any]]]


class ImporterContract:
    """Every test takes the fixture `imported`: the spec and the rows of the importer."""

    @pytest.fixture
    def imported(self) -> Imported:
        raise NotImplementedError("a subclass defines the fixture imported")

    def test_its_rows_are_records_of_the_spec(self, imported: Imported) -> None:
        spec, rows = imported
        assert rows
        assert len(check_rows(rows, spec)) == len(rows)

    def test_its_rows_survive_a_file(self, imported: Imported, tmp_path: Path) -> None:
        pytest.importorskip("pyarrow")
        spec, rows = imported
        write_records(tmp_path / "records.parquet", rows, spec)
        assert list(read_records(tmp_path / "records.parquet", spec)) == list(rows)

    def test_every_target_has_values(self, imported: Imported) -> None:
        spec, rows = imported
        for target in spec.targets:
            assert any(target.name in row for row in rows), target.name

    def test_a_fit_can_use_it(self, imported: Imported) -> None:
        spec, rows = imported
        runs = runs_from_records(rows, spec)
        usable = [row for row in rows if row["status"] == "ok" and row.get("role") not in ASIDE]
        assert len(runs) >= len(usable) > 0
        assert np.isfinite(runs.x).all()

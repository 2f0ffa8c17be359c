"""Each row is checked once on each side of a file, whatever command writes or reads it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eahas.cli.inputs import read_with_spec
from eahas.records import schema as record_schema
from eahas.spec.spec import Spec
from sweeps import incremental
from sweeps.plan import load_plan
from sweeps.specs import load_spec

pytest.importorskip("torch")

TINY = Path(__file__).parents[2] / "regnet_hpo" / "tiny.json"
QUICK = ("--members", 2, "--steps", 10, "--resamples", 5, "--folds", 2)


class Checks:
    """How often each row was checked since the last call of `counts`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._checked: list[str] = []
        monkeypatch.setattr(record_schema, "_checked", self._count)

    def _count(
        self, row: Any, spec: Spec, real: Callable[..., Any] = record_schema._checked
    ) -> Any:
        self._checked.append(row["run_id"])
        return real(row, spec)

    def counts(self) -> Counter[str]:
        counts = Counter(self._checked)
        self._checked.clear()
        return counts


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    return Checks(monkeypatch)


def test_a_sweep_checks_each_row_once_when_made_and_once_when_collected(
    eahas, checks: Checks, tmp_path: Path
) -> None:
    sweep = tmp_path / "sweep"
    assert eahas("sweep", "sample", TINY, "--out", sweep, "--configs", 2)[0] == 0
    each_once = {run.run_id: 1 for run in load_plan(sweep)[1]}
    assert eahas("sweep", "launch", sweep, "--workers", 0)[0] == 0
    assert checks.counts() == each_once
    assert eahas("sweep", "collect", sweep)[0] == 0
    assert checks.counts() == each_once
    assert eahas("sweep", "report", sweep)[0] == 0
    assert checks.counts() == each_once
    spec, records = read_with_spec(sweep / "records.parquet", str(TINY))
    assert checks.counts() == each_once
    assert read_with_spec(sweep, None) == (spec, records)
    assert checks.counts() == each_once
    again = tmp_path / "again"
    assert eahas("sweep", "sample", TINY, "--out", again, "--configs", 2)[0] == 0
    assert eahas("sweep", "restore", again, sweep / "records.parquet")[0] == 0
    assert checks.counts() == each_once


def test_an_incremental_sweep_checks_stored_rows_once_when_read_and_once_when_collected(
    checks: Checks, tmp_path: Path
) -> None:
    source = json.loads(TINY.read_text()) | {"sweep": {"configs": 2, "repeat_every": 0}}
    path, store = tmp_path / "tiny.json", tmp_path / "store.parquet"
    path.write_text(json.dumps(source))
    spec = load_spec(path)
    made = incremental.run_increment(spec, store, 60, workers=0)
    assert (made.made, made.after) == (3, 3)
    assert set(checks.counts().values()) == {2}  # by the worker and by collect
    assert incremental.run_increment(spec, store, 60, workers=0).after == 3
    assert set(checks.counts().values()) == {1}  # read from the store, and nothing was made


def test_fit_and_evaluate_check_each_row_once(
    eahas, toy: Path, checks: Checks, tmp_path: Path
) -> None:
    given = (toy / "spec.json", toy / "records.parquet", "--out", tmp_path / "bench")
    assert eahas("fit", *given, *QUICK)[0] == 0
    counts = checks.counts()
    assert len(counts) > 30 and set(counts.values()) == {1}
    assert eahas("evaluate", tmp_path / "bench", "--resamples", 5)[0] == 0
    assert checks.counts() == counts

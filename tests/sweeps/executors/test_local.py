"""What a worker does when a run of it failed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from eahas.errors import SweepError
from sweeps.executors import local as worker
from sweeps.plan import DONE
from sweeps.run_loop import MAX_SAME_FAILURES, RunLimits


def one_failed(folder: Path, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
    """Make runs that fail on a GPU that is out of memory, each at another byte."""
    number = len(list((folder / DONE).iterdir()))
    record = {"status": "failed", "reason": f"OutOfMemoryError: tried {number} MiB"}
    (folder / DONE / f"c{number}.json").write_text(json.dumps(record))
    yield record


def test_a_gpu_that_fails_run_after_run_stops_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure takes a fresh process, and the last of five alike says why."""
    monkeypatch.setattr(worker, "make_runs", one_failed)
    (tmp_path / DONE).mkdir()
    given = (str(tmp_path), "cuda", [], asdict(RunLimits()), os.getppid())
    for _ in range(MAX_SAME_FAILURES - 1):
        with pytest.raises(SystemExit) as ended:
            worker._work(*given)
        assert ended.value.code == worker.EXIT_RESTART
    with pytest.raises(
        SweepError, match=f"{MAX_SAME_FAILURES} runs in a row failed: OutOfMemoryError"
    ):
        worker._work(*given)

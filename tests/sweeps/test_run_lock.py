"""One holder at a time, and a count of the deaths that got nowhere."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.run_lock import lock_run

DIES = """
import os, signal, sys
from pathlib import Path
from sweeps.run_lock import lock_run
with lock_run(Path(sys.argv[1])) as claim:
    if sys.argv[2] == "after an epoch":
        claim.reset_deaths()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def die(work: Path, when: str = "at once") -> None:
    """A process claims the run and is killed."""
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", DIES, work, when], cwd=root, check=False)


def deaths(work: Path) -> int:
    """What the next holder finds; it ends in an orderly way."""
    with pytest.raises(KeyboardInterrupt), lock_run(work) as claim:
        assert claim is not None
        found = claim.deaths
        raise KeyboardInterrupt
    return found


def test_a_claim_holds_others_off(tmp_path: Path) -> None:
    with lock_run(tmp_path / "run") as first:
        assert first is not None
        with lock_run(tmp_path / "run") as second:
            assert second is None
    with lock_run(tmp_path / "run") as third:
        assert third is not None


def test_a_claim_says_where_the_run_keeps_its_state(tmp_path: Path) -> None:
    with lock_run(tmp_path / "run") as claim:
        assert claim is not None
        assert claim.resume_file == tmp_path / "run" / "resume.pt"
        claim.resume_file.write_bytes(b"state")
        claim.clear()
    assert os.listdir(tmp_path) == []


def test_an_orderly_end_is_no_death(tmp_path: Path) -> None:
    assert [deaths(tmp_path / "run") for _ in range(3)] == [0, 0, 0]


def test_deaths_are_counted_and_the_lock_is_free_after_each(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        die(tmp_path / "run")
        found.append(deaths(tmp_path / "run"))
    assert found == [1, 2]


def test_an_epoch_makes_earlier_deaths_forgotten(tmp_path: Path) -> None:
    """A run that is killed again and again but gets on is in no trouble."""
    for when in ("at once", "at once", "after an epoch"):
        die(tmp_path / "run", when)
    assert deaths(tmp_path / "run") == 1  # the last one: it may have died of the next epoch


def test_the_lock_of_a_removed_file_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that opened the lock just before its file was removed gets a claim all the same.

    It then finds the record in done/; so clearing must not fail, and a new file is a new lock.
    """
    with lock_run(tmp_path / "run") as late:
        assert late is not None
        (tmp_path / "run" / "lock").unlink()
        with lock_run(tmp_path / "run") as new:
            assert new is not None
            late.clear()
            new.clear()


def test_a_claim_is_not_inherited_by_processes(tmp_path: Path) -> None:
    with lock_run(tmp_path / "run") as claim:
        assert claim is not None
        child = multiprocessing.get_context("spawn").Process(target=os.getpid)
        child.start()
    with lock_run(tmp_path / "run") as again:
        assert again is not None
    child.join()

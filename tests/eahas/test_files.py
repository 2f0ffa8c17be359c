"""A crash leaves the old content or the new one, never half of either."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eahas.files import write_bytes, write_json

STEPS = ("fdopen", "fsync", "chmod", "replace")  # of a write, in their order


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_content_and_missing_folders(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert os.listdir(tmp_path / "a" / "b") == ["file"]


@pytest.mark.parametrize("durable", [True, False])
def test_old_content_is_replaced(tmp_path: Path, durable: bool) -> None:
    for content in (b"a long first content", b"short"):
        write_bytes(tmp_path / "file", content, durable=durable)
    assert (tmp_path / "file").read_bytes() == b"short"


def test_others_may_read_it(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failure_at_any_step_leaves_the_old_content_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    write_bytes(tmp_path / "file", b"old")
    if step == "fdopen":  # the descriptor is ours until fdopen has it
        monkeypatch.setattr(os, "fdopen", lambda handle, _: os.close(handle) or failing(error)())
    else:
        monkeypatch.setattr(os, step, failing(error))
    with pytest.raises(type(error)):
        write_bytes(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_content_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    steps: dict[str, Callable[..., Any]] = {"fsync": os.fsync, "replace": os.replace}
    for name, step in steps.items():

        def noted(*given: Any, name: str = name, step: Callable[..., Any] = step) -> Any:
            done.append(name)
            return step(*given)

        monkeypatch.setattr(os, name, noted)
    write_bytes(tmp_path / "file", b"content")
    assert done == ["fsync", "replace", "fsync"]  # the last one: the folder's
    done.clear()
    write_bytes(tmp_path / "file", b"content", durable=False)
    assert done == ["replace"]


def test_two_writers_leave_one_whole_content(tmp_path: Path) -> None:
    """Each writes aside under a name of its own, so they cannot mix."""
    write_bytes(tmp_path / ".file.leftover.tmp", b"of a process that was killed")
    for content in (b"one", b"two"):
        write_bytes(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"two"


def test_json(tmp_path: Path) -> None:
    write_json(tmp_path / "file", {"a": [1, 2.5, None]})
    assert (tmp_path / "file").read_text() == '{"a": [1, 2.5, null]}\n'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_has_no_nan(tmp_path: Path, number: float) -> None:
    write_json(tmp_path / "file", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file", [number])
    assert (tmp_path / "file").read_text() == "1\n"

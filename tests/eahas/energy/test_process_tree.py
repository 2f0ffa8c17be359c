"""The processes that a worker counts as its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from eahas.energy.process_tree import LAUNCHER_ENV, ProcessTree


def test_a_process_without_launcher_contains_itself_but_not_its_parent() -> None:
    tree = ProcessTree({})
    assert os.getpid() in tree
    assert os.getppid() not in tree
    assert 2**31 not in tree


def test_the_children_of_the_launcher_are_ours_and_nobody_else(tmp_path: Path) -> None:
    for pid, parent, name in ((7, 100, "python"), (8, 1, "cuda (3) job"), (9, 100, "a) R 1 (b")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {pid} {pid} 0 -1\n")
    tree = ProcessTree({LAUNCHER_ENV: "100"}, tmp_path)
    assert [pid in tree for pid in (7, 8, 9, 10)] == [True, False, True, False]
    assert 7 not in ProcessTree({LAUNCHER_ENV: "nobody"}, tmp_path)


def test_what_we_started_is_ours_and_what_it_started_too() -> None:
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(__import__("
    nested += '"os").getpid(), flush=True); input()\'])'
    with subprocess.Popen(
        [sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert child.pid in ProcessTree({})
        assert grandchild in ProcessTree({})
        assert grandchild != child.pid
        child.communicate("\n")


def test_a_worker_contains_its_real_siblings() -> None:
    """Two children of this process; one of them looks up the other."""
    code = "import sys; from eahas.energy.process_tree import ProcessTree; import os; "
    code += "print(int(sys.argv[1]) in ProcessTree(os.environ))"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as sibling:
        lookup = subprocess.run(
            [sys.executable, "-c", code, str(sibling.pid)],
            env={**os.environ, LAUNCHER_ENV: str(os.getpid())},
            stdout=subprocess.PIPE,
            check=True,
        )
        assert sibling.stdin is not None
        sibling.stdin.close()
    assert lookup.stdout.strip() == b"True"

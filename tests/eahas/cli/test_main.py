"""The command line as a whole: help, versions, errors and exit statuses."""

from __future__ import annotations

import subprocess
import sys

import pytest

import eahas as package
from eahas.cli import demo, listing, main, parser

COMMANDS = (
    ["list"],
    ["predict"],
    ["evaluate"],
    ["sweep", "sample"],
    ["sweep", "launch"],
    ["sweep", "restore"],
    ["sweep", "collect"],
    ["sweep", "report"],
    ["import"],
    ["fit"],
    ["demo"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_page_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    assert f"example:\n  eahas {' '.join(command)}" in capsys.readouterr().out


def test_the_first_help_page_names_every_command():
    page = parser().format_help()
    assert all(command[0] in page for command in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"eahas {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "COMMAND"),
        (["fry"], "fry"),
        (["sweep"], "STAGE"),
        (["list", "--jason"], "--jason"),
        (["predict", "regnet-digits"], "--config"),
        (["demo", "--configs", str(demo.MIN_CONFIGS - 1)], "--configs"),
    ],
)
def test_a_mistyped_command_is_one_line(arguments, named, refused):
    error = refused(*arguments)
    assert named in error
    assert "--help" in error


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (KeyboardInterrupt(), 130, "eahas: interrupted"),
        (PermissionError(13, "Permission denied", "/x"), 2, "error: Permission denied: /x"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, "eahas[train]"),
    ],
)
def test_what_a_user_can_mend_has_no_traceback(raised, status, line, eahas, monkeypatch):
    def run(arguments):
        raise raised

    monkeypatch.setattr(listing, "run", run)
    found, out, err = eahas("list")
    assert (found, out) == (status, "")
    assert line in err
    assert err.count("\n") == 1


def test_our_own_errors_keep_their_traceback(monkeypatch):
    def run(arguments):
        raise KeyError("a bug")

    monkeypatch.setattr(listing, "run", run)
    with pytest.raises(KeyError):
        main(["list"])


def test_a_closed_pipe_is_no_error():
    code = "import sys; from eahas.cli import main; sys.exit(main(['list']))"
    found = subprocess.run(
        ["sh", "-c", f'{{ "{sys.executable}" -c "{code}"; echo $? >&2; }} | true'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stderr == "0\n"

"""The `eahas` command: the one way up from the core to the rooms that train, sweep and fit.

A module here is one group of commands. What they need from the other rooms is imported inside their
functions, so that `eahas list` and `eahas predict` need numpy alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import eahas
from eahas.cli import (
    assemble,
    demo,
    energy,
    evaluate,
    fit,
    front,
    imports,
    listing,
    predict,
    sweep,
    table,
)
from eahas.cli.arguments import Parser
from eahas.errors import EahasError

BAD_INPUT, INTERRUPTED, TERMINATED = 2, 130, 143
OWN_ROOMS = ("eahas", "regnet_hpo", "surrogates", "sweeps")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, 2 for bad input, 130 for Ctrl-C, 143 for SIGTERM."""

    def run() -> None:
        arguments = parser().parse_args(argv)
        arguments.run(arguments)

    return run_command("eahas", run)


def run_command(name: str, run: Callable[[], None]) -> int:
    """The exit status of a command that may fail.

    An error that a user can mend is one line on stderr. Any other is ours, and keeps its traceback.
    """

    def stopped(message: str, status: int) -> int:
        print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
        return status

    with warnings.catch_warnings(), _terminated_as_interrupted():
        _show_notes(name)
        try:
            run()
            sys.stdout.flush()
        except _TerminatedError:
            return stopped("terminated", TERMINATED)
        except KeyboardInterrupt:
            return stopped("interrupted", INTERRUPTED)
        except BrokenPipeError:  # the reader, `head` say, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except EahasError as error:
            return stopped(f"error: {error}", BAD_INPUT)
        except OSError as error:
            named = f": {error.filename}" if error.filename is not None else ""
            return stopped(f"error: {error.strerror or error}{named}", BAD_INPUT)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in OWN_ROOMS:
                raise
            needs = f"this command needs {package}, which is not installed"
            return stopped(f"error: {needs}: pip install 'eahas[train]'", BAD_INPUT)
    return 0


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, which schedulers and `timeout` send: what is finished is kept as after Ctrl-C."""


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    def terminated(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what is finished is being kept
        raise _TerminatedError

    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(
        prog="eahas",
        description="Learning curve, time and energy of a training, without training.",
        epilog="start with:\n  eahas demo\n  eahas predict regnet-digits --sample 0\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"eahas {eahas.__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    groups = (listing, predict, front, evaluate, sweep, imports, fit, table, assemble, energy, demo)
    for group in groups:
        group.add_to(commands)
    return whole


def _show_notes(name: str) -> None:
    """Have the core's warnings to users written as one line each, once."""
    from eahas.errors import EstimatedEnergyWarning

    unlike_ours = warnings.showwarning

    def show(message, category, *rest, **more):  # type: ignore[no-untyped-def]
        if issubclass(category, EstimatedEnergyWarning):
            print(f"{name}: note: {message}", file=sys.stderr)
        else:
            unlike_ours(message, category, *rest, **more)

    warnings.showwarning = show
    warnings.simplefilter("default", EstimatedEnergyWarning)

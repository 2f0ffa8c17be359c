"""The `eahas` command, the only part of the core that uses the packages that train, sweep and fit.

Each module is one group of commands. It imports the other packages inside its functions, so that
`eahas list` and `eahas predict` need numpy only.
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
OWN_PACKAGES = ("eahas", "regnet_hpo", "surrogates", "sweeps")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    The status is 0 for success, 2 for bad input, 130 for Ctrl-C and 143 for SIGTERM.
    """

    def run() -> None:
        arguments = parser().parse_args(argv)
        arguments.run(arguments)

    return run_command("eahas", run)


def run_command(name: str, run: Callable[[], None]) -> int:
    """Run a command and return its exit status.

    An error that a user can correct is printed as one line on stderr. Any other error is a bug and
    is raised with its traceback.
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
        except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except EahasError as error:
            return stopped(f"error: {error}", BAD_INPUT)
        except OSError as error:
            named = f": {error.filename}" if error.filename is not None else ""
            return stopped(f"error: {error.strerror or error}{named}", BAD_INPUT)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package in OWN_PACKAGES:
                raise
            needs = f"this command needs {package}, which is not installed"
            return stopped(f"error: {needs}: pip install 'eahas[train]'", BAD_INPUT)
    return 0


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, which schedulers and `timeout` send; handled like Ctrl-C."""


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    def terminated(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the saving
        raise _TerminatedError

    if threading.current_thread() is not threading.main_thread():  # only the main thread gets them
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
        description="Predict the learning curve, time and energy of a training without training.",
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
    """Print each of the core's warnings to users as one line, once."""
    from eahas.errors import EstimatedEnergyWarning

    default = warnings.showwarning

    def show(message, category, *rest, **more):  # type: ignore[no-untyped-def]
        if issubclass(category, EstimatedEnergyWarning):
            print(f"{name}: note: {message}", file=sys.stderr)
        else:
            default(message, category, *rest, **more)

    warnings.showwarning = show
    warnings.simplefilter("default", EstimatedEnergyWarning)

"""Parsing arguments: one line for a mistake, and an example in every help page."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from eahas.errors import EahasError

Command = Callable[[argparse.Namespace], None]


class UsageError(EahasError):
    """The command line itself cannot be understood."""


class Parser(argparse.ArgumentParser):
    """argparse, with an error instead of an exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see: {self.prog} --help)")


def add_command(commands: Any, name: str, run: Command, about: str, *examples: str) -> Parser:
    """A command with its one-line description and its examples at the end of `--help`."""
    lines = "".join(f"  {example}\n" for example in examples)
    command: Parser = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"example:\n{lines}" if lines else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def whole(least: int) -> Callable[[str], int]:
    """An argument type: a whole number from `least`."""

    def parsed(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; allowed are whole numbers from {least}")
        return int(text)

    return parsed


def path(text: str) -> str:
    """An argument type: a path. An empty one is a variable that is not set, and no folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text is no path")
    return text


def seconds(text: str) -> float:
    """An argument type: a positive number of seconds."""
    return _positive(text, "seconds")


def watts(text: str) -> float:
    """An argument type: a positive number of watts."""
    return _positive(text, "watts")


def _positive(text: str, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; allowed are positive numbers of {unit}")
    return value


def probability(text: str) -> float:
    """An argument type: a number between 0 and 1, ends excluded."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed are numbers between 0 and 1, as 0.9")
    return value


def add_benchmark(command: Parser) -> None:
    """The arguments that name a benchmark, with its task and its device where it has several."""
    command.add_argument("benchmark", metavar="BENCH", help="name, name@version or folder")
    command.add_argument("--task", help="of a benchmark with several tasks; see eahas list")
    command.add_argument("--device", help="of a benchmark with several devices; see eahas list")

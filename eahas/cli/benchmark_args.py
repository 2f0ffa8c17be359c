"""What every command asks that makes a benchmark folder of records."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

from eahas.benchmark.storage.folder import replaceable
from eahas.benchmark.storage.manifest import NAME
from eahas.cli.arguments import Parser, UsageError, whole
from eahas.errors import shown


def add_making(command: Parser) -> None:
    command.add_argument("spec", metavar="SPEC", help="a spec that ships, or a .yaml or .json file")
    command.add_argument("records", metavar="RECORDS", help="a Parquet file or a sweep folder")
    command.add_argument("--out", metavar="DIR", required=True, help="the benchmark folder")
    command.add_argument("--name", help="of the benchmark; default: that of its space")
    command.add_argument(
        "--version",
        metavar="N",
        type=whole(1),
        help="version of the benchmark; default: the spec's. A published one keeps its answers",
    )
    command.add_argument(
        "--resamples",
        metavar="N",
        type=whole(1),
        default=200,
        help="of the bootstrap; default: 200",
    )


def folder_to_make(arguments: Namespace) -> Path:
    """The folder, if it may be written, once the name is one that a benchmark may have."""
    name = arguments.name
    if name is not None and not re.fullmatch(NAME, name):
        raise UsageError(f"--name {shown(name)}: letters, digits, '.', '_' and '-' only")
    return replaceable(arguments.out)


def path_of(folder: Path) -> str:
    """A folder as a command reads it back, never to be taken for the name of what ships."""
    return str(folder) if len(folder.parts) > 1 else f"./{folder}"

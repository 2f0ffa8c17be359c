"""The arguments of commands that make a benchmark folder from records."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

from eahas.benchmark.storage.folder import replaceable
from eahas.benchmark.storage.manifest import NAME
from eahas.cli.arguments import Parser, UsageError, whole
from eahas.errors import shown


def add_benchmark_args(command: Parser) -> None:
    command.add_argument("spec", metavar="SPEC", help="a spec that ships, or a .yaml or .json file")
    command.add_argument("records", metavar="RECORDS", help="a Parquet file or a sweep folder")
    command.add_argument("--out", metavar="DIR", required=True, help="the benchmark folder")
    command.add_argument("--name", help="name of the benchmark; default: the name of its space")
    command.add_argument(
        "--version",
        metavar="N",
        type=whole(1),
        help="version of the benchmark; default: the spec's. Do not change the predictions of a "
        "published version",
    )
    command.add_argument(
        "--resamples",
        metavar="N",
        type=whole(1),
        default=200,
        help="number of bootstrap resamples; default: 200",
    )


def output_folder(arguments: Namespace) -> Path:
    """The folder of `--out`, after checking `--name` and that the folder may be replaced."""
    name = arguments.name
    if name is not None and not re.fullmatch(NAME, name):
        raise UsageError(f"--name {shown(name)}: letters, digits, '.', '_' and '-' only")
    return replaceable(arguments.out)


def as_argument(folder: Path) -> str:
    """A folder as a command line argument that cannot be mistaken for a shipped benchmark."""
    return str(folder) if len(folder.parts) > 1 else f"./{folder}"

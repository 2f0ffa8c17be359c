"""`eahas assemble`: one benchmark with tasks and devices from several benchmark folders."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from eahas.benchmark.assembly import Source, assemble
from eahas.benchmark.storage.folder import replaceable
from eahas.benchmark.storage.manifest import NAME
from eahas.cli.arguments import UsageError, add_command, whole
from eahas.errors import shown


def add_to(commands: Any) -> None:
    command = add_command(
        commands,
        "assemble",
        run,
        "one benchmark with several tasks or devices from benchmark folders over one space",
        "eahas assemble --name mine --out mine :a100=fits/a100 :pixel2=fits/pixel2",
        "eahas assemble --name mine --out mine cifar10:=accuracy :a100=latency",
    )
    command.add_argument(
        "sources",
        metavar="TASK:DEVICE=FOLDER",
        nargs="+",
        type=source,
        help="a part; leave TASK or DEVICE empty for a part that serves all of them",
    )
    command.add_argument("--out", metavar="DIR", required=True, help="the benchmark folder")
    command.add_argument("--name", required=True, help="of the benchmark")
    command.add_argument("--version", metavar="N", type=whole(1), default=1, help="default: 1")
    command.add_argument("--description", default="", help="default: that of the first part")


def source(text: str) -> Source:
    """An argument type: `TASK:DEVICE=FOLDER`."""
    bound, equals, folder = text.partition("=")
    task, colon, device = bound.partition(":")
    if not equals or not colon or not folder:
        raise ArgumentTypeError(f"{text!r}; allowed: TASK:DEVICE=FOLDER, one side may be empty")
    return Source(Path(folder), task or None, device or None)


def run(arguments: Namespace) -> None:
    if not re.fullmatch(NAME, arguments.name):
        raise UsageError(f"--name {shown(arguments.name)}: letters, digits, '.', '_' and '-' only")
    folder = replaceable(arguments.out)
    assemble(
        arguments.sources,
        folder,
        name=arguments.name,
        version=arguments.version,
        description=arguments.description,
    )
    axes = [
        f"{axis}s {', '.join(dict.fromkeys(values))}"
        for axis in ("task", "device")
        if (values := [v for s in arguments.sources if (v := getattr(s, axis)) is not None])
    ]
    print(f"wrote {folder}: {len(arguments.sources)} parts; {'; '.join(axes) or 'no axes'}")

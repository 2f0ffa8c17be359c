"""The code blocks of the pages: found, run, and their printed results renewed.

    python docs/blocks.py        # renew what README.md and docs/*.md say that their blocks print

A `python` block is run after those above it on its page; a `text` block right below it is what it
prints. A `console` block holds one `$ eahas ...` line, which may end in `| head -N`, and what that
prints; it runs in its place among the others. The pictures are drawn anew as well. Nothing else is
touched.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURES = {"docs/prediction.png": "eahas predict regnet-digits --sample 0 --plot"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what else its first line says, its text, where that stands."""

    language: str
    extra: str
    text: str
    line: int
    start: int
    end: int


def pages() -> list[Path]:
    """README.md and docs/*.md."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(
            found[1],
            found[2].strip(),
            found[3],
            text.count("\n", 0, found.start(3)) + 1,
            found.start(3),
            found.end(3),
        )
        for found in FENCE.finditer(text)
    ]


def run(block: Block, page: Path, names: dict[str, Any]) -> str:
    """Run a python block in a page's names; what it prints. An error names page and line."""
    source = "\n" * (block.line - 1) + block.text
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, str(page), "exec"), names)
    return printed.getvalue()


def answer(block: Block) -> str:
    """A console block with what its command prints now."""
    from eahas.cli import main

    line = block.text.splitlines()[0]
    command, _, most = line.partition(" | head -")
    printed = io.StringIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")) as stream:
        status = main(shlex.split(command.removeprefix("$ eahas ")))
        stream.seek(0)
        printed.write(stream.read())
    if status:
        raise RuntimeError(f"{command}: exit status {status}")
    lines = printed.getvalue().splitlines(keepends=True)
    return "".join([f"{line}\n", *lines[: int(most) if most else None]])


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """A temporary working folder, so that a block may write files."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _right_below(text: str, printed_at: int | None, block: Block) -> bool:
    """Whether a block follows what was run last, with nothing but its fences in between."""
    return printed_at is not None and text[printed_at : block.start].count("\n") <= 3


def renewed(page: Path) -> str:
    """A page with the results that its blocks give now."""
    text, names = page.read_text(encoding="utf-8"), {"__name__": "__main__"}
    changes: list[tuple[Block, str]] = []
    printed, printed_at = "", None
    with elsewhere():
        for block in blocks(text):
            if block.language == "python":
                printed, printed_at = run(block, page, names), block.end
            elif block.language == "text" and _right_below(text, printed_at, block):
                changes.append((block, printed))
            elif block.language == "console":
                changes.append((block, answer(block)))
    for block, content in reversed(changes):
        text = text[: block.start] + content + text[block.end :]
    return text


def main() -> None:
    os.environ["COLUMNS"] = "80"
    for page in pages():
        page.write_text(renewed(page), encoding="utf-8")
    from eahas.cli import main as eahas

    for path, command in PICTURES.items():
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")):
            eahas([*shlex.split(command)[1:], str(ROOT / path)])


if __name__ == "__main__":
    main()

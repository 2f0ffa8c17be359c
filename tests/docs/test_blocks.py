"""Every python and console block of README.md and docs/*.md runs, in order, page by page."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
from pathlib import Path

import pytest

from eahas.api import EstimatedEnergyWarning

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
_found = importlib.util.spec_from_file_location("docs_blocks", ROOT / "docs" / "blocks.py")
docs = importlib.util.module_from_spec(_found)
sys.modules["docs_blocks"] = docs  # its dataclass looks itself up there
_found.loader.exec_module(docs)

PAGES = docs.pages()
LANGUAGES = {"python", "text", "console", "sh", "bash", "yaml", "json", "makefile", "bibtex"}


@pytest.fixture(params=PAGES, ids=[page.name for page in PAGES])
def page(request):
    return request.param


def test_every_block_runs(page):
    names = {"__name__": "__main__"}
    with docs.elsewhere(), warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimatedEnergyWarning)  # the pages say it in words
        for block in docs.blocks(page.read_text(encoding="utf-8")):
            if block.language == "python":
                docs.run(block, page, names)
            elif block.language == "console":
                docs.answer(block)


def test_no_block_is_left_out(page):
    text = page.read_text(encoding="utf-8")
    found = docs.blocks(text)
    assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(found)
    for block in found:
        assert block.language in LANGUAGES, f"{page.name}:{block.line}"
        assert block.extra == "", f"{page.name}:{block.line}"


def test_links_between_the_pages_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'(?:src|href)="([^"#]+)"', text):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_blocks_are_found_with_their_lines():
    found = docs.blocks("a\n```python\nx = 1\n```\nb\n```text\ny\n```\n")
    assert [(b.language, b.text, b.line) for b in found] == [
        ("python", "x = 1\n", 3),
        ("text", "y\n", 7),
    ]


def test_renewing_writes_what_is_printed(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        "```python\nprint(6 * 7)\n```\n```text\nold\n```\nelse\n\n\n\n```text\nkept\n```\n"
        "```console\n$ eahas list --json\nold\n```\n"
    )
    text = docs.renewed(path)
    assert "```text\n42\n```" in text
    assert "kept" in text
    assert "old" not in text
    assert '"regnet-digits"' in text


def test_a_console_block_may_show_the_head_of_what_is_printed():
    whole, cut = (
        docs.answer(docs.blocks(f"```console\n$ eahas list{end}\n```\n")[0])
        for end in ("", " | head -2")
    )
    assert whole.startswith("$ eahas list\n")
    assert cut.splitlines() == ["$ eahas list | head -2", *whole.splitlines()[1:3]]


def test_an_error_in_a_block_names_the_line(tmp_path):
    path = tmp_path / "page.md"
    (block,) = docs.blocks("\n\n```python\nx = 1\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as caught:
        docs.run(block, path, {})
    assert caught.traceback[-1].lineno + 1 == 5


def test_only_what_a_block_prints_is_renewed(tmp_path):
    page = tmp_path / "page.md"
    tree = "```text\nbenchmark/\n    manifest.json\n```\n"
    page.write_text(f"{tree}\n```python\nprint(1 + 1)\n```\n```text\n3\n```\n\nand\n\n{tree}")
    renewed = docs.renewed(page)
    assert renewed == page.read_text().replace("```text\n3\n", "```text\n2\n")


def test_no_block_is_empty(page):
    for block in docs.blocks(page.read_text(encoding="utf-8")):
        assert block.text.strip(), f"{page.name}:{block.line}"

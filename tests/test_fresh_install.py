"""The package in an environment of its own, with numpy and safetensors alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment in which the checkout was installed without extras."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", ROOT]
    subprocess.run(install, check=True, cwd=folder)
    return python


def test_the_first_block_of_the_readme(python: Path, tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    code, output = re.findall(r"```(?:python|text)\n(.*?)```", page, flags=re.DOTALL)[:2]
    ran = subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.stdout == output


def test_nothing_else_was_installed(python: Path) -> None:
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert names - {"pip", "setuptools"} == {"eahas", "numpy", "safetensors"}


def test_a_heavy_command_names_its_extra(python: Path, tmp_path: Path) -> None:
    command = [python, "-m", "eahas", "sweep", "sample", "regnet-digits", "--out", "x"]
    ran = subprocess.run(
        [*command, "--configs", "2"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 2
    assert "pip install 'eahas[train]'" in ran.stderr

"""What is inside the wheel, what it asks for, and that constraints.txt pins all of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import eahas

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("eahas", "regnet_hpo", "surrogates", "sweeps")
CONTRACT = "tests/contract/suites"
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE")
SOURCES = (*ROOMS, "checkpoints", CONTRACT, *FILES)
EXTRAS = (
    "train",
    "records",
    "plot",
    "configspace",
    "moo",
    "trees",
    "ngboost",
    "tune",
    "test",
    "dev",
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        find_spec("build") is None or find_spec("setuptools") is None,
        reason="building a wheel needs build and setuptools: pip install 'eahas[dev]' setuptools",
    ),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of this checkout, built from a copy, so that no build folder is left in it."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy]
    build = subprocess.run(command, check=False, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout + build.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as built:
        yield built


@pytest.fixture
def names(wheel: zipfile.ZipFile) -> set[str]:
    return set(wheel.namelist())


@pytest.fixture
def metadata(wheel: zipfile.ZipFile, names: set[str]) -> Message:
    file = next(name for name in names if name.endswith(".dist-info/METADATA"))
    return message_from_string(wheel.read(file).decode())


def requirements(metadata: Message, *extras: str) -> set[str]:
    """The names that an installation with these extras asks for."""
    found = map(Requirement, metadata.get_all("Requires-Dist", []))
    wanted = [{"extra": extra} for extra in extras or ("",)]
    return {
        canonicalize_name(r.name)
        for r in found
        if r.marker is None or any(r.marker.evaluate(w) for w in wanted)
    }


def test_the_wheel_holds_the_four_rooms_and_nothing_else(names: set[str]) -> None:
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(ROOMS)


def test_the_wheel_holds_every_module(names: set[str]) -> None:
    modules = {str(p.relative_to(ROOT)) for room in ROOMS for p in (ROOT / room).rglob("*.py")}
    assert modules - names == set()


def test_the_wheel_holds_the_contract_suites(names: set[str]) -> None:
    suites = {f"eahas/contract/{path.name}" for path in (ROOT / CONTRACT).glob("*.py")}
    assert "eahas/contract/benchmark.py" in suites
    assert suites - names == set()


def test_the_wheel_holds_the_specs(names: set[str]) -> None:
    specs = {f"sweeps/specs/{path.name}" for path in (ROOT / "sweeps/specs").glob("*.yaml")}
    assert specs
    assert specs - names == set()


def test_the_wheel_holds_the_tuned_settings(names: set[str]) -> None:
    configs = {f"surrogates/configs/{p.name}" for p in (ROOT / "surrogates/configs").glob("*.json")}
    assert configs
    assert configs - names == set()


def test_the_wheel_holds_the_whole_checkpoints_folder_inside_eahas(names: set[str]) -> None:
    if not list((ROOT / "checkpoints").glob("*/manifest.json")):
        pytest.skip("this checkout has no checkpoints yet")
    files = (path for path in (ROOT / "checkpoints").rglob("*") if path.is_file())
    assert {f"eahas/{path.relative_to(ROOT)}" for path in files} - names == set()


def test_the_wheel_is_marked_as_typed(names: set[str]) -> None:
    assert "eahas/py.typed" in names


def test_the_wheel_holds_licence_and_notice(names: set[str], metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    for file in ("LICENSE", "NOTICE"):
        assert any(name.endswith(f".dist-info/licenses/{file}") for name in names)


def test_the_version_has_a_single_source(metadata: Message) -> None:
    assert metadata["Version"] == eahas.__version__


def test_the_core_asks_for_numpy_and_safetensors_alone(metadata: Message) -> None:
    assert requirements(metadata) == {"numpy", "safetensors"}


def test_the_command_is_eahas(wheel: zipfile.ZipFile, names: set[str]) -> None:
    file = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
    assert "eahas = eahas.cli:main" in wheel.read(file).decode()


def test_constraints_pin_everything_that_is_asked_for(metadata: Message) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = {canonicalize_name(p.name) for p in pins if p.marker is None or p.marker.evaluate()}
    assert requirements(metadata, *EXTRAS) - {"eahas"} - here == set()


def test_constraints_name_no_index() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^-", text, flags=re.MULTILINE)

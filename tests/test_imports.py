"""The rooms import one way, and the light core stays light.

The first half reads the import statements of every module; the second imports the core in a fresh
interpreter and looks at what came with it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "eahas": set(),
    "regnet_hpo": {"eahas"},
    "surrogates": {"eahas"},
    "sweeps": {"eahas", "regnet_hpo"},
}
# The boxes inside `eahas`, each with the boxes that it may import. Single modules of the ground
# (errors, checks, settings, ...) are boxes too; a box in no list is refused.
GROUND = {
    *("__init__", "arrays", "checks", "errors", "files", "frozen", "pareto", "plugins", "settings"),
}
SPACES = {*GROUND, "space"}
SPECS = {*SPACES, "energy", "spec"}
BENCHMARKS = {*SPECS, "records", "models", "report"}
BOXES = {
    **{module: {"errors", "checks"} - {module} for module in GROUND},
    "errors": set(),
    "checks": set(),
    "energy": GROUND,
    "space": GROUND,
    "spec": {*SPACES, "energy"},
    "records": SPECS,
    "models": SPECS,
    "report": SPECS,
    "benchmark": BENCHMARKS,
    "search": {*BENCHMARKS, "benchmark"},
    "integrations": {*BENCHMARKS, "benchmark"},
    "explorer": {*BENCHMARKS, "benchmark"},
    "api": {*BENCHMARKS, "benchmark", "search", "integrations"},
    "accel_nasbench": {*BENCHMARKS, "benchmark", "api"},
    "cli": {*BENCHMARKS, "benchmark", "search", "integrations", "api", "accel_nasbench"},
    "__main__": {"cli"},
}
LIGHT = {"numpy", "safetensors"}
HEAVY = {
    *("matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "torch", "yaml"),
    *("xgboost", "lightgbm", "ngboost", "optuna", "ConfigSpace", "fvcore", "pynvml"),
}
COMMAND = "eahas.cli"  # the only way up: its functions load the other rooms


class Import(NamedTuple):
    """`deferred`: in a function or under TYPE_CHECKING, so not run when the module is imported.

    `box` is the part of the module's name after its package, empty for the package itself.
    """

    package: str
    line: int
    deferred: bool
    box: str = ""


def imports_of(source: str) -> list[Import]:
    """The absolute imports of a module, by statement or by `import_module("...")`.

    Relative imports stay inside their room and are left out.
    """
    return list(_walk(ast.parse(source), deferred=False))


def _walk(node: ast.AST, *, deferred: bool) -> Iterator[Import]:
    for name in _imported(node):
        package, _, rest = name.partition(".")
        yield Import(package, node.lineno, deferred, rest.split(".")[0])
    inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        typing = isinstance(node, ast.If) and child in node.body and _asks_for_types(node.test)
        yield from _walk(child, deferred=inside or typing)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        module = str(node.module)
        if "." in module:
            return [module]
        return [f"{module}.{alias.name}" for alias in node.names]  # `from eahas import api`
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func).split(".")[-1]
        if called in ("import_module", "__import__"):
            return [str(node.args[0].value)]
    return []


def _asks_for_types(test: ast.expr) -> bool:
    return ast.unparse(test).split(".")[-1] == "TYPE_CHECKING"


def modules_of(room: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / room).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def is_command(module: str) -> bool:
    return module == COMMAND or module.startswith(COMMAND + ".")


def printed_by(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn", Import("torch", 1, False, "nn")),
        ("from sweeps.plan import load_plan", Import("sweeps", 1, False, "plan")),
        ("try:\n  import yaml\nexcept ImportError: ...", Import("yaml", 2, False)),
        ("from eahas import api as a", Import("eahas", 1, False, "api")),
        ("class A:\n  import yaml", Import("yaml", 2, False)),
        ("def f():\n  import yaml", Import("yaml", 2, True)),
        ("if TYPE_CHECKING:\n  import yaml", Import("yaml", 2, True)),
        ("if TYPE_CHECKING: ...\nelse:\n  import yaml", Import("yaml", 3, False)),
        ("importlib.import_module('sweeps.plan')", Import("sweeps", 1, False, "plan")),
    ],
)
def test_every_kind_of_import_is_seen(source: str, expected: Import) -> None:
    assert imports_of(source) == [expected]


def test_relative_imports_stay_in_their_room() -> None:
    assert imports_of("from . import a\nfrom .b import c") == []


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    above = MAY_IMPORT.keys() - MAY_IMPORT[room] - {room}
    breaches = [
        f"{module}:{found.line} imports {found.package}"
        for module, path in modules_of(room)
        for found in imports_of(path.read_text(encoding="utf-8"))
        if found.package in above and not (is_command(module) and found.deferred)
    ]
    assert breaches == []


def box_of(module: str) -> str:
    """The box of a module of `eahas`: the folder or the single module below it."""
    return module.split(".")[1] if "." in module else "__init__"


def test_every_module_of_the_core_stands_in_a_box() -> None:
    assert {box_of(module) for module, _ in modules_of("eahas")} <= BOXES.keys()


def test_a_box_imports_only_the_boxes_below_it() -> None:
    boxes = {box_of(module) for module, _ in modules_of("eahas")}
    breaches = [
        f"{module}:{found.line} imports {found.box}"
        for module, path in modules_of("eahas")
        for found in imports_of(path.read_text(encoding="utf-8"))
        if found.package == "eahas"
        and found.box in boxes - BOXES[box_of(module)] - {box_of(module)}
    ]
    assert breaches == []


def test_the_boxes_have_no_circle() -> None:
    order: list[str] = []
    while len(order) < len(BOXES):
        ready = [b for b, below in BOXES.items() if b not in order and below - {b} <= {*order}]
        assert ready, sorted(BOXES.keys() - {*order})
        order += ready


def test_the_core_imports_only_numpy_and_safetensors_at_the_top() -> None:
    allowed = LIGHT | sys.stdlib_module_names | {"eahas"}
    breaches = [
        f"{module}:{found.line} imports {found.package}"
        for module, path in modules_of("eahas")
        for found in imports_of(path.read_text(encoding="utf-8"))
        if not found.deferred and found.package not in allowed
    ]
    assert breaches == []


def test_importing_the_whole_core_loads_nothing_heavy() -> None:
    modules = [name for name, _ in modules_of("eahas") if not name.endswith("__main__")]
    code = f"import sys, json, {', '.join(modules)}\nprint(json.dumps(list(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(printed_by(code))}
    assert "eahas" in loaded
    assert loaded & (HEAVY | (MAY_IMPORT.keys() - {"eahas"})) == set()


def test_the_version_is_read_without_numpy() -> None:
    code = "import sys, eahas\nprint(eahas.__version__, 'numpy' in sys.modules)"
    version, loaded = printed_by(code).split()
    assert version[0].isdigit()
    assert loaded == "False"

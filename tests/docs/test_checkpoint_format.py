"""docs/checkpoint-format.md has a table of the arrays of each kind; it says what the specs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from eahas.arrays import ArraySpec, Dim
from eahas.benchmark.storage import ensemble_folder, table_folder
from eahas.models import support
from eahas.models.curves import codecs
from eahas.models.regressors import kernel, mlp, trees
from eahas.models.uncertainty import seed_noise

PAGE = Path(__file__).parents[2] / "docs" / "checkpoint-format.md"
NOISE_ARRAYS = (seed_noise.ARRAYS[0], seed_noise.SINGLE_POSITION, *seed_noise.ARRAYS[1:])
TABLES = {
    "mlp": ("", mlp.ARRAYS),
    "trees": ("", trees.ARRAYS),
    "kernel": ("", kernel.ARRAYS),
    "codec": (ensemble_folder.CODEC, codecs.ARRAYS),
    "seed noise": (ensemble_folder.NOISE, NOISE_ARRAYS),
    "support": ("", support.ARRAYS),
    "table": ("", table_folder.ARRAYS),
}


def size(dim: int | Dim) -> str:
    if isinstance(dim, int):
        return str(dim)
    return dim.name if dim == Dim(dim.name) else dim.name + dim.limits


def row(prefix: str, spec: ArraySpec) -> str:
    shape = ", ".join(map(size, spec.dims))
    cells = (f"`{prefix}{spec.name}`", spec.dtype, f"({shape})", spec.values, spec.description)
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("kind", TABLES)
def test_the_page_has_the_table_of_the_arrays(kind: str) -> None:
    prefix, specs = TABLES[kind]
    head = "| array | type | shape | values | meaning |\n| --- | --- | --- | --- | --- |\n"
    expected = head + "\n".join(row(prefix, spec) for spec in specs) + "\n"
    assert expected in PAGE.read_text(encoding="utf-8"), f"the table of {kind}:\n\n{expected}"


def test_the_page_has_no_other_arrays() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `") and line.count(" | ") == 4]
    assert len(rows) == sum(len(specs) for _, specs in TABLES.values())

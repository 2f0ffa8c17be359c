"""Where benchmarks lie and how they are named: `name`, `name@version`, `name/model`, a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eahas.checkpoint import BENCHMARK, MANIFEST, read_manifest
from eahas.errors import CheckpointError, unknown

PREFIX = "checkpoints/"
HOW_TO_MAKE = (
    "make one with: eahas sweep sample SPEC --out SWEEP, eahas sweep launch SWEEP, "
    "eahas sweep collect SWEEP, eahas fit SPEC SWEEP/records.parquet --out FOLDER"
)


def roots() -> list[Path]:
    """Folders that hold shipped benchmarks: inside the installed package, or beside the source."""
    package = Path(__file__).resolve().parent
    places = (package / "checkpoints", package.parent / "checkpoints")
    return [place for place in places if place.is_dir()]


def shipped() -> dict[str, Path]:
    """The folder of every benchmark that ships by `name@version`; versions in order."""
    found: dict[tuple[str, int], Path] = {}
    for root in roots():
        for path in sorted(root.glob(f"*/{MANIFEST}")):
            manifest = read_manifest(path.parent, BENCHMARK)
            found.setdefault((manifest["spec"]["name"], int(manifest["version"])), path.parent)
    return {f"{name}@{version}": found[name, version] for name, version in sorted(found)}


def locate(name_or_path: str | Path) -> tuple[Path, str | None]:
    """The benchmark folder of a name or path, and the model inside it that was named, if any.

    Accepted: a path to a benchmark or to an ensemble inside one; `regnet-digits`,
    `regnet-digits@1`, `regnet-digits/runtime_s`, each with `checkpoints/` before it or not. Without
    a version the newest is meant. Raises CheckpointError naming what ships and how to make one.
    """
    path = Path(name_or_path)
    if (path / MANIFEST).is_file():
        return path, None
    if len(path.parts) > 1 and (path.parent / MANIFEST).is_file():
        return path.parent, path.name
    given = str(name_or_path).replace("\\", "/").removeprefix("./").removeprefix(PREFIX)
    name, _, model = given.strip("/").partition("/")
    ships = shipped()
    if "@" in name and name in ships:
        return ships[name], model or None
    newest = {full.partition("@")[0]: folder for full, folder in ships.items()}
    if name in newest:
        return newest[name], model or None
    if path.exists():
        read_manifest(path, BENCHMARK)  # says what is wrong with the folder
    allowed = sorted({*newest, *ships})
    raise CheckpointError(f"{unknown('benchmark', str(name_or_path), allowed)}; {HOW_TO_MAKE}")


def describe(folder: Path) -> dict[str, Any]:
    """A benchmark in a few plain facts, from its manifest alone."""
    manifest = read_manifest(folder, BENCHMARK)
    return {
        "name": manifest["spec"]["name"],
        "version": manifest["version"],
        "description": manifest["spec"].get("description", ""),
        "targets": {t["name"]: t["unit"] for t in manifest["targets"]},
        "energy_source": manifest["energy"]["source"],
        "runs": manifest["provenance"]["runs"],
    }

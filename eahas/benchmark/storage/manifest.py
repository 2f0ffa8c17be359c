"""A manifest: the JSON at the heart of a folder, its entries looked up by name and by kind.

Whatever stands in the file, a look-up answers with a value of the wanted kind or with a
CheckpointError that names the file, the entry and what is allowed.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from eahas.checks import is_number, is_whole
from eahas.errors import CheckpointError, EahasError, shown, unknown
from eahas.frozen import frozen
from eahas.spec.spec import Spec, spec_from_dict

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
BENCHMARK = "eahas-benchmark"
ENSEMBLE = "eahas-ensemble"
TABLE = "eahas-table"
CUMULATIVE = "eahas-cumulative"
MODELS = (ENSEMBLE, TABLE, CUMULATIVE)  # what a benchmark is made of
READERS = {BENCHMARK: "load_benchmark", **dict.fromkeys(MODELS, "load_ensemble")}
FOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*").fullmatch  # the name of a folder beside it
Kind = str | tuple[str, ...] | None
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".model")
FILES_SEARCHED = 1000  # for a pickle to name in a message
NAME = r"[A-Za-z0-9._-]+"  # of a benchmark


@dataclass(frozen=True)
class Manifest:
    """A manifest and the path of its file. `content` is plain JSON."""

    path: Path
    content: Mapping[str, Any]

    def refuse(self, why: object) -> NoReturn:
        raise CheckpointError(f"{self.path}: {why}")

    @contextmanager
    def explaining(self, entry: str) -> Iterator[None]:
        """Whatever is wrong with what an entry describes becomes a CheckpointError."""
        try:
            yield
        except CheckpointError:
            raise
        except EahasError as error:
            raise CheckpointError(f"{self.path}: {entry}: {error}") from None

    @property
    def kind(self) -> str:
        return str(self.content["format"])

    def entry(self, name: str, *inside: str) -> Any:
        """The value of an entry by its dotted name, as `energy.source`.

        `inside` are further keys, whole: names of targets, which may have dots.
        """
        value: Any = self.content
        for key in (*name.split("."), *inside):
            if not isinstance(value, Mapping) or key not in value:
                self.refuse(f"{'.'.join((name, *inside))} is missing")
            value = value[key]
        return value

    def text(self, name: str) -> str:
        value = self.entry(name)
        return str(self._value(name, value, isinstance(value, str), "is text"))

    def flag(self, name: str) -> bool:
        value = self.entry(name)
        return bool(self._value(name, value, isinstance(value, bool), "is true or false"))

    def whole(self, name: str, least: int) -> int:
        value = self.entry(name)
        valid = is_whole(value) and value >= least
        return int(self._value(name, value, valid, f"is a whole number from {least}"))

    def section(self, name: str) -> Mapping[str, Any]:
        value = self.entry(name)
        valid = isinstance(value, Mapping)
        checked: Mapping[str, Any] = self._value(name, value, valid, "is an object")
        return checked

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of different texts."""
        value = self.entry(name)
        valid = isinstance(value, list) and all(isinstance(v, str) for v in value)
        valid = valid and len(set(value)) == len(value)
        return tuple(self._value(name, value, valid, "is a list of different texts"))

    def folders(self, name: str) -> tuple[str, ...]:
        """A list of one or more folders beside the manifest, none of them a way out."""
        value = self._some_texts(name)
        for folder in value:
            allowed = "are names of folders beside it, of letters, digits, '.', '_' and '-'"
            self._value(name, folder, FOLDER(folder) is not None, allowed)
        return value

    def choice(self, name: str, allowed: Collection[str]) -> str:
        """One of the allowed texts."""
        value = self.text(name)
        if value not in allowed:
            self.refuse(unknown(name, value, allowed))
        return value

    def choices(self, name: str, kind: str, allowed: Collection[str]) -> tuple[str, ...]:
        """A list of one or more of the allowed texts, all different; `kind` is what they name."""
        value = self._some_texts(name)
        for text in value:
            if text not in allowed:
                self.refuse(f"{name}: {unknown(kind, text, allowed)}")
        return value

    def _some_texts(self, name: str) -> tuple[str, ...]:
        value = self.texts(name)
        if not value:
            self.refuse(f"{name} is empty; at least one is needed")
        return value

    def numbers(
        self, name: str, count: int, low: float, high: float, *inside: str
    ) -> tuple[float, ...]:
        """A list of so many numbers in [low, high]."""
        value = self.entry(name, *inside)
        valid = isinstance(value, list) and len(value) == count
        valid = valid and all(_is_finite(v) and low <= v <= high for v in value)
        name, allowed = ".".join((name, *inside)), f"are {count} numbers in {low:g}..{high:g}"
        return tuple(map(float, self._value(name, value, valid, allowed)))

    def _value(self, name: str, value: Any, valid: bool, allowed: str) -> Any:
        """The value of an entry, if it is valid; else CheckpointError saying what is allowed."""
        if not valid:
            self.refuse(f"{name} {allowed}, got {shown(value)}")
        return value

    def spec(self) -> Spec:
        """The spec that stands in the manifest."""
        with self.explaining("spec"):
            return spec_from_dict(self.section("spec"))


def read_manifest(folder: str | Path, kind: Kind = None) -> Manifest:
    """The manifest of a folder, of the wanted kind, or of one of several, where that is given.

    Raises CheckpointError saying what is wrong with which file.
    """
    path = Path(folder) / MANIFEST
    if not os.path.isfile(path):  # where Path.is_file raises for names that no file can have
        raise CheckpointError(_not_a_checkpoint(Path(folder)))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    return parse_manifest(content, path, kind)


def parse_manifest(content: bytes, path: Path, kind: Kind = None) -> Manifest:
    """The manifest in the bytes of a file; `path` names it in messages."""
    try:
        parsed = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise CheckpointError(f"{path} is not JSON: nested too deeply") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("files"), dict):
        raise CheckpointError(f"{path} is no manifest of eahas: files is missing")
    given, version = parsed.get("format"), parsed.get("format_version")
    kinds = (kind,) if isinstance(kind, str) else kind or tuple(READERS)
    if not isinstance(given, str) or given not in kinds:
        reader = READERS.get(given) if isinstance(given, str) else None
        hint = f": {reader} reads it" if reader else ""
        wanted = " or ".join(kinds)
        raise CheckpointError(f"{path} has format {shown(given)}, wanted {wanted}{hint}")
    if isinstance(version, bool) or version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format_version {shown(version)}; this eahas reads {FORMAT_VERSION}"
        )
    return Manifest(path, frozen(parsed))


def name_of(content: Mapping[str, Any]) -> str:
    """The name of a benchmark: its own where it has one, else that of its space."""
    return str(content.get("name", content["spec"]["name"]))


def _not_a_checkpoint(folder: Path) -> str:
    pickled = "pickles are never loaded"
    if not os.path.isdir(folder):
        if folder.suffix in PICKLE_SUFFIXES and os.path.isfile(folder):
            return f"{folder} is no folder but a file, by its name a pickle; {pickled}"
        return f"{folder} is not a folder"
    inside = islice(folder.rglob("*"), FILES_SEARCHED)
    pickles = sorted(f.name for f in inside if f.suffix in PICKLE_SUFFIXES)
    found = f"; it holds {pickles[0]}, and {pickled}" if pickles else ""
    return f"{folder} is no eahas checkpoint: {MANIFEST} is missing{found}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _is_finite(value: Any) -> bool:
    return is_whole(value) or (is_number(value) and math.isfinite(value))

"""The manifest of a folder: a JSON file whose entries are looked up by name and type.

A look-up returns a value of the requested type, or raises a CheckpointError that names the file,
the entry and what is allowed.
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
MODELS = (ENSEMBLE, TABLE, CUMULATIVE)  # formats of the models of a benchmark
READERS = {BENCHMARK: "load_benchmark", **dict.fromkeys(MODELS, "load_ensemble")}
FOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*").fullmatch  # names of folders
Kind = str | tuple[str, ...] | None
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".model")
FILES_SEARCHED = 1000  # files of a folder that are searched for a pickle, for the error message
NAME = r"[A-Za-z0-9._-]+"  # names of benchmarks


@dataclass(frozen=True)
class Manifest:
    """A manifest and the path of its file. `content` is plain JSON."""

    path: Path
    content: Mapping[str, Any]

    def refuse(self, why: object) -> NoReturn:
        raise CheckpointError(f"{self.path}: {why}")

    @contextmanager
    def explaining(self, entry: str) -> Iterator[None]:
        """Turn an EahasError about the content of an entry into a CheckpointError."""
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
        """The value of an entry by its dotted name, for example `energy.source`.

        `inside` are further keys that may contain dots, as names of targets do.
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

    def whole(self, name: str, low: int) -> int:
        value = self.entry(name)
        valid = is_whole(value) and value >= low
        return int(self._value(name, value, valid, f"is a whole number from {low}"))

    def section(self, name: str) -> Mapping[str, Any]:
        value = self.entry(name)
        valid = isinstance(value, Mapping)
        checked: Mapping[str, Any] = self._value(name, value, valid, "is an object")
        return checked

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of distinct texts."""
        value = self.entry(name)
        valid = isinstance(value, list) and all(isinstance(v, str) for v in value)
        valid = valid and len(set(value)) == len(value)
        return tuple(self._value(name, value, valid, "is a list of different texts"))

    def folders(self, name: str) -> tuple[str, ...]:
        """A list of one or more names of folders in the folder of the manifest."""
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
        """A list of one or more distinct allowed texts; `kind` says what they name, in messages."""
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
        """A list of `count` finite numbers in [low, high]."""
        value = self.entry(name, *inside)
        valid = isinstance(value, list) and len(value) == count
        valid = valid and all(_is_finite(v) and low <= v <= high for v in value)
        name, allowed = ".".join((name, *inside)), f"are {count} numbers in {low:g}..{high:g}"
        return tuple(map(float, self._value(name, value, valid, allowed)))

    def _value(self, name: str, value: Any, valid: bool, allowed: str) -> Any:
        """The value of an entry if it is valid; CheckpointError with what is allowed otherwise."""
        if not valid:
            self.refuse(f"{name} {allowed}, got {shown(value)}")
        return value

    def spec(self) -> Spec:
        """The spec in the section `spec` of the manifest."""
        with self.explaining("spec"):
            return spec_from_dict(self.section("spec"))


def read_manifest(folder: str | Path, kind: Kind = None) -> Manifest:
    """Read the manifest of a folder. Its format must be `kind`, or one of several, if given.

    Raises CheckpointError, which names the file and the reason, if it is missing or malformed.
    """
    path = Path(folder) / MANIFEST
    if not os.path.isfile(path):  # Path.is_file raises for names that no file can have
        raise CheckpointError(_not_a_checkpoint(Path(folder)))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    return parse_manifest(content, path, kind)


def parse_manifest(content: bytes, path: Path, kind: Kind = None) -> Manifest:
    """The manifest of the bytes of a file; `path` is its path, for messages."""
    try:
        parsed = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except RecursionError:
        raise CheckpointError(f"{path} is not JSON: nested too deeply") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("files"), dict):
        raise CheckpointError(f"{path} is not a manifest of eahas: files is missing")
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
    """The name of a benchmark: the entry `name` of its manifest, else the name of its space."""
    return str(content.get("name", content["spec"]["name"]))


def _not_a_checkpoint(folder: Path) -> str:
    pickled = "pickles are never loaded"
    if not os.path.isdir(folder):
        if folder.suffix in PICKLE_SUFFIXES and os.path.isfile(folder):
            return (
                f"{folder} is a file, not a folder, and its suffix is that of a pickle; {pickled}"
            )
        return f"{folder} is not a folder"
    inside = islice(folder.rglob("*"), FILES_SEARCHED)
    pickles = sorted(f.name for f in inside if f.suffix in PICKLE_SUFFIXES)
    hint = f"; it contains {pickles[0]}, and {pickled}" if pickles else ""
    return f"{folder} is not an eahas checkpoint: {MANIFEST} is missing{hint}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _is_finite(value: Any) -> bool:
    return is_whole(value) or (is_number(value) and math.isfinite(value))

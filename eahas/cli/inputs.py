"""What the commands read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from eahas.cli.arguments import path
from eahas.errors import ConfigError, EahasError
from eahas.records.records import Records
from eahas.spec.spec import Spec


def read_json(source: str) -> Any:
    """The content of a JSON file, or of stdin for `-`; ConfigError where it cannot be read."""
    name = "stdin" if source == "-" else source
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_once)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError where a name stands twice, of which json would take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return found


def read_records_of(source: str | Path, spec: Spec) -> Records:
    """The records of a Parquet file, or of the finished runs of a sweep folder."""
    from eahas.records.parquet import as_stored, read_records

    file = Path(source)
    return as_stored(_finished(file)[1], spec) if file.is_dir() else read_records(file, spec)


def add_records(command: Any, what: str) -> None:
    """The arguments that `read_with_spec` reads."""
    command.add_argument("records", metavar="RECORDS", type=path, help=what)
    command.add_argument(
        "--spec", type=path, help="needed for a Parquet file of a spec of your own"
    )


def read_with_spec(source: str | Path, spec: str | None) -> tuple[Spec, Records]:
    """Records with their spec: the named one, or that of the sweep folder.

    A Parquet file of a spec that ships needs no name.
    """
    from eahas.records.parquet import as_stored, read_records, read_rows
    from sweeps.specs import list_specs, load_spec

    file = Path(source)
    if file.is_dir():
        own, finished_runs = _finished(file)
        chosen = own if spec is None else load_spec(spec)
        return chosen, as_stored(finished_runs, chosen)
    if spec is None:
        spec = next((row.get("space") for row in read_rows(file)), None)
        if spec not in list_specs():
            held = "no column space" if spec is None else f"runs of {spec}, no spec that ships"
            raise EahasError(f"{file} holds {held}: give --spec FILE")
    chosen = load_spec(spec)
    return chosen, read_records(file, chosen)


def _finished(folder: Path) -> tuple[Spec, Records]:
    """The spec of a sweep folder and the records of its finished runs. Nothing is written."""
    from sweeps.collect import finished

    return finished(folder)

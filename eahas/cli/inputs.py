"""Reading of the files that commands take as input."""

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
    """The content of a JSON file, or of stdin for `-`.

    Raises:
        ConfigError: the file cannot be read, is not JSON, or repeats a name in an object.
    """
    name = "stdin" if source == "-" else source
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_unique_names)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not JSON: {error}") from None


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError for a repeated name, of which json would use the last value."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{repeated!r} occurs twice in one object")
    return content


def read_records_of(source: str | Path, spec: Spec) -> Records:
    """The records of a Parquet file, or of the finished runs of a sweep folder."""
    from eahas.records.parquet import as_stored, read_records

    file = Path(source)
    return as_stored(_finished(file)[1], spec) if file.is_dir() else read_records(file, spec)


def add_records_args(command: Any, description: str) -> None:
    """Add the arguments of `read_with_spec`."""
    command.add_argument("records", metavar="RECORDS", type=path, help=description)
    command.add_argument(
        "--spec", type=path, help="needed for a Parquet file whose spec does not ship"
    )


def read_with_spec(source: str | Path, spec: str | None) -> tuple[Spec, Records]:
    """Records and their spec: that of the sweep folder, the given one, or a shipped one.

    A Parquet file contains the name of its spec, so a spec that ships need not be given.
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
            problem = (
                "has no column space"
                if spec is None
                else f"contains runs of {spec}, which is not a spec that ships"
            )
            raise EahasError(f"{file} {problem}: give --spec FILE")
    chosen = load_spec(spec)
    return chosen, read_records(file, chosen)


def _finished(folder: Path) -> tuple[Spec, Records]:
    """The spec of a sweep folder and the records of its finished runs. Nothing is written."""
    from sweeps.collect import finished

    return finished(folder)

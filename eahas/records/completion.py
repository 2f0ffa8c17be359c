"""The values that a records file may leave out, and how they are filled in.

The file of a sweep has every column that the schema needs. The file of another trainer usually has
only its parameters and its targets. This module fills in the values that follow from these columns,
row by row. The strict check of `eahas.records.schema` runs afterwards and sees every value of the
file. docs/record-schema.md has the rules for users.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from eahas.checks import is_number, is_whole
from eahas.errors import ConfigError, RecordError, suggest
from eahas.space.parameters import Choice
from eahas.spec.schedule import EVERY_EPOCH, MAX_EPOCH, Schedule
from eahas.spec.spec import Spec

NOT_GIVEN = "not given"  # the reason of a run that is not ok and states no reason
MAX_SHOWN = 12  # column names in an error message
Row = dict[str, Any]


def completed(
    rows: Sequence[Mapping[str, Any]], spec: Spec, columns: Sequence[str] = ()
) -> list[Row]:
    """The rows of a file (nulls left out) with the missing values filled in.

    A column is filled in only if no row has it; `epochs` and `reason` also in single rows.
    `columns` are all columns of the file, for error messages. Raises RecordError if a file without
    a status lacks a column of the spec, if a run ended early and has no status, and if a file
    without run_id contains a run twice.
    """
    given = {name for row in rows for name in row}
    if rows and "status" not in given:
        _check_columns(given, columns, spec)
    whole = [_completed(row, at, given, spec) for at, row in enumerate(rows)]
    if "config_id" not in given:
        for row in whole:
            row["config_id"] = _config_id(row, spec)
    if "seed" not in given:
        _count_seeds(whole)
    if "run_id" not in given:
        _refuse_duplicates(whole, {"run_id"} if "seed" in given else {"run_id", "seed"})
    return whole


def _completed(row_of_file: Mapping[str, Any], at: int, given: set[str], spec: Spec) -> Row:
    """One row; `given` are the columns that have a value in any row."""
    row = dict(row_of_file)
    if "run_id" not in given:
        row["run_id"] = f"row-{at}"
    for name in ("run_id", "config_id"):
        if is_whole(row.get(name)):
            row[name] = str(row[name])
    if "space" not in given:
        row["space"] = spec.name
    if "space_version" not in given:
        row["space_version"] = spec.version
    if isinstance(row.get("started_at"), datetime.datetime):
        row["started_at"] = row["started_at"].isoformat()
    _fill_constants(row, given, spec)
    _read_choices(row, spec)
    divergence = _trim_curves(row, spec)
    if "status" not in given:
        _derive_status(row, divergence, spec)
    if row.get("status") in ("diverged", "failed"):
        row.setdefault("reason", NOT_GIVEN)
        _drop_infinite(row, spec)
    if "epochs" not in row:
        _derive_epochs(row, spec)
    return row


def _check_columns(given: set[str], columns: Sequence[str], spec: Spec) -> None:
    """Raise RecordError unless a file without a status has every column of a successful run."""
    constant = _constants(spec)
    needed = {
        p.name: "parameter"
        for p in spec.space.parameters
        if p.condition is None and p.name not in constant
    }
    needed |= {t.name: t.kind for t in spec.targets if not t.optional}
    missing = [name for name in needed if name not in given]
    if not missing:
        return
    others = [name for name in columns if name not in needed] or sorted(given)
    hints = (suggest(name, others) for name in missing)
    named = ", ".join(f"{name} ({needed[name]})" for name in missing)
    listed = ", ".join(others[:MAX_SHOWN]) + (", ..." if len(others) > MAX_SHOWN else "")
    raise RecordError(
        f"the file has no values of {named}, which {spec.name} needs; other columns: {listed}"
        f"{next(filter(None, hints), '')}"
    )


def _constants(spec: Spec) -> dict[str, Any]:
    """The parameters with a single choice, by name. A file need not contain them."""
    return {
        p.name: p.choices[0]
        for p in spec.space.parameters
        if isinstance(p, Choice) and len(p.choices) == 1 and p.condition is None
    }


def _fill_constants(row: Row, given: set[str], spec: Spec) -> None:
    for name, value in _constants(spec).items():
        if name not in given:
            row[name] = value


def _read_choices(row: Row, spec: Spec) -> None:
    """Replace the values of choices in a file by the choices themselves.

    A choice among words and numbers is text in a file. A boolean is often 0 or 1, or text.
    """
    for parameter in spec.space.parameters:
        value = row.get(parameter.name)
        if value is None or not isinstance(parameter, Choice):
            continue
        if all(isinstance(choice, bool) for choice in parameter.choices):
            row[parameter.name] = _boolean(value)
        elif isinstance(value, str) and any(isinstance(c, str) for c in parameter.choices):
            by_text = {str(choice): choice for choice in parameter.choices}
            row[parameter.name] = by_text.get(value, value)


def _boolean(value: Any) -> Any:
    """A boolean from 0, 1 or a word; any other value unchanged."""
    known = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}
    word = value.lower() if isinstance(value, str) else value
    return known.get(word, value) if isinstance(word, (str, int, float)) else value


def _trim_curves(row: Row, spec: Spec) -> str:
    """Remove the nulls and NaNs at the end of each curve.

    Returns why the run diverged if a curve ends before the configured epoch, else "". Raises
    RecordError if a value inside a curve is not a number.
    """
    planned, divergence = _configured_epochs(row, spec), ""
    for target in spec.curves:
        values = row.get(target.name)
        if not isinstance(values, list):
            continue
        end = len(values)
        while end and not _is_finite(values[end - 1]):
            end -= 1
        gap = next((k for k, value in enumerate(values[:end]) if not _is_finite(value)), None)
        if gap is not None:
            raise RecordError(
                f"record {row['run_id']!r}: {target.name}: value {gap + 1} is {values[gap]}, but "
                f"value {end} is a number; fill the gap, or end the curve before it"
            )
        count = 0 if planned is None else target.schedule.counts(planned)
        if end < len(values) and planned is not None and end < count and not divergence:
            epoch = target.schedule.epoch_at(end, planned)
            divergence = f"{target.name} is not a finite number from epoch {epoch} on"
        row[target.name] = values[:end]
    return divergence


def _derive_status(row: Row, divergence: str, spec: Spec) -> None:
    """Diverged if a curve stops being a number, failed if a target is missing, else ok."""
    _drop_infinite(row, spec)
    missing = [t.name for t in spec.targets if not t.optional and t.name not in row]
    too_short = _too_short(row, spec)
    if divergence:
        row["status"], row["reason"] = "diverged", divergence
    elif missing:
        row["status"], row["reason"] = "failed", f"no {', '.join(missing)}"
    elif too_short:
        raise RecordError(
            f"record {row['run_id']!r}: {too_short}; a run that ended early is diverged or failed: "
            "add a column status (ok, diverged or failed)"
        )
    else:
        row["status"] = "ok"


def _drop_infinite(row: Row, spec: Spec) -> None:
    for target in spec.scalars:
        value = row.get(target.name)
        if isinstance(value, float) and not math.isfinite(value):
            del row[target.name]


def _too_short(row: Mapping[str, Any], spec: Spec) -> str:
    """An error text for the first curve with fewer values than configured epochs, else ""."""
    planned = _configured_epochs(row, spec) or 0
    for target in spec.curves:
        values, count = row.get(target.name), target.schedule.counts(planned)
        if isinstance(values, list) and len(values) < count:
            given = f"{len(values)} values"
            if not target.schedule.is_every_epoch:
                given = f"{len(values)} of {count} values"
            return f"{target.name} has {given}, but {spec.space.fidelity} is {planned}"
    return ""


def _derive_epochs(row: Row, spec: Spec) -> None:
    """The number of epochs that the curves show; without curves the configured one.

    A curve shows that a run reached the epoch of its last value, but not that of the next one. If
    curves disagree, the run ended before the earliest epoch that a curve lacks.
    """
    curves = [t for t in spec.curves if isinstance(row.get(t.name), list)]
    is_ok = row.get("status") == "ok"
    planned = 1 if spec.space.fidelity is None else _configured_epochs(row, spec) or 0
    if not curves:
        row["epochs"] = planned if is_ok else 0
        return
    shown = [_shown_epochs(t.schedule, len(row[t.name]), planned) for t in curves]
    ends, limits = zip(*shown, strict=True)
    row["epochs"] = min(max(ends), *limits)
    if not is_ok:
        scheduled = {t.name: t.schedule for t in curves}
        for name, value in row.items():
            if isinstance(value, list):
                schedule = scheduled.get(name, EVERY_EPOCH)
                row[name] = value[: schedule.reached(row["epochs"], planned)]


def _shown_epochs(schedule: Schedule, count: int, planned: int) -> tuple[int, int]:
    """The least and the largest number of finished epochs that `count` values of a curve mean."""
    if schedule.is_every_epoch:
        return count, count
    if count >= schedule.counts(planned):
        return planned, planned
    ended = schedule.epoch_at(count - 1, planned) if count else 0
    return ended, max(schedule.epoch_at(count, planned) - 1, 0)


def _configured_epochs(row: Mapping[str, Any], spec: Spec) -> int | None:
    value: Any = row.get(spec.space.fidelity) if spec.space.fidelity else None
    return min(int(value), MAX_EPOCH) if is_number(value) and math.isfinite(value) else None


def _config_id(row: Mapping[str, Any], spec: Spec) -> str:
    """A hash of the configuration."""
    config = {name: row[name] for name in spec.space.names if name in row}
    try:
        checked = spec.space.check(config)
    except ConfigError as error:
        raise RecordError(f"record {row.get('run_id')!r}: {error}") from None
    return hashlib.sha256(json.dumps(checked, sort_keys=True).encode()).hexdigest()[:12]


def _count_seeds(rows: Sequence[Row]) -> None:
    """Set the seeds 0, 1, 2, ... of the runs of each configuration, in the order of the file."""
    next_seed: dict[Any, int] = {}
    for row in rows:
        config_id = row.get("config_id")
        row["seed"] = next_seed.get(config_id, 0)
        next_seed[config_id] = row["seed"] + 1


def _refuse_duplicates(rows: Sequence[Mapping[str, Any]], filled: set[str]) -> None:
    """Raise RecordError if two successful rows are equal in all columns that the file has.

    `filled` are the columns that were filled in.
    """
    first_of: dict[str, str] = {}
    for row in rows:
        if row.get("status") != "ok":
            continue
        values = {name: value for name, value in row.items() if name not in filled}
        first = first_of.setdefault(json.dumps(values, sort_keys=True, default=repr), row["run_id"])
        if first != row["run_id"]:
            raise RecordError(
                f"record {row['run_id']!r} is a duplicate of {first!r}: the configuration and all "
                "values are equal; remove one of them, or add a column run_id"
            )


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)

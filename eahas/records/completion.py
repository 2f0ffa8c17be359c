"""What a records file may leave out, and what is read in its place.

A sweep's file has every column that the schema needs. A file of another trainer has its parameters,
its targets and little else. What follows from these, or can mean one thing only, is filled in here,
row by row; the strict check of `eahas.records.schema` comes after and sees every value that the
file has. docs/record-schema.md has the rules for users.
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

NOT_GIVEN = "not given"  # the reason of a run that is not ok and has none
SHOWN = 12  # names of columns in a message
Row = dict[str, Any]


def completed(
    rows: Sequence[Mapping[str, Any]], spec: Spec, columns: Sequence[str] = ()
) -> list[Row]:
    """The rows of a file, nulls left out, with what they do not say filled in.

    A column is filled in only where no row has it; `epochs` and `reason` of each run that has none.
    `columns` are all that the file has, for messages. Raises RecordError where a file without a
    status lacks a column of the spec, where a run ended early and nothing says how, and where a
    file without run_id holds a run twice.
    """
    stated = {name for row in rows for name in row}
    if rows and "status" not in stated:
        _check_columns(stated, columns, spec)
    whole = [_completed(row, at, stated, spec) for at, row in enumerate(rows)]
    if "config_id" not in stated:
        for row in whole:
            row["config_id"] = _config_id(row, spec)
    if "seed" not in stated:
        _count_seeds(whole)
    if "run_id" not in stated:
        _check_once(whole, {"run_id"} if "seed" in stated else {"run_id", "seed"})
    return whole


def _completed(given: Mapping[str, Any], at: int, stated: set[str], spec: Spec) -> Row:
    row = dict(given)
    if "run_id" not in stated:
        row["run_id"] = f"row-{at}"
    for name in ("run_id", "config_id"):
        if is_whole(row.get(name)):
            row[name] = str(row[name])
    if "space" not in stated:
        row["space"] = spec.name
    if "space_version" not in stated:
        row["space_version"] = spec.version
    if isinstance(row.get("started_at"), datetime.datetime):
        row["started_at"] = row["started_at"].isoformat()
    _fill_constants(row, stated, spec)
    _read_choices(row, spec)
    broken = _without_ends(row, spec)
    if "status" not in stated:
        _derive_status(row, broken, spec)
    if row.get("status") in ("diverged", "failed"):
        row.setdefault("reason", NOT_GIVEN)
        _drop_infinite(row, spec)
    if "epochs" not in row:
        _derive_epochs(row, spec)
    return row


def _check_columns(stated: set[str], columns: Sequence[str], spec: Spec) -> None:
    """A file that says nothing of failed runs has every column that a good run needs."""
    constant = _constants(spec)
    needed = {
        p.name: "parameter"
        for p in spec.space.parameters
        if p.condition is None and p.name not in constant
    }
    needed |= {t.name: t.kind for t in spec.targets if not t.optional}
    lacking = [name for name in needed if name not in stated]
    if not lacking:
        return
    there = [name for name in columns if name not in needed] or sorted(stated)
    hints = (suggest(name, there) for name in lacking)
    named = ", ".join(f"{name} ({needed[name]})" for name in lacking)
    listed = ", ".join(there[:SHOWN]) + (", ..." if len(there) > SHOWN else "")
    raise RecordError(
        f"the file has no values of {named}, which {spec.name} needs; other columns: {listed}"
        f"{next(filter(None, hints), '')}"
    )


def _constants(spec: Spec) -> dict[str, Any]:
    """The parameters that have one value alone, which no file needs to repeat."""
    return {
        p.name: p.choices[0]
        for p in spec.space.parameters
        if isinstance(p, Choice) and len(p.choices) == 1 and p.condition is None
    }


def _fill_constants(row: Row, stated: set[str], spec: Spec) -> None:
    for name, value in _constants(spec).items():
        if name not in stated:
            row[name] = value


def _read_choices(row: Row, spec: Spec) -> None:
    """What a choice stands for in a file is read.

    A choice among words and numbers stands as text there, and a truth often as 0 or 1, or as text.
    """
    for parameter in spec.space.parameters:
        given = row.get(parameter.name)
        if given is None or not isinstance(parameter, Choice):
            continue
        if all(isinstance(choice, bool) for choice in parameter.choices):
            row[parameter.name] = _truth(given)
        elif isinstance(given, str) and any(isinstance(c, str) for c in parameter.choices):
            named = {str(choice): choice for choice in parameter.choices}
            row[parameter.name] = named.get(given, given)


def _truth(given: Any) -> Any:
    known = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}
    word = given.lower() if isinstance(given, str) else given
    return known.get(word, given) if isinstance(word, (str, int, float)) else given


def _without_ends(row: Row, spec: Spec) -> str:
    """Curves lose the nulls and NaNs at their end; why the run broke off, where that was early."""
    planned, why = _planned(row, spec), ""
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
                f"record {row['run_id']!r}: {target.name}: value {gap + 1} is {values[gap]}, and "
                f"value {end} is a number again; fill the gap, or end the curve before it"
            )
        count = 0 if planned is None else target.schedule.counts(planned)
        if end < len(values) and planned is not None and end < count and not why:
            epoch = target.schedule.epoch_at(end, planned)
            why = f"{target.name} is no finite number from epoch {epoch}"
        row[target.name] = values[:end]
    return why


def _derive_status(row: Row, broken: str, spec: Spec) -> None:
    """ok with all targets, diverged where a curve stopped being a number, else failed."""
    _drop_infinite(row, spec)
    lacking = [t.name for t in spec.targets if not t.optional and t.name not in row]
    short = _short(row, spec)
    if broken:
        row["status"], row["reason"] = "diverged", broken
    elif lacking:
        row["status"], row["reason"] = "failed", f"no {', '.join(lacking)}"
    elif short:
        raise RecordError(
            f"record {row['run_id']!r}: {short}; a run that ended early is diverged or failed: "
            "say which in a column status (ok, diverged or failed)"
        )
    else:
        row["status"] = "ok"


def _drop_infinite(row: Row, spec: Spec) -> None:
    for target in spec.scalars:
        value = row.get(target.name)
        if isinstance(value, float) and not math.isfinite(value):
            del row[target.name]


def _short(row: Mapping[str, Any], spec: Spec) -> str:
    """What is said of the first curve that ends before the configuration does."""
    planned = _planned(row, spec) or 0
    for target in spec.curves:
        values, wanted = row.get(target.name), target.schedule.counts(planned)
        if isinstance(values, list) and len(values) < wanted:
            of = "" if target.schedule.is_every_epoch else f" of {wanted}"
            where = f"where {spec.space.fidelity} is {planned}"
            return f"{target.name} has {len(values)}{of} values {where}"
    return ""


def _derive_epochs(row: Row, spec: Spec) -> None:
    """As many as the curves show; without curves as many as the configuration says.

    A curve shows that a run got to the epoch of its last value, and not to that of the next one.
    Where curves disagree, the run ended before the earliest epoch that a curve lacks.
    """
    curves = [t for t in spec.curves if isinstance(row.get(t.name), list)]
    ended_well = row.get("status") == "ok"
    planned = 1 if spec.space.fidelity is None else _planned(row, spec) or 0
    if not curves:
        row["epochs"] = planned if ended_well else 0
        return
    shown = [_shown_epochs(t.schedule, len(row[t.name]), planned) for t in curves]
    ends, limits = zip(*shown, strict=True)
    row["epochs"] = min(max(ends), *limits)
    if not ended_well:
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


def _planned(row: Mapping[str, Any], spec: Spec) -> int | None:
    given: Any = row.get(spec.space.fidelity) if spec.space.fidelity else None
    return min(int(given), MAX_EPOCH) if is_number(given) and math.isfinite(given) else None


def _config_id(row: Mapping[str, Any], spec: Spec) -> str:
    """A name that follows from the configuration alone."""
    config = {name: row[name] for name in spec.space.names if name in row}
    try:
        checked = spec.space.check(config)
    except ConfigError as error:
        raise RecordError(f"record {row.get('run_id')!r}: {error}") from None
    return hashlib.sha256(json.dumps(checked, sort_keys=True).encode()).hexdigest()[:12]


def _count_seeds(rows: Sequence[Row]) -> None:
    """0, 1, 2, ... among the runs of one configuration, in the order of the file."""
    seen: dict[Any, int] = {}
    for row in rows:
        name = row.get("config_id")
        row["seed"] = seen.get(name, 0)
        seen[name] = row["seed"] + 1


def _check_once(rows: Sequence[Mapping[str, Any]], filled: set[str]) -> None:
    """Without names of runs, two rows that agree in all they say are one run that stands twice."""
    seen: dict[str, str] = {}
    for row in rows:
        if row.get("status") != "ok":
            continue
        told = {name: value for name, value in row.items() if name not in filled}
        first = seen.setdefault(json.dumps(told, sort_keys=True, default=repr), row["run_id"])
        if first != row["run_id"]:
            raise RecordError(
                f"record {row['run_id']!r} is {first!r} once more: the same configuration and the "
                "same values; drop one, or name the runs in a column run_id"
            )


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)

"""The record schema: one row per run, and the check of rows against it.

A row is a flat dictionary with the columns below, one column per parameter (its dotted name), one
list column per curve target and one float column per scalar target. docs/record-schema.md explains
each column for users.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.checks import is_number
from eahas.energy.energy_source import KNOWN_SOURCES, NO_SOURCE
from eahas.energy.energy_source import MIXED as MIXED
from eahas.errors import ConfigError, RecordError, shown, unknown
from eahas.records.energies import check_energies
from eahas.records.records import ASIDE, Records
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

STATUSES = ("ok", "diverged", "failed")
SPLITS = ("train", "valid", "test", "")
ROLES = ("main", "repeat", "anchor", "control", "")
CONTROL = "control"
ENERGY_METHODS = ("whole", "window", "")
ENERGY_SOURCES = (*KNOWN_SOURCES, "")  # a spec may declare others
NO_ENERGY = NO_SOURCE
MAX_INTEGER = 2**63 - 1  # an int64
MAX_FLOAT = 3e38  # a single: curves are stored and surrogates are fitted in single precision
SINGLE = 1e-7  # relative tolerance of a bound, because a file has curves in single precision
TOTAL = 1e-6  # relative tolerance between the end of a cumulative curve and its total
NO_RECORDS = "no records; a sweep's collect stage writes them"
ALLOWED = {
    "text": "text",
    "int": "a whole number",
    "float": "a finite number, or null where there is none",
    "floats": "a list of finite numbers, one per epoch",
}


@dataclass(frozen=True)
class Column:
    """A column that is neither a parameter nor a target."""

    name: str
    kind: str  # "text", "int", "float" or "floats" (one number per epoch)
    meaning: str
    unit: str = ""
    required: bool = False


COLUMNS = (
    Column("run_id", "text", "unique name of the run", required=True),
    Column("space", "text", "name of the spec", required=True),
    Column("space_version", "int", "version of the spec", required=True),
    Column(
        "config_id",
        "text",
        "identifier of the configuration, shared by all its runs",
        required=True,
    ),
    Column("seed", "int", "seed of initialisation, batches and augmentation", required=True),
    Column("status", "text", "ok, diverged or failed", required=True),
    Column("reason", "text", "why a run is not ok, else empty"),
    Column("split", "text", "train, valid or test split of the benchmark; empty: undecided"),
    Column("role", "text", "main, repeat, anchor or control"),
    Column("epochs", "int", "number of finished epochs", required=True),
    Column("epoch_time_s", "floats", "training wall time of each epoch", "s"),
    Column("epoch_cpu_s", "floats", "training CPU time of each epoch", "s"),
    Column("epoch_energy_j", "floats", "training energy of each epoch", "J"),
    Column("wall_s", "float", "training wall time in total", "s"),
    Column("cpu_time_s", "float", "training CPU time in total", "s"),
    Column("eval_time_s", "float", "wall time of precise BN and evaluation in total", "s"),
    Column("eval_energy_j", "float", "energy of precise BN and evaluation in total", "J"),
    Column("test_time_s", "float", "time of one inference pass over the test set", "s"),
    Column("largest_batch", "int", "largest batch size that fits, used for `batched_image_s`"),
    Column("single_image_s", "float", "inference time of a single image", "s"),
    Column("single_image_j", "float", "inference energy of a single image", "J"),
    Column("batched_image_s", "float", "inference time per image in the largest batch", "s"),
    Column("batched_image_j", "float", "inference energy per image in the largest batch", "J"),
    Column("train_energy_gpu_j", "float", "part of the training energy used by the GPU", "J"),
    Column("train_energy_cpu_j", "float", "part of the training energy used by the processor", "J"),
    Column("train_energy_dram_j", "float", "part of the training energy used by the memory", "J"),
    Column(
        "train_energy_total_j",
        "float",
        "training energy of the node, all parts",
        "J",
    ),
    Column("energy_parts", "text", "energy source of each part, as JSON"),
    Column(
        "energy_method", "text", "whole: all epochs were metered; window: some epochs, then scaled"
    ),
    Column("metered_epochs", "int", "number of epochs behind the training time and energy"),
    Column("energy_source", "text", "where the energies come from: a known or a declared source"),
    Column("energy_boundary", "text", "what the energies cover: cpu, gpu, gpu+cpu, node or wall"),
    Column("energy_flags", "text", "flags of the training energy reading, comma-separated"),
    Column("test_energy_flags", "text", "flags of the inference energy reading, comma-separated"),
    Column("energy_formula", "text", "how the joules were computed"),
    Column("energy_missing", "text", "why an energy is missing, else empty"),
    Column("energy_reading", "text", "further facts about the training energy reading, as JSON"),
    Column("idle_power_w", "float", "idle power before the run", "W"),
    Column(
        "energy_samples", "int", "number of power or counter readings behind the training energy"
    ),
    Column("energy_disagreement", "float", "relative difference between counter and samples"),
    Column("flops", "float", "multiply-adds per image"),
    Column("params", "float", "number of parameters"),
    Column("acts", "float", "number of output elements of convolutional and linear layers"),
    Column("device", "text", "name of the training device"),
    Column("data_source", "text", "name of the data set, such as cifar10 or cifar10-jpeg"),
    Column("data_fingerprint", "text", "hash of all images and labels that were used"),
    Column("recipe", "text", "hash of all settings that the spec fixes"),
    Column("machine", "text", "fingerprint of the machine"),
    Column("machine_facts", "text", "the facts behind the fingerprint, as JSON"),
    Column(
        "machine_factor",
        "float",
        "slowness of the machine during the run, relative to the reference",
    ),
    Column("started_at", "text", "start of the run, ISO 8601, UTC"),
    Column("software", "text", "versions of eahas, torch and Python"),
)
KINDS = {c.name: c.kind for c in COLUMNS}
AS_JSON_TEXT = ("energy_parts", "energy_reading", "machine_facts")


def check_row(row: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    """The canonical form of one row: plain Python values, nulls and unknown columns left out.

    Raises RecordError naming the run, the field, what was given and what is allowed.
    """
    if not isinstance(row, Mapping):
        raise RecordError(f"a record is a mapping, got {shown(row)}")
    try:
        return _checked(row, spec)
    except (RecordError, ConfigError) as error:
        raise RecordError(f"record {shown(row.get('run_id'))}: {error}") from None


def _checked(row: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    _check_names(spec)
    for column in COLUMNS:
        if column.required and row.get(column.name) is None:
            raise RecordError(f"{column.name} is missing ({column.meaning})")
    targets = {t.name: "floats" if t.kind == "curve" else "float" for t in spec.targets}
    spreads = {spread_of(t): "float" for t in spec.scalars}
    values = {
        name: _value(name, kind, row[name])
        for name, kind in (KINDS | targets | spreads).items()
        if row.get(name) is not None
    }
    if (values["space"], values["space_version"]) != (spec.name, spec.version):
        raise RecordError(
            f"belongs to {values['space']}@{values['space_version']}, "
            f"not to {spec.name}@{spec.version}"
        )
    closed = (
        ("status", STATUSES),
        ("split", SPLITS),
        ("role", ROLES),
        ("energy_method", ENERGY_METHODS),
    )
    for name, allowed in closed:
        if values.get(name, allowed[-1]) not in allowed:
            raise RecordError(unknown(name, values[name], [a for a in allowed if a]))
    _check_readable(values)
    config = spec.space.check(config_of(row, spec))
    _check_epochs(values, config, spec)
    _check_targets(values, spec)
    check_energies(values, spec)
    ordered = {name: values[name] for name in KINDS if name in values and name not in targets}
    return ordered | config | {n: values[n] for n in (*targets, *spreads) if n in values}


def spread_of(target: Target) -> str:
    """The column with the standard deviation of repeated measurements within a run."""
    return f"{target.name}_std"


def _check_readable(values: Mapping[str, Any]) -> None:
    """Raise RecordError unless the JSON texts, `started_at` and `machine_factor` are valid."""
    for name in AS_JSON_TEXT:
        try:
            json.loads(values.get(name) or "{}")
        except (ValueError, RecursionError):
            raise RecordError(f"{name} is {shown(values[name])}; allowed: JSON") from None
    try:
        started_at(values)
    except ValueError:
        given = shown(values["started_at"])
        raise RecordError(f"started_at is {given}; allowed: a time of ISO 8601") from None
    _check_machine_factor(values.get("machine_factor", 1.0))


def _check_machine_factor(factor: float) -> None:
    if not factor > 0:
        raise RecordError(f"machine_factor is {factor:g}; allowed: above 0")


def started_at(row: Mapping[str, Any]) -> datetime.datetime | None:
    """The start of a run, or None if its record does not contain it."""
    given = row.get("started_at")
    return datetime.datetime.fromisoformat(given.replace("Z", "+00:00")) if given else None


def _check_names(spec: Spec) -> None:
    """Raise RecordError if a parameter or a target has the name of a record column.

    A scalar target may be a float column, such as `test_time_s`, and a curve a floats column.
    """
    for name in spec.space.names:
        if name in KINDS:
            raise RecordError(
                f"{spec.name}: the parameter {name} has the name of a record column; rename it"
            )
    for target in spec.targets:
        kind = "floats" if target.kind == "curve" else "float"
        if KINDS.get(target.name, kind) != kind:
            raise RecordError(
                f"{spec.name}: the target {target.name} has the name of a record column of "
                f"another kind ({KINDS[target.name]}); rename it"
            )


def _value(name: str, kind: str, given: Any) -> Any:
    """A value as plain Python; RecordError if it is not of its kind."""
    if kind == "text" and isinstance(given, str):
        return given
    if kind == "floats" and isinstance(given, (list, tuple, np.ndarray)):
        return _numbers(name, given).tolist()
    if kind == "int" and _is_number(given) and int(given) == given:
        return int(given)
    if kind == "float" and is_number(given) and abs(given) < math.inf:
        if abs(given) > MAX_FLOAT:
            raise RecordError(f"{name} is {shown(given)}; allowed: up to {MAX_FLOAT:g}")
        return float(given)
    text = kind == "floats" and isinstance(given, str)
    hint = " (this is text: parse it with json.loads)" if text else ""
    raise RecordError(f"{name} is {shown(given)}; allowed: {ALLOWED[kind]}{hint}")


def _is_number(given: Any) -> bool:
    """Whether it is a number (not a boolean) in the range of an int64, and so finite."""
    return is_number(given) and bool(-MAX_INTEGER <= given <= MAX_INTEGER)


def _numbers(name: str, given: Sequence[Any] | np.ndarray) -> np.ndarray:
    """float64 (n,), all finite. Strings, nulls and booleans are refused."""
    try:
        values = np.asarray(given)
    except (ValueError, OverflowError):
        values = np.asarray(None)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise RecordError(f"{name} is {shown(given)}; allowed: {ALLOWED['floats']}")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise RecordError(f"{name}: value {at + 1} is {values[at]}; allowed: {ALLOWED['floats']}")
    if values.size and np.abs(values).max() > MAX_FLOAT:
        raise RecordError(f"{name} contains {np.abs(values).max():g}; allowed: up to {MAX_FLOAT:g}")
    return values


def _check_epochs(values: Mapping[str, Any], config: Mapping[str, Any], spec: Spec) -> None:
    epochs, status, planned = values["epochs"], values["status"], values["epochs"]
    if epochs < 0:
        raise RecordError(f"epochs is {epochs}; allowed: whole numbers from 0")
    if status != "ok" and not values.get("reason"):
        raise RecordError(f"a run with status {status} needs its reason")
    if spec.space.fidelity is not None:
        planned = config[spec.space.fidelity]
        if epochs > planned:
            raise RecordError(f"{epochs} epochs where {spec.space.fidelity} is {planned}")
        if status == "ok" and epochs != planned:
            raise RecordError(
                f"status ok with {epochs} of {planned} epochs; "
                "a run that ended early is diverged or failed"
            )
    curves = {target.name: target for target in spec.curves}
    for name, value in values.items():
        if name in curves and not curves[name].schedule.is_every_epoch:
            _check_schedule(curves[name], value, epochs, planned)
        elif isinstance(value, list) and len(value) != epochs:
            raise RecordError(f"{name} has {len(value)} values for {epochs} epochs")


def _check_schedule(curve: Target, value: list[float], epochs: int, planned: int) -> None:
    """One value for each scheduled epoch that was finished; a run of 0 epochs may have none."""
    wanted = curve.schedule.reached(epochs, planned)
    if len(value) == wanted or (epochs == 0 and not value):
        return
    scheduled = shown(curve.schedule.epochs_of(planned)[:wanted].tolist())
    raise RecordError(
        f"{curve.name} has {len(value)} values; after {epochs} of {planned} epochs it has "
        f"{wanted}, at the epochs {scheduled}"
    )


def _check_targets(values: Mapping[str, Any], spec: Spec) -> None:
    for target in spec.targets:
        if target.name not in values:
            if values["status"] == "ok" and not target.optional:
                raise RecordError(f"{target.name} is missing from a run with status ok")
            continue
        low = -math.inf if target.low is None else target.low
        high = math.inf if target.high is None else target.high
        given = np.atleast_1d(values[target.name])
        outside = (given < low - SINGLE * abs(low)) | (given > high + SINGLE * abs(high))
        if outside.any():
            raise RecordError(
                f"{target.name} contains {given[outside][0]:g}; allowed: {low:g}..{high:g}"
            )
        if target.kind == "curve" and target.cumulative:
            _check_cumulative(target, values)


def _check_cumulative(curve: Target, values: Mapping[str, Any]) -> None:
    """A cumulative curve never falls, and that of a whole run ends at its total."""
    value = values[curve.name]
    falls = np.flatnonzero(np.diff(value) < 0)
    if len(falls):
        at = int(falls[0])
        raise RecordError(
            f"{curve.name}: value {at + 2} is {value[at + 1]:g}, below value {at + 1}, "
            f"{value[at]:g}; a cumulative curve never falls"
        )
    total = values.get(curve.total) if curve.total else None
    if total is None or values["status"] != "ok" or not value:
        return
    if abs(value[-1] - total) > TOTAL * abs(total):
        raise RecordError(
            f"{curve.name} ends at {value[-1]:.9g} and its total {curve.total} is {total:.9g}; "
            "they must be equal, or the curve must have no total in the spec"
        )


def config_of(row: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    """The flat configuration of a row, unchecked; absent and null parameters are left out."""
    return {name: row[name] for name in spec.space.names if row.get(name) is not None}


def check_rows(rows: Iterable[Mapping[str, Any]], spec: Spec) -> Records:
    """The rows as checked `Records`; Records of the same spec are returned as they are.

    Each row must pass `check_row`. No run_id may occur twice. The runs of a configuration share one
    config_id and one split, and a config_id belongs to one configuration; otherwise a held-out run
    could be a run of a configuration that the fit was trained on. Raises RecordError.
    """
    if isinstance(rows, Records) and rows.spec == spec:
        return rows
    checked = [check_row(row, spec) for row in rows]
    if not checked:
        raise RecordError(NO_RECORDS)
    seen: set[str] = set()
    first_of: dict[str, tuple[dict[str, Any], str]] = {}
    ids: dict[tuple[Any, ...], str] = {}
    for row in checked:
        name = f"record {row['run_id']!r}"
        if row["run_id"] in seen:
            raise RecordError(f"{name} occurs twice")
        seen.add(row["run_id"])
        if row.get("role") in ASIDE:
            continue
        config, split = config_of(row, spec), row.get("split", "")
        first = first_of.setdefault(row["config_id"], (config, split))
        if first[0] != config:
            raise RecordError(
                f"{name}: config_id {row['config_id']!r} belongs to another configuration"
            )
        known = ids.setdefault(tuple(config.items()), row["config_id"])
        if known != row["config_id"]:
            raise RecordError(
                f"{name}: config_id {row['config_id']!r}, but the same configuration has the "
                f"config_id {known!r}; all runs of a configuration share one config_id"
            )
        if first[1] != split:
            raise RecordError(
                f"{name}: split {split!r}, but another run of its configuration is in "
                f"{first[1]!r}; all runs of a configuration belong to one split"
            )
    return Records._of_checked(checked, spec)


def with_machine_factors(records: Records, factors: Mapping[str, float]) -> Records:
    """The records with the `machine_factor` of each run_id, which alone is checked.

    Raises RecordError for a factor that is not a positive number.
    """
    rows = []
    for row in records:
        factor = _value("machine_factor", "float", factors[row["run_id"]])
        _check_machine_factor(factor)
        rows.append({**row, "machine_factor": factor})
    return Records._of_checked(rows, records.spec)

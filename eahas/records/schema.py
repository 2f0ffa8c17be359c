"""The record schema: one row a run, checked when written and when read.

A row is a flat dictionary. The columns below stand in every row; beside them stand one column a
parameter (its dotted name), one list column a curve target and one float column a scalar target.
docs/record-schema.md explains each for users.
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
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

STATUSES = ("ok", "diverged", "failed")
SPLITS = ("train", "valid", "test", "")
ROLES = ("main", "repeat", "anchor", "control", "")
ANCHOR, CONTROL = "anchor", "control"
ASIDE = (ANCHOR, CONTROL)  # roles of runs that stand on no side and are fitted by nobody
ENERGY_METHODS = ("whole", "window", "")
ENERGY_SOURCES = (*KNOWN_SOURCES, "")  # a spec may declare others
NO_ENERGY = NO_SOURCE
MAX_INTEGER = 2**63 - 1  # an int64
MAX_FLOAT = 3e38  # a single, as curves are stored and surrogates are fitted
SINGLE = 1e-7  # relative; what a bound forgives, because a file holds curves in single precision
ALLOWED = {
    "text": "text",
    "int": "a whole number",
    "float": "a finite number, or null where there is none",
    "floats": "a list of finite numbers, one an epoch",
}


@dataclass(frozen=True)
class Column:
    """A column that is no parameter and no target: name, kind, meaning and unit."""

    name: str
    kind: str  # "text", "int", "float" or "floats" (one number an epoch)
    meaning: str
    unit: str = ""
    required: bool = False


COLUMNS = (
    Column("run_id", "text", "unique name of the run", required=True),
    Column("space", "text", "name of the spec", required=True),
    Column("space_version", "int", "version of the spec", required=True),
    Column("config_id", "text", "runs of one configuration share it", required=True),
    Column("seed", "int", "seed of initialisation, batches and augmentation", required=True),
    Column("status", "text", "ok, diverged or failed", required=True),
    Column("reason", "text", "why a run is not ok, else empty"),
    Column("split", "text", "train, valid or test side of the benchmark; empty: undecided"),
    Column("role", "text", "main, repeat, anchor or control"),
    Column("epochs", "int", "epochs that were finished", required=True),
    Column("epoch_time_s", "floats", "training wall time of each epoch", "s"),
    Column("epoch_cpu_s", "floats", "training CPU time of each epoch", "s"),
    Column("epoch_energy_j", "floats", "training energy of each epoch", "J"),
    Column("wall_s", "float", "training wall time in total", "s"),
    Column("cpu_time_s", "float", "training CPU time in total", "s"),
    Column("eval_time_s", "float", "wall time of precise BN and evaluation in total", "s"),
    Column("eval_energy_j", "float", "energy of precise BN and evaluation in total", "J"),
    Column("test_time_s", "float", "time of one inference pass over the test set", "s"),
    Column("largest_batch", "int", "the batch of `batched_image_s`: the largest that fitted"),
    Column("single_image_s", "float", "time of inference on one image alone", "s"),
    Column("single_image_j", "float", "energy of inference on one image alone", "J"),
    Column("batched_image_s", "float", "time of inference an image, in the largest batch", "s"),
    Column("batched_image_j", "float", "energy of inference an image, in the largest batch", "J"),
    Column("train_energy_gpu_j", "float", "of the training energy, that of the GPU", "J"),
    Column("train_energy_cpu_j", "float", "of the training energy, that of the processor", "J"),
    Column("train_energy_dram_j", "float", "of the training energy, that of the memory", "J"),
    Column("train_energy_total_j", "float", "training energy of the whole node, as known", "J"),
    Column("energy_parts", "text", "where each of these comes from, as JSON"),
    Column("energy_method", "text", "whole: all epochs were metered; window: some, and scaled"),
    Column("metered_epochs", "int", "epochs behind the training's time and energy"),
    Column("energy_source", "text", "where the energies come from: a known or a declared source"),
    Column("energy_boundary", "text", "what they cover: cpu, gpu, gpu+cpu, node or wall"),
    Column("energy_flags", "text", "flags of the training's reading, comma-separated"),
    Column("test_energy_flags", "text", "flags of the inference's reading, comma-separated"),
    Column("energy_formula", "text", "how the joules were computed"),
    Column("energy_missing", "text", "why an energy is empty, else empty"),
    Column("energy_reading", "text", "what else the meter knew of the training energy, as JSON"),
    Column("idle_power_w", "float", "power before the run", "W"),
    Column("energy_samples", "int", "power or counter readings behind the training energy"),
    Column("energy_disagreement", "float", "relative difference of counter and samples"),
    Column("flops", "float", "multiply-adds of one image"),
    Column("params", "float", "parameters"),
    Column("acts", "float", "output elements of convolutions and linears"),
    Column("device", "text", "what trained"),
    Column("data_source", "text", "what the images were: cifar10-jpeg is not cifar10"),
    Column("data_fingerprint", "text", "hash of every image and label that was used"),
    Column("recipe", "text", "hash of all that the spec fixes around a configuration"),
    Column("machine", "text", "fingerprint of the machine"),
    Column("machine_facts", "text", "what the fingerprint is made of, as JSON"),
    Column("machine_factor", "float", "how slow the machine was then; the reference is 1"),
    Column("started_at", "text", "start, ISO 8601, UTC"),
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
    """The column with the standard deviation of what a run measured several times."""
    return f"{target.name}_std"


def _check_readable(values: Mapping[str, Any]) -> None:
    """Texts that are read later can be read, and times can be divided by the machine's factor."""
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
    if not values.get("machine_factor", 1.0) > 0:
        raise RecordError(f"machine_factor is {values['machine_factor']:g}; allowed: above 0")


def started_at(row: Mapping[str, Any]) -> datetime.datetime | None:
    """When a run began, where its record says so."""
    given = row.get("started_at")
    return datetime.datetime.fromisoformat(given.replace("Z", "+00:00")) if given else None


def _check_names(spec: Spec) -> None:
    """A target may be one of the columns (`test_time_s`, say); nothing else may share a name."""
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
    """A value as plain Python; RecordError where it is not of its kind."""
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
    hint = " (this is text: read it with json.loads)" if text else ""
    raise RecordError(f"{name} is {shown(given)}; allowed: {ALLOWED[kind]}{hint}")


def _is_number(given: Any) -> bool:
    """No larger than an int64, and so finite; a truth is no number."""
    return is_number(given) and bool(-MAX_INTEGER <= given <= MAX_INTEGER)


def _numbers(name: str, given: Sequence[Any] | np.ndarray) -> np.ndarray:
    """float64 (n,), all finite. Strings, nulls and truths are no numbers."""
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
        raise RecordError(f"{name} holds {np.abs(values).max():g}; allowed: up to {MAX_FLOAT:g}")
    return values


def _check_epochs(values: Mapping[str, Any], config: Mapping[str, Any], spec: Spec) -> None:
    epochs, status = values["epochs"], values["status"]
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
    for name, value in values.items():
        if isinstance(value, list) and len(value) != epochs:
            raise RecordError(f"{name} has {len(value)} values for {epochs} epochs")


def _check_targets(values: Mapping[str, Any], spec: Spec) -> None:
    for target in spec.targets:
        if target.name not in values:
            if values["status"] == "ok" and not target.optional:
                raise RecordError(f"{target.name} is missing from a run with status ok")
            continue
        low = -math.inf if target.low is None else target.low
        high = math.inf if target.high is None else target.high
        found = np.atleast_1d(values[target.name])
        outside = (found < low - SINGLE * abs(low)) | (found > high + SINGLE * abs(high))
        if outside.any():
            raise RecordError(
                f"{target.name} holds {found[outside][0]:g}; allowed: {low:g}..{high:g}"
            )


def config_of(row: Mapping[str, Any], spec: Spec) -> dict[str, Any]:
    """The flat configuration of a row (unchecked); absent and null parameters are left out."""
    return {name: row[name] for name in spec.space.names if row.get(name) is not None}


def check_rows(rows: Iterable[Mapping[str, Any]], spec: Spec) -> list[dict[str, Any]]:
    """`check_row` on each, and the whole: no run twice, a configuration's runs on one side.

    A configuration has one `config_id` and a `config_id` one configuration: else a held-out run
    could be one that the fit has seen.
    """
    checked = [check_row(row, spec) for row in rows]
    if not checked:
        raise RecordError("no records; a sweep's collect stage writes them")
    seen: set[str] = set()
    sides: dict[str, tuple[dict[str, Any], str]] = {}
    names: dict[tuple[Any, ...], str] = {}
    for row in checked:
        name = f"record {row['run_id']!r}"
        if row["run_id"] in seen:
            raise RecordError(f"{name} stands twice")
        seen.add(row["run_id"])
        if row.get("role") in ASIDE:
            continue
        config, split = config_of(row, spec), row.get("split", "")
        first = sides.setdefault(row["config_id"], (config, split))
        if first[0] != config:
            raise RecordError(f"{name}: config_id {row['config_id']!r} is another configuration's")
        known = names.setdefault(tuple(config.items()), row["config_id"])
        if known != row["config_id"]:
            raise RecordError(
                f"{name}: config_id {row['config_id']!r}, but the same configuration has the "
                f"config_id {known!r}; runs of one configuration share it"
            )
        if first[1] != split:
            raise RecordError(
                f"{name}: split {split!r}, but another run of its configuration is in "
                f"{first[1]!r}; all runs of one stand on one side"
            )
    return checked

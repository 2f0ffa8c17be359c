"""Read and write tables. docs/checkpoint-format.md documents the format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eahas.arrays import FINITE, ArraySpec, Bounds, Dim, check_contents, check_names
from eahas.benchmark.storage.ensemble_folder import (
    MAX_FACTOR,
    check_epochs,
    describe_error_quantiles,
    naming,
    read_error_quantiles,
)
from eahas.benchmark.storage.folder import read_tensors, tensor_bytes
from eahas.benchmark.storage.manifest import TABLE, Manifest, read_manifest
from eahas.errors import CheckpointError, EahasError, shown, unknown
from eahas.models.table import Table
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.models.uncertainty.seed_variance import SeedVariance
from eahas.space.parameters import is_active
from eahas.space.space import MAX_POINTS, Space
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

FILE = "runs.safetensors"
KEYS, PRESENT, VALUES, PRIOR = "keys", "present", "values.", "typical."
PERCENT, MAX_SCALE = 100.0, 65_535
MAX_NUMBERS = 500_000_000  # numbers of a padded array of one target; more do not fit into memory
MAX_ROUNDING = 1e-12  # relative difference between the end of a cumulative curve and its total
COUNTS = ("uint8", "uint16")
KNOTS = Dim("knots", low=0)
POSITIVE = Bounds(0.0, above_low=True)
RUN_ARRAYS = (
    ArraySpec(
        KEYS,
        "int32",
        ("configurations", "parameters"),
        "the index of each value on the grid of its parameter, -1 if the parameter is inactive; "
        "all rows differ",
        Bounds(-1),
    ),
    ArraySpec(
        PRESENT,
        "bool",
        ("configurations", "seeds"),
        "whether the run exists; each configuration has at least one run",
    ),
)
CURVE = ArraySpec(
    f"{VALUES}TARGET",
    f"float32 or {' or '.join(COUNTS)}",
    ("epochs of all runs",),
    "a curve: one number for each scheduled epoch of each run that is present, ordered by "
    "configuration and then by seed; inside the bounds of the target, NaN if it is unknown; a "
    "count is the value 100 x count / scale",
    Bounds(nan=True),
)
CUMULATIVE_CURVE = ArraySpec(
    f"{VALUES}TARGET",
    "float64",
    ("epochs of all runs",),
    "a cumulative curve, in the same order; it rises within each run, and ends at its total",
    Bounds(nan=True),
)
SCALAR = ArraySpec(
    f"{VALUES}TARGET",
    "float64",
    ("configurations", "seeds"),
    "a scalar: inside the bounds of the target, NaN if it is unknown or there is no run",
    Bounds(nan=True),
)
PRIOR_ARRAYS = (
    ArraySpec(
        f"{PRIOR}TARGET.location",
        "float64",
        ("positions", KNOTS),
        "the seed-variance prior: means of configurations, at positions spaced evenly from the "
        "first epoch to the last; a scalar has one position",
        FINITE,
        "rising",
    ),
    ArraySpec(
        f"{PRIOR}TARGET.deviation",
        "float64",
        ("positions", KNOTS),
        "the typical standard deviation between seeds at each of these means",
        POSITIVE,
    ),
)
ARRAYS = (*RUN_ARRAYS, CURVE, CUMULATIVE_CURVE, SCALAR, *PRIOR_ARRAYS)
BLOCK = 1024  # scales that are tested together
Array = np.ndarray


def load(folder: Path, manifest: Manifest | None = None) -> Table:
    """Read the table of a folder. A `manifest` that is given is not read again.

    Raises CheckpointError if a file is missing, altered or malformed.
    """
    manifest = manifest or read_manifest(folder, TABLE)
    spec = manifest.spec()
    targets = _targets(manifest, spec)
    seeds = _seeds(manifest)
    scales = _count_scales(manifest, targets)
    weights = manifest.numbers("calibration.weights", len(targets), 0.0, MAX_FACTOR)
    error_quantiles = read_error_quantiles(manifest, [t.name for t in targets])
    if spec.space.cardinality() > MAX_POINTS:
        manifest.refuse(f"spec: the space of a table has at most {MAX_POINTS:,} combinations")
    tensors = read_tensors(folder, FILE, manifest.content)
    with naming(folder / FILE):
        _check_names(tensors, targets)
        dims = {"parameters": len(spec.space.parameters), "seeds": len(seeds)}
        dims = check_contents(tensors, RUN_ARRAYS, dims)
        flats = _flats(tensors[KEYS], spec.space)
        present = _present(tensors[PRESENT])
        epochs = _epochs(flats, spec.space)
        lengths = {target.name: target.schedule.counts(epochs) for target in targets}
        values = {
            target.name: _scalar(tensors, target, dims, present)
            if target.kind == "scalar"
            else _curve(
                tensors,
                target,
                _inside(present, lengths[target.name]),
                scales.get(target.name),
            )
            for target in targets
        }
        _check_totals(values, lengths, spec)
        seed_variance = {
            target.name: _prior(tensors, target, weight)
            for target, weight in zip(targets, weights, strict=True)
        }
    points = manifest.whole("points", len(flats))
    primary = manifest.choice("primary", values)
    return Table(
        spec=spec,
        name=manifest.text("name"),
        flats=flats,
        seeds=seeds,
        present=present,
        points=points,
        values=values,
        seed_variance=seed_variance,
        error_quantiles=dict(zip(values, error_quantiles, strict=True)),
        primary=primary,
        manifest=manifest.content,
    )


def contents(table: Table) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files of a table's folder."""
    tensors = {KEYS: _keys(table.flats, table.space), PRESENT: table.present}
    counts: dict[str, int] = {}
    for target in table.targets:
        name, values = target.name, table.values[target.name]
        if target.kind == "curve":
            flat = values[_inside(table.present, table.lengths(name, table.epochs))]
            percent = target.unit == "percent" and not target.cumulative
            scale = _count_scale(flat) if percent else None
            if scale is not None:
                counts[name] = scale
                flat = np.rint(flat.astype(float) * (scale / PERCENT)).astype(_count_dtype(scale))
            tensors[VALUES + name] = flat
        else:
            tensors[VALUES + name] = values
        tensors[f"{PRIOR}{name}.location"] = table.seed_variance[name].location
        tensors[f"{PRIOR}{name}.deviation"] = table.seed_variance[name].deviation
    own = {
        "name": table.name,
        "primary": table.primary,
        "targets": [target.name for target in table.targets],
        "seeds": list(table.seeds),
        "points": table.points,
        "counts": counts,
        "calibration": {
            "weights": [table.seed_variance[target.name].weight for target in table.targets],
            **describe_error_quantiles(table.error_quantiles),
        },
        "spec": dict(table.spec.source),
    }
    added = ("format", "format_version", "files")
    more = {k: v for k, v in table.manifest.items() if k not in (*own, *added)}
    return {"format": TABLE, **more, **own}, {FILE: tensor_bytes(tensors)}


# The entries of the manifest


def _targets(manifest: Manifest, spec: Spec) -> tuple[Target, ...]:
    names = manifest.choices("targets", "target", [target.name for target in spec.targets])
    targets = tuple(target for target in spec.targets if target.name in names)
    if [target.name for target in targets] != list(names):
        manifest.refuse(f"targets must have the order of the spec, got {shown(list(names))}")
    if any(target.kind == "curve" for target in targets):
        check_epochs(manifest, spec.space)
    return targets


def _seeds(manifest: Manifest) -> tuple[int, ...]:
    given = manifest.entry("seeds")
    valid = isinstance(given, list) and all(type(seed) is int and seed >= 0 for seed in given)
    if not valid or not given or sorted(set(given)) != given:
        manifest.refuse(f"seeds are strictly rising whole numbers from 0, got {shown(given)}")
    return tuple(given)


def _count_scales(manifest: Manifest, targets: tuple[Target, ...]) -> dict[str, int]:
    """The scale (the count of 100 %) of each curve that is stored as counts, by its name."""
    given = dict(manifest.section("counts"))
    curves = [t for t in targets if t.kind == "curve" and not t.cumulative]
    known = [t.name for t in curves if t.unit == "percent"]
    for name, scale in given.items():
        if name not in known:
            manifest.refuse(f"counts: {unknown('curve in percent', name, known)}")
        if type(scale) is not int or not 1 <= scale <= MAX_SCALE:
            manifest.refuse(
                f"counts: {name} is a whole number in 1..{MAX_SCALE}, got {shown(scale)}"
            )
    return given


# The arrays; `load` adds the path of the file to the CheckpointErrors of these functions


def value_spec(target: Target) -> ArraySpec:
    """The spec of a target's values, with the target's bounds."""
    low = -math.inf if target.low is None else target.low
    high = math.inf if target.high is None else target.high
    if target.kind == "curve" and target.cumulative:
        bounds = Bounds(low, high, nan=True)  # a cumulative curve can start at 0
        general = replace(CUMULATIVE_CURVE, order="rising")  # within each run
    else:
        bounds = Bounds(low, high, above_low=on_log_scale(target), nan=True)
        general = CURVE if target.kind == "curve" else SCALAR
    return replace(general, name=VALUES + target.name, bounds=bounds)


def prior_specs(target: Target) -> list[ArraySpec]:
    """The specs of a target's seed-variance prior."""
    shape = ("positions" if target.kind == "curve" else 1, KNOTS)
    return [
        replace(spec, name=spec.name.replace("TARGET", target.name), shape=shape)
        for spec in PRIOR_ARRAYS
    ]


def _check_names(tensors: Mapping[str, Array], targets: tuple[Target, ...]) -> None:
    target_specs = [spec for t in targets for spec in (value_spec(t), *prior_specs(t))]
    check_names(tensors, [*RUN_ARRAYS, *target_specs])


def _keys(flats: tuple[Mapping[str, Any], ...], space: Space) -> Array:
    """The index of each value on its parameter's grid (N, parameters); -1 where inactive."""
    indices = {p.name: {value: k for k, value in enumerate(p.grid())} for p in space.parameters}
    rows = [
        [index[flat[name]] if name in flat else -1 for name, index in indices.items()]
        for flat in flats
    ]
    return np.array(rows, dtype=np.int32)


def _flats(keys: Array, space: Space) -> tuple[dict[str, Any], ...]:
    """The flat configurations (active parameters only) of the keys (N, parameters)."""
    parameters = space.parameters
    if len(np.unique(keys, axis=0)) < len(keys):
        raise CheckpointError(f"array {KEYS!r} holds a row twice; allowed: different rows")
    try:
        grids = [parameter.grid() for parameter in parameters]
    except EahasError as error:
        raise CheckpointError(f"array {KEYS!r} needs grids of all parameters: {error}") from None
    sizes = np.array([len(grid) for grid in grids])
    if (keys >= sizes).any():
        row, column = np.argwhere(keys >= sizes)[0].tolist()
        raise CheckpointError(
            f"array {KEYS!r} holds {keys[row, column]} at index {[row, column]}; allowed: up to "
            f"{sizes[column] - 1}, on the grid of {parameters[column].name}"
        )
    flats = []
    for row in keys.tolist():
        flat: dict[str, Any] = {}
        for parameter, grid, index in zip(parameters, grids, row, strict=True):
            if is_active(parameter, flat) != (index >= 0):
                raise CheckpointError(
                    f"array {KEYS!r} holds {index} for {parameter.name} in {shown(flat)}; "
                    "allowed: -1 if and only if the parameter is inactive"
                )
            if index >= 0:
                flat[parameter.name] = grid[index]
        flats.append(flat)
    return tuple(flats)


def _present(present: Array) -> Array:
    with_runs = present.any(axis=1)
    if not with_runs.all():
        raise CheckpointError(
            f"array {PRESENT!r} holds no run at index [{int(np.argmin(with_runs))}]; allowed: one "
            "or more for each configuration"
        )
    return present


def _epochs(flats: tuple[Mapping[str, Any], ...], space: Space) -> Array:
    fidelity = space.fidelity
    return np.array([1 if fidelity is None else flat[fidelity] for flat in flats])


def _inside(present: Array, lengths: Array) -> Array:
    """Which entries (N, S, longest) are values of a curve of an existing run, bool.

    `present` is (N, S) and `lengths` (N,) is the number of values of the curves.
    """
    if present.size * int(lengths.max()) > MAX_NUMBERS:
        raise CheckpointError(
            f"array {PRESENT!r} means {present.size:,} curves of up to {lengths.max():,} "
            f"epochs; allowed: {MAX_NUMBERS:,} numbers of a target"
        )
    within = np.arange(int(lengths.max())) < lengths[:, None]
    inside: Array = present[:, :, None] & within[:, None]
    return inside


def _curve(tensors: Mapping[str, Array], target: Target, inside: Array, scale: int | None) -> Array:
    """The values (N, S, longest) of a curve, NaN after the end of a run."""
    spec = value_spec(target)
    stored = tensors[spec.name]
    plain = np.dtype(np.float64 if target.cumulative else np.float32)
    dtype = str(plain if scale is None else _count_dtype(scale))
    replace(spec, dtype=dtype).check_layout(stored, {"epochs of all runs": int(inside.sum())})
    values = np.full(inside.shape, np.nan, dtype=plain)
    values[inside] = stored if scale is None else PERCENT * stored.astype(float) / scale
    spec.check_values(values)
    return values


def _check_totals(values: Mapping[str, Array], lengths: Mapping[str, Array], spec: Spec) -> None:
    """Check that each cumulative curve with a total ends at it, up to rounding."""
    for curve in spec.curves:
        total = curve.total
        if total is None or curve.name not in values or total not in values:
            continue
        runs = values[curve.name]
        last = np.broadcast_to((lengths[curve.name] - 1)[:, None, None], (*runs.shape[:2], 1))
        ends = np.take_along_axis(runs, last, axis=2)[..., 0]
        wrong = np.abs(ends - values[total]) > MAX_ROUNDING * np.abs(values[total])
        if wrong.any():
            at = tuple(np.argwhere(wrong)[0].tolist())
            raise CheckpointError(
                f"array {VALUES + curve.name!r} ends at {ends[at]:.9g} in run {list(at)}; "
                f"allowed: its total {total}, {values[total][at]:.9g}"
            )


def _scalar(
    tensors: Mapping[str, Array], target: Target, dims: Mapping[str, int], present: Array
) -> Array:
    """The values (N, S) of a scalar, NaN if the run does not exist."""
    spec = value_spec(target)
    check_contents(tensors, [spec], dims)
    values = tensors[spec.name]
    known = np.isfinite(values) & ~present
    if known.any():
        at = np.argwhere(known)[0].tolist()
        raise CheckpointError(
            f"array {spec.name!r} holds a value at index {at}; allowed: NaN where there is no run"
        )
    return values


def _prior(tensors: Mapping[str, Array], target: Target, weight: float) -> SeedVariance:
    location, deviation = specs = prior_specs(target)
    check_contents(tensors, specs)
    return SeedVariance(tensors[location.name], tensors[deviation.name], weight)


# An accuracy in percent is a count of correct images. Counts need at most half the bytes of
# float32 and restore exactly the same numbers.


def _count_dtype(scale: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if scale <= 255 else np.uint16)


def _count_scale(values: Array) -> int | None:
    """The smallest scale for which all float32 percentages are whole counts; None if none is."""
    if not np.isfinite(values).all():
        return None
    distinct = np.unique(values)
    for start in range(1, MAX_SCALE + 1, BLOCK):
        scales = np.arange(start, min(start + BLOCK, MAX_SCALE + 1))[:, None]
        for scale in scales[_are_counts(distinct[:64], scales).all(axis=1), 0].tolist():
            if _are_counts(distinct, np.array(scale)).all():
                return int(scale)
    return None


def _are_counts(values: Array, scale: Array) -> Array:
    counts = np.rint(values.astype(float) * (scale / PERCENT))
    return (PERCENT * counts / scale).astype(np.float32) == values

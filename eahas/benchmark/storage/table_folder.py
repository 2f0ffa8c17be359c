"""A table to and from a folder; the format is documented in docs/checkpoint-format.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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

ARRAYS = "runs.safetensors"
KEYS, PRESENT, VALUES, TYPICAL = "keys", "present", "values.", "typical."
PERCENT, MAX_COUNTED = 100.0, 65_535
MAX_NUMBERS = 500_000_000  # of one target, ends padded; more would not fit into memory
MAX_ROUNDING = 1e-12  # relative, between the end of a cumulative curve and its total
BLOCK = 1024
Array = np.ndarray


def load(folder: Path, manifest: Manifest | None = None) -> Table:
    """The table of a folder, whose manifest may have been read already.

    Raises CheckpointError for anything that is not whole and right.
    """
    manifest = manifest or read_manifest(folder, TABLE)
    spec = manifest.spec()
    targets = _targets(manifest, spec)
    seeds = _seeds(manifest)
    counted = _counted(manifest, targets)
    weights = manifest.numbers("calibration.weights", len(targets), 0.0, MAX_FACTOR)
    error_quantiles = read_error_quantiles(manifest, [t.name for t in targets])
    if spec.space.cardinality() > MAX_POINTS:
        manifest.refuse(f"spec: a table is of a space with at most {MAX_POINTS:,} combinations")
    tensors = read_tensors(folder, ARRAYS, manifest.content)
    with naming(folder / ARRAYS):
        _check_names(tensors, targets)
        flats = _flats(tensors[KEYS], spec.space)
        present = _present(tensors[PRESENT], len(flats), len(seeds))
        epochs = _epochs(flats, spec.space)
        values = {}
        for target in targets:
            stored = tensors[VALUES + target.name]
            values[target.name] = (
                _curves(
                    stored,
                    target,
                    present,
                    target.schedule.counts(epochs),
                    counted.get(target.name),
                )
                if target.kind == "curve"
                else _scalars(stored, target, present)
            )
        lengths = {target.name: target.schedule.counts(epochs) for target in targets}
        _check_totals(values, lengths, spec)
        seed_variance = {
            target.name: _typical(tensors, target, weight)
            for target, weight in zip(targets, weights, strict=True)
        }
    points = manifest.whole("points", len(flats))
    primary = manifest.text("primary")
    if primary not in values:
        manifest.refuse(unknown("primary", primary, values))
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
            scale = _whole_counts(flat) if percent else None
            if scale is not None:
                counts[name] = scale
                flat = np.rint(flat.astype(float) * (scale / PERCENT)).astype(_of_counts(scale))
            tensors[VALUES + name] = flat
        else:
            tensors[VALUES + name] = values
        tensors[f"{TYPICAL}{name}.location"] = table.seed_variance[name].location
        tensors[f"{TYPICAL}{name}.deviation"] = table.seed_variance[name].deviation
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
    return {"format": TABLE, **more, **own}, {ARRAYS: tensor_bytes(tensors)}


# What the manifest says


def _targets(manifest: Manifest, spec: Spec) -> tuple[Target, ...]:
    names = manifest.texts("targets")
    known = [target.name for target in spec.targets]
    for name in names:
        if name not in known:
            manifest.refuse(f"targets: {unknown('target', name, known)}")
    if not names:
        manifest.refuse("targets is empty; at least one is needed")
    targets = tuple(target for target in spec.targets if target.name in names)
    if [target.name for target in targets] != list(names):
        manifest.refuse(f"targets stand in the order of the spec, got {shown(list(names))}")
    if any(target.kind == "curve" for target in targets):
        check_epochs(manifest, spec.space)
    return targets


def _seeds(manifest: Manifest) -> tuple[int, ...]:
    given = manifest.entry("seeds")
    valid = isinstance(given, list) and all(type(seed) is int and seed >= 0 for seed in given)
    if not valid or not given or sorted(set(given)) != given:
        manifest.refuse(f"seeds are rising whole numbers from 0, got {shown(given)}")
    return tuple(given)


def _counted(manifest: Manifest, targets: tuple[Target, ...]) -> dict[str, int]:
    """Of each curve that is stored as counts what stands for 100 %."""
    given = dict(manifest.section("counts"))
    curves = [t for t in targets if t.kind == "curve" and not t.cumulative]
    known = [t.name for t in curves if t.unit == "percent"]
    for name, scale in given.items():
        if name not in known:
            manifest.refuse(f"counts: {unknown('curve in percent', name, known)}")
        if type(scale) is not int or not 1 <= scale <= MAX_COUNTED:
            manifest.refuse(
                f"counts: {name} is a whole number in 1..{MAX_COUNTED}, got {shown(scale)}"
            )
    return given


# What the arrays say; CheckpointErrors here end up behind the name of the file


def _check_names(tensors: Mapping[str, Array], targets: tuple[Target, ...]) -> None:
    wanted = {KEYS, PRESENT}
    for target in targets:
        parts = (f"{TYPICAL}{target.name}.location", f"{TYPICAL}{target.name}.deviation")
        wanted |= {VALUES + target.name, *parts}
    strange = sorted(wanted ^ set(tensors))
    if strange:
        what = "lacks" if strange[0] in wanted else "holds the unknown"
        raise CheckpointError(f"{what} array {shown(strange[0])}")


def _keys(flats: tuple[Mapping[str, Any], ...], space: Space) -> Array:
    """(N, parameters): the place of each value on its parameter's grid, -1 where inactive."""
    places = {p.name: {value: k for k, value in enumerate(p.grid())} for p in space.parameters}
    rows = [
        [place[flat[name]] if name in flat else -1 for name, place in places.items()]
        for flat in flats
    ]
    return np.array(rows, dtype=np.int32)


def _flats(keys: Array, space: Space) -> tuple[dict[str, Any], ...]:
    """The configurations of keys, each with the parameters that its values bring to life."""
    parameters = space.parameters
    if keys.dtype != np.int32 or keys.ndim != 2 or keys.shape[1] != len(parameters):
        raise CheckpointError(f"{KEYS}: int32 of {len(parameters)} parameters are wanted")
    if not len(keys) or len(np.unique(keys, axis=0)) < len(keys):
        raise CheckpointError(f"{KEYS}: one row for each of some configurations is wanted")
    try:
        grids = [parameter.grid() for parameter in parameters]
    except EahasError as error:
        raise CheckpointError(f"{KEYS} cannot name configurations: {error}") from None
    sizes = np.array([len(grid) for grid in grids])
    if (keys < -1).any() or (keys >= sizes).any():
        raise CheckpointError(f"{KEYS}: a place is outside the grid of its parameter")
    flats = []
    for row in keys.tolist():
        flat: dict[str, Any] = {}
        for parameter, grid, place in zip(parameters, grids, row, strict=True):
            if is_active(parameter, flat) != (place >= 0):
                raise CheckpointError(f"{KEYS}: {parameter.name} is given where it is inactive")
            if place >= 0:
                flat[parameter.name] = grid[place]
        flats.append(flat)
    return tuple(flats)


def _present(present: Array, configurations: int, seeds: int) -> Array:
    if present.dtype != np.bool_ or present.shape != (configurations, seeds):
        raise CheckpointError(f"{PRESENT}: truths of shape ({configurations}, {seeds}) are wanted")
    if not present.any(axis=1).all():
        raise CheckpointError(f"{PRESENT}: a configuration has no run")
    return present


def _epochs(flats: tuple[Mapping[str, Any], ...], space: Space) -> Array:
    fidelity = space.fidelity
    return np.array([1 if fidelity is None else flat[fidelity] for flat in flats])


def _inside(present: Array, lengths: Array) -> Array:
    """(N, S, longest): the values of the curves of the runs that there are."""
    if present.size * int(lengths.max()) > MAX_NUMBERS:
        raise CheckpointError(f"holds curves of more than {MAX_NUMBERS:,} numbers")
    within = np.arange(int(lengths.max())) < lengths[:, None]
    inside: Array = present[:, :, None] & within[:, None]
    return inside


def _curves(
    stored: Array, target: Target, present: Array, lengths: Array, scale: int | None
) -> Array:
    name = VALUES + target.name
    inside = _inside(present, lengths)
    plain = np.dtype(np.float64 if target.cumulative else np.float32)
    wanted = plain if scale is None else _of_counts(scale)
    if stored.dtype != wanted or stored.shape != (int(inside.sum()),):
        raise CheckpointError(f"{name}: {int(inside.sum())} of {wanted} are wanted, run by run")
    values = np.full(inside.shape, np.nan, dtype=plain)
    values[inside] = stored if scale is None else PERCENT * stored.astype(float) / scale
    _check_values(values, target, name)
    if target.cumulative and (np.diff(values, axis=-1) < 0.0).any():
        raise CheckpointError(f"{name}: a cumulative curve falls")
    return values


def _check_totals(values: Mapping[str, Array], lengths: Mapping[str, Array], spec: Spec) -> None:
    """The curve of a run that has a total ends at it, to float rounding."""
    for curve in spec.curves:
        total = curve.total
        if total is None or curve.name not in values or total not in values:
            continue
        runs = values[curve.name]
        last = np.broadcast_to((lengths[curve.name] - 1)[:, None, None], (*runs.shape[:2], 1))
        ends = np.take_along_axis(runs, last, axis=2)[..., 0]
        if (np.abs(ends - values[total]) > MAX_ROUNDING * np.abs(values[total])).any():
            raise CheckpointError(f"{VALUES}{curve.name}: a curve does not end at its {total}")


def _scalars(stored: Array, target: Target, present: Array) -> Array:
    name = VALUES + target.name
    if stored.dtype != np.float64 or stored.shape != present.shape:
        raise CheckpointError(f"{name}: float64 of shape {present.shape} are wanted")
    if np.isfinite(stored[~present]).any():
        raise CheckpointError(f"{name}: a value stands where there is no run")
    _check_values(stored, target, name)
    return stored


def _check_values(values: Array, target: Target, name: str) -> None:
    """NaN is a value that is not known; any other lies inside the target's bounds."""
    low = -np.inf if target.low is None else target.low
    high = np.inf if target.high is None else target.high
    outside = (values < low) | (values > high) | np.isinf(values)
    if on_log_scale(target) and target.kind == "scalar":
        outside |= values == 0.0
    if outside.any():
        raise CheckpointError(f"{name}: holds {values[outside][0]:g}, which is out of bounds")


def _typical(tensors: Mapping[str, Array], target: Target, weight: float) -> SeedVariance:
    name = f"{TYPICAL}{target.name}"
    location, deviation = tensors[f"{name}.location"], tensors[f"{name}.deviation"]
    shapes = location.ndim == 2 and location.shape == deviation.shape and len(location) > 0
    if not shapes or (target.kind == "scalar" and len(location) != 1):
        raise CheckpointError(f"{name}: (positions, knots) are wanted, of a scalar one position")
    if not all(a.dtype == np.float64 and np.isfinite(a).all() for a in (location, deviation)):
        raise CheckpointError(f"{name}: finite float64 are wanted")
    if (np.diff(location, axis=1) < 0).any() or not (deviation > 0).all():
        raise CheckpointError(f"{name}: rising locations and positive deviations are wanted")
    return SeedVariance(location, deviation, weight)


# Percentages as the counts that they are: exactly the same numbers in half the bytes


def _of_counts(scale: int) -> np.dtype[Any]:
    return np.dtype(np.uint8 if scale <= 255 else np.uint16)


def _whole_counts(values: Array) -> int | None:
    """The least scale of which all percentages, float32, are whole counts; None without one."""
    if not np.isfinite(values).all():
        return None
    distinct = np.unique(values)
    for start in range(1, MAX_COUNTED + 1, BLOCK):
        scales = np.arange(start, min(start + BLOCK, MAX_COUNTED + 1))[:, None]
        for scale in scales[_are_counts(distinct[:64], scales).all(axis=1), 0].tolist():
            if _are_counts(distinct, np.array(scale)).all():
                return int(scale)
    return None


def _are_counts(values: Array, scale: Array) -> Array:
    counts = np.rint(values.astype(float) * (scale / PERCENT))
    return (PERCENT * counts / scale).astype(np.float32) == values

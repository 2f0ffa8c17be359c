"""Read and write ensembles. docs/checkpoint-format.md documents the format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from eahas.benchmark.storage.folder import read_tensors, save_folder, tensor_bytes
from eahas.benchmark.storage.manifest import ENSEMBLE, Manifest, read_manifest
from eahas.errors import CheckpointError, shown, unknown
from eahas.models.cumulative import end_of, share_of
from eahas.models.curves import bezier
from eahas.models.curves.codecs import BEZIER, GRID, BezierCodec, Codec, GridCodec, grid_codec
from eahas.models.curves.monotone import MONOTONE, MonotoneCodec
from eahas.models.ensemble import Ensemble
from eahas.models.features.features import Features
from eahas.models.heads import CurveHead, Head, ScalarHead
from eahas.models.regressors import regressor_from_tensors
from eahas.models.uncertainty.error_quantiles import LEVELS, ErrorQuantiles
from eahas.models.uncertainty.seed_noise import seed_noise_from_tensors
from eahas.space.parameters import Choice
from eahas.space.space import Space
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

WEIGHTS = "weights.safetensors"
MAX_EPOCHS = 100_000  # of a curve; longer curves would not fit into memory
MAX_BOUND = 1e30  # largest absolute value of the bounds of y control points
MAX_FACTOR = 1e6  # largest inflation and reach
SHARES, ENDS = "shares", "ends"  # kinds of heads
FAMILY_FLAGS = ("regnet", "mnasnet")  # entries of `features` in older manifests
CODEC, NOISE = "codec.", "noise."  # prefixes of the arrays of the codec and of the seed noise


def load(folder: Path, manifest: Manifest | None = None) -> Ensemble:
    """Read the ensemble of a folder. A `manifest` that is given is not read again.

    Raises CheckpointError if a file is missing, altered or malformed.
    """
    manifest = manifest or read_manifest(folder, ENSEMBLE)
    spec = manifest.spec()
    with manifest.explaining("features"):
        features = _features(manifest, spec.space)
    tensors = read_tensors(folder, WEIGHTS, manifest.content)
    codec_arrays, noise_arrays = _pop_prefix(tensors, CODEC), _pop_prefix(tensors, NOISE)
    described = manifest.section("regressor")
    with naming(folder / WEIGHTS):
        regressor = regressor_from_tensors(described, tensors)
        codec = grid_codec(codec_arrays, prefix=CODEC) if codec_arrays else None
    head = _head(manifest, spec, codec)
    names = [target.name for target in head.targets]
    primary = manifest.choice("primary", names)
    if (regressor.inputs, regressor.outputs) != (len(features.names), head.outputs):
        raise CheckpointError(
            f"{folder / WEIGHTS} maps {regressor.inputs} features to {regressor.outputs} outputs; "
            f"the manifest needs {len(features.names)} and {head.outputs}"
        )
    with naming(folder / WEIGHTS):
        noise = seed_noise_from_tensors(
            noise_arrays,
            head.num_noise_outputs,
            len(names),
            curves=isinstance(head, CurveHead),
            prefix=NOISE,
        )
    if manifest.whole("members", 1) != regressor.members:
        manifest.refuse(
            f"members is {manifest.entry('members')}, but the weights have {regressor.members}"
        )
    return Ensemble(
        spec=spec,
        name=manifest.text("name"),
        features=features,
        regressor=regressor,
        head=head,
        seed_noise=noise,
        inflation=manifest.numbers("calibration.inflation", len(names), 0.0, MAX_FACTOR),
        error_quantiles=read_error_quantiles(manifest, names),
        primary=primary,
        manifest=manifest.content,
    )


def _pop_prefix(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Remove the arrays with a prefix from `tensors`; return them by name without the prefix."""
    return {n[len(prefix) :]: tensors.pop(n) for n in sorted(tensors) if n.startswith(prefix)}


def read_error_quantiles(manifest: Manifest, names: Sequence[str]) -> tuple[ErrorQuantiles, ...]:
    """The error quantiles of the targets, from the section `calibration` of the manifest."""
    levels = manifest.numbers("calibration.levels", len(LEVELS), 0.0, 1.0)
    if levels != LEVELS:
        manifest.refuse(f"calibration.levels are {list(LEVELS)}, got {list(levels)}")
    error_quantiles = []
    for name in names:
        reaches = manifest.numbers("calibration.reaches", len(LEVELS), 0.0, MAX_FACTOR, name)
        if any(a > b for a, b in pairwise(reaches)):
            manifest.refuse(
                f"calibration.reaches.{name} must not decrease with the level, got {list(reaches)}"
            )
        error_quantiles.append(ErrorQuantiles(reaches))
    return tuple(error_quantiles)


def describe_error_quantiles(error_quantiles: Mapping[str, ErrorQuantiles]) -> dict[str, Any]:
    """The entries of `calibration` from which `read_error_quantiles` reads error quantiles."""
    reaches = {name: list(quantiles.reaches) for name, quantiles in error_quantiles.items()}
    return {"levels": list(LEVELS), "reaches": reaches}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the path of the file to the message of a CheckpointError about its arrays."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _features(manifest: Manifest, space: Space) -> Features:
    crosses = manifest.entry("features.crosses")
    pairs = isinstance(crosses, list) and all(
        isinstance(pair, list) and [*map(type, pair)] == [str, str] for pair in crosses
    )
    if not pairs:
        manifest.refuse(f"features.crosses is a list of pairs of names, got {shown(crosses)}")
    return Features(
        space,
        manifest.texts("features.logs"),
        tuple((number, choice) for number, choice in crosses),
        _families(manifest),
    )


def _families(manifest: Manifest) -> tuple[str, ...]:
    """The architecture families with feature blocks; older manifests have a flag for each."""
    if "families" in manifest.section("features"):
        return manifest.texts("features.families")
    return tuple(name for name in FAMILY_FLAGS if manifest.flag(f"features.{name}"))


def _head(manifest: Manifest, spec: Spec, grid: GridCodec | None) -> Head:
    cumulative = [curve for curve in spec.curves if curve.cumulative]
    kinds: dict[str, Sequence[Target]] = {
        "curves": [curve for curve in spec.curves if not curve.cumulative],
        "scalars": spec.scalars,
        SHARES: [share_of(curve) for curve in cumulative],
        ENDS: [end_of(curve) for curve in cumulative if curve.total is None],
    }
    kind = manifest.choice("head.kind", tuple(kinds))
    known = {target.name: target for target in kinds[kind]}
    names = manifest.choices("head.targets", kind[:-1], known)
    targets = tuple(known[name] for name in names)
    if kind in ("scalars", ENDS):
        return ScalarHead(targets)
    check_epochs(manifest, spec.space)
    if len({target.schedule for target in targets}) > 1:
        manifest.refuse(f"head.targets have different schedules: {shown(list(names))}")
    if kind == SHARES:
        return CurveHead(targets, _monotone_codec(manifest, len(targets)))
    return CurveHead(targets, _codec(manifest, len(targets), grid))


def _monotone_codec(manifest: Manifest, count: int) -> MonotoneCodec:
    manifest.choice("head.codec", (MONOTONE,))
    flags = manifest.entry("head.from_zero")
    valid = isinstance(flags, list) and len(flags) == count
    if not valid or not all(isinstance(flag, bool) for flag in flags):
        manifest.refuse(
            f"head.from_zero is a list of {count} values true or false, got {shown(flags)}"
        )
    return MonotoneCodec(_degree(manifest), tuple(flags))


def _degree(manifest: Manifest) -> int:
    degree = manifest.whole("head.degree", 1)
    if degree not in bezier.DEGREES:
        manifest.refuse(unknown("head.degree", degree, bezier.DEGREES))
    return degree


def _codec(manifest: Manifest, count: int, grid: GridCodec | None) -> Codec:
    if manifest.choice("head.codec", (BEZIER, GRID)) == GRID:
        if grid is None or grid.count != count:
            manifest.refuse(
                f"head.codec is {GRID} with {count} curves, but the weights have no such codec"
            )
        return grid
    degree = _degree(manifest)
    low, high = (
        manifest.numbers(f"head.{end}", count, -MAX_BOUND, MAX_BOUND) for end in ("low", "high")
    )
    if not all(a < b for a, b in zip(low, high, strict=True)):
        manifest.refuse(f"head.low < head.high is needed, got {shown(low)} and {shown(high)}")
    return BezierCodec(degree, low, high)


def check_epochs(manifest: Manifest, space: Space) -> None:
    """Raise CheckpointError if the curves of the space can have more than MAX_EPOCHS epochs."""
    assert space.fidelity is not None  # a spec with curves has one
    parameter = space[space.fidelity]
    longest = max(parameter.choices) if isinstance(parameter, Choice) else parameter.high
    if longest > MAX_EPOCHS:
        manifest.refuse(f"spec: curves of {longest:,.0f} epochs; at most {MAX_EPOCHS:,}")


def save(ensemble: Ensemble, folder: Path) -> None:
    """Write an ensemble as a folder, atomically; see `storage.folder.save_folder`."""
    manifest, files = contents(ensemble)
    save_folder(folder, manifest, files)


def _kind(ensemble: Ensemble) -> str:
    """The kind of the head: scalars or curves, or for cumulative curves shares or ends."""
    head = ensemble.head
    if isinstance(head, CurveHead):
        return SHARES if isinstance(head.codec, MonotoneCodec) else "curves"
    curve_names = {curve.name for curve in ensemble.spec.curves}
    return ENDS if head.targets[0].name in curve_names else "scalars"


def contents(ensemble: Ensemble) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files of an ensemble's folder."""
    head, tensors = ensemble.head, dict(ensemble.regressor.tensors())
    described: dict[str, Any] = {"kind": _kind(ensemble), "targets": [t.name for t in head.targets]}
    if isinstance(head, CurveHead):
        described |= head.codec.described()
        tensors |= {f"{CODEC}{name}": array for name, array in head.codec.tensors().items()}
    tensors |= {f"{NOISE}{name}": array for name, array in ensemble.seed_noise.tensors().items()}
    own = {
        "name": ensemble.name,
        "primary": ensemble.primary,
        "members": ensemble.members,
        "features": {
            "logs": list(ensemble.features.logs),
            "crosses": [list(cross) for cross in ensemble.features.crosses],
            "families": list(ensemble.features.families),
        },
        "regressor": ensemble.regressor.described(),
        "head": described,
        "calibration": {
            "inflation": list(ensemble.inflation),
            **describe_error_quantiles(
                {t.name: w for t, w in zip(head.targets, ensemble.error_quantiles, strict=True)}
            ),
        },
        "spec": dict(ensemble.spec.source),
    }
    added = ("format", "format_version", "files")
    more = {k: v for k, v in ensemble.manifest.items() if k not in (*own, *added)}
    return {"format": ENSEMBLE, **more, **own}, {WEIGHTS: tensor_bytes(tensors)}

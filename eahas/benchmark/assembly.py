"""Combine several benchmark folders into one benchmark with parts for tasks and devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.loading import load
from eahas.benchmark.parts import Part
from eahas.benchmark.storage.folder import read_file, save_folder
from eahas.benchmark.storage.manifest import BENCHMARK, MANIFEST, read_manifest
from eahas.errors import EahasError
from eahas.frozen import thawed
from eahas.spec.spec import spec_from_dict

# Fields of a target that describe its measuring device; they may differ between parts.
DEVICE_FIELDS = ("device", "source", "boundary", "idle", "method", "composed")


@dataclass(frozen=True)
class Source:
    """A benchmark folder to copy as a part, and the task and the device of that part."""

    folder: Path
    task: str | None = None
    device: str | None = None


def assemble(
    sources: Sequence[Source], folder: Path, *, name: str, version: int = 1, description: str = ""
) -> None:
    """Write one benchmark folder whose parts are copies of benchmark folders over one space.

    The parts keep their records, quality, provenance and energy sources.

    Raises:
        EahasError: `sources` is empty, the spaces differ, two parts for the same task and device
            predict the same target, or two targets with the same name differ.
        CheckpointError: a folder is damaged.
    """
    if not sources:
        raise EahasError("a benchmark needs one or more folders as parts; got none")
    loaded = [load(source.folder) for source in sources]
    first = loaded[0]
    for source, benchmark in zip(sources, loaded, strict=True):
        if benchmark.space != first.space:
            raise EahasError(f"{source.folder}: its space differs from that of {sources[0].folder}")
    parts = [
        Part(_folder_name(k, source), source.task, source.device)
        for k, source in enumerate(sources)
    ]
    _check_targets(parts, loaded)
    files: dict[str, bytes] = {}
    for part, source in zip(parts, sources, strict=True):
        content = read_manifest(source.folder, BENCHMARK)
        files[f"{part.folder}/{MANIFEST}"] = content.path.read_bytes()
        for file in content.content["files"]:
            files[f"{part.folder}/{file}"] = read_file(source.folder, file, content.content)
    spec = {**thawed(first.spec.source), "targets": _joint_targets(loaded)}
    if description:
        spec["description"] = description
    spec_from_dict(spec)
    manifest = {
        "format": BENCHMARK,
        "name": name,
        "version": version,
        "spec": spec,
        "parts": [part.described() for part in parts],
    }
    save_folder(folder, manifest, files)


def _folder_name(k: int, source: Source) -> str:
    """The name of a part's folder: its task and device, with `-` for other than ASCII letters."""
    labels = [value for value in (source.task, source.device) if value is not None]
    text = "".join(c if c.isalnum() and c.isascii() else "-" for c in "-".join(labels))
    return f"part{k}-{text}".rstrip("-")


def _check_targets(parts: Sequence[Part], loaded: Sequence[Benchmark]) -> None:
    """Raise EahasError if two parts predict the same target for the same task and device."""
    for k, (one, first) in enumerate(zip(parts, loaded, strict=True)):
        for other, second in zip(parts[:k], loaded[:k], strict=True):
            shared_targets = {*first.target_names} & {*second.target_names}
            same_selection = all(
                None in pair or pair[0] == pair[1]
                for pair in ((one.task, other.task), (one.device, other.device))
            )
            if shared_targets and same_selection:
                raise EahasError(
                    f"{other.folder} and {one.folder} both predict {sorted(shared_targets)[0]} for "
                    "the same task and device"
                )


def _joint_targets(loaded: Sequence[Benchmark]) -> dict[str, Any]:
    """The `targets` section of the joint spec: the targets of all parts, without DEVICE_FIELDS."""
    joint: dict[str, dict[str, Any]] = {"curves": {}, "scalars": {}}
    for benchmark in loaded:
        given = benchmark.spec.source.get("targets") or {}
        for kind, section in joint.items():
            described = given.get(kind) or {}
            entries = described if isinstance(described, Mapping) else dict.fromkeys(described)
            for name, entry in entries.items():
                own = _without_device(entry)
                if section.setdefault(name, own) != own:
                    raise EahasError(
                        f"{benchmark.folder}: target {name} differs from that of another part"
                    )
    return {kind: section for kind, section in joint.items() if section}


def _without_device(entry: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The description of a target without DEVICE_FIELDS.

    None stands for a known target without changes: if `entry` is None, or has DEVICE_FIELDS only.
    """
    if entry is None:
        return None
    own = {key: thawed(value) for key, value in entry.items() if key not in DEVICE_FIELDS}
    return own if own or not entry else None

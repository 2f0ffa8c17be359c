"""Benchmarks with several tasks or devices: one folder with parts.

A part is a complete benchmark folder inside the folder of the benchmark. The manifest assigns a
task, a device, both or neither to each part. The benchmark for a given task and device consists of
the parts with this task or none, and with this device or none. So an accuracy that depends only on
the task is stored once for all devices, and a latency that depends only on the device is stored
once for all tasks. Some targets may exist only for some devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eahas.benchmark.storage.manifest import FOLDER, Manifest
from eahas.errors import EahasError, shown, unknown
from eahas.frozen import frozen, thawed

AXES = ("task", "device")


@dataclass(frozen=True)
class Part:
    """A part of a benchmark: its folder, and its task and device; None means that all apply."""

    folder: str
    task: str | None = None
    device: str | None = None

    def serves(self, task: str | None, device: str | None) -> bool:
        """Whether the part belongs to the benchmark for this task and this device."""
        return self.task in (None, task) and self.device in (None, device)

    def described(self) -> dict[str, str]:
        """The part as an entry of a manifest."""
        axes = {"task": self.task, "device": self.device}
        return {"folder": self.folder, **{k: v for k, v in axes.items() if v is not None}}


def read_parts(manifest: Manifest) -> tuple[Part, ...]:
    """The parts that a manifest lists; empty for a benchmark without parts.

    Raises CheckpointError for a malformed entry.
    """
    if "parts" not in manifest.content:
        return ()
    entries = manifest.entry("parts")
    if not isinstance(entries, list) or not entries:
        manifest.refuse(f"parts is a list of one or more parts, got {shown(entries)}")
    return tuple(_part(manifest, entry) for entry in entries)


def _part(manifest: Manifest, entry: Any) -> Part:
    if not isinstance(entry, Mapping) or not {"folder"} <= set(entry) <= {"folder", *AXES}:
        manifest.refuse(f"parts: each has a folder, a task and a device, got {shown(entry)}")
    for key, value in entry.items():
        if not isinstance(value, str) or not value or (key == "folder" and not FOLDER(value)):
            manifest.refuse(f"parts: {key} is a name, got {shown(value)}")
    return Part(entry["folder"], entry.get("task"), entry.get("device"))


def values_of(axis: str, parts: Iterable[Part]) -> tuple[str, ...]:
    """The distinct tasks or devices of some parts, in the order of the parts."""
    return tuple(dict.fromkeys(value for part in parts if (value := getattr(part, axis))))


def choose(
    benchmark: str, parts: Sequence[Part], task: str | None, device: str | None
) -> tuple[str | None, str | None]:
    """The selected task and device of a benchmark; one that is not given defaults to the only one.

    Raises EahasError for an unknown task or device, and if one is missing although the benchmark
    has several. The message lists the allowed values.
    """
    chosen = {}
    for axis, given in zip(AXES, (task, device), strict=True):
        values = values_of(axis, parts)
        if given is not None and given not in values:
            if not values:
                raise EahasError(f"{benchmark} has no {axis}s; {axis}={shown(given)} was given")
            raise EahasError(f"{benchmark}: {unknown(axis, given, values)}")
        if given is None and len(values) > 1:
            raise EahasError(
                f"{benchmark} has several {axis}s; name one: {axis}=... of {', '.join(values)}"
            )
        chosen[axis] = given if given is not None or not values else values[0]
    return chosen["task"], chosen["device"]


def merged(manifest: Manifest, parts: Sequence[Manifest]) -> Mapping[str, Any]:
    """The manifest of the benchmark for a task and a device, with the facts of its selected parts.

    Seed noise and held-out quality are the union over the parts; runs and configurations are sums;
    the energy source is `mixed` if the parts have several.
    """
    content = thawed(manifest.content)
    contents = [part.content for part in parts]
    sources = list(dict.fromkeys(c["energy"]["source"] for c in contents))
    measured = [source for source in sources if source != "none"] or ["none"]
    formulas = dict.fromkeys(c["energy"]["formula"] for c in contents if c["energy"]["formula"])
    content["energy"] = {
        **contents[0]["energy"],
        "source": measured[0] if len(measured) == 1 else "mixed",
        "formula": "; ".join(formulas),
        "targets": _union(c["energy"].get("targets", {}) for c in contents),
    }
    content["provenance"] = {
        "runs": sum(c["provenance"]["runs"] for c in contents),
        "configurations": sum(c["provenance"]["configurations"] for c in contents),
    }
    held_out = [c["quality"]["held_out"] for c in contents]
    content["quality"] = {
        "held_out": {
            "runs": sum(part["runs"] for part in held_out),
            "targets": _union(part["targets"] for part in held_out),
        }
    }
    content["noise"] = _union(c.get("noise", {}) for c in contents)
    result: Mapping[str, Any] = frozen(content)
    return result


def _union(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {key: thawed(value) for mapping in mappings for key, value in mapping.items()}

"""Benchmarks with tasks and devices: one folder of parts, each a benchmark of its own.

A part is a whole benchmark folder inside the folder of the benchmark. The manifest binds it to a
task, to a device, to both or to neither. For a task and a device, the benchmark consists of every
part that is bound to no other task and no other device: an accuracy that depends on the task alone
is stored once for all devices, and a latency once for all tasks. A target may therefore exist on
some devices only.
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
    """A part of a benchmark: its folder, and the task and the device that it is bound to."""

    folder: str
    task: str | None = None
    device: str | None = None

    def serves(self, task: str | None, device: str | None) -> bool:
        """Whether the part belongs to the benchmark of this task and this device."""
        return self.task in (None, task) and self.device in (None, device)

    def described(self) -> dict[str, str]:
        """The entry in a manifest."""
        axes = {"task": self.task, "device": self.device}
        return {"folder": self.folder, **{k: v for k, v in axes.items() if v is not None}}


def read_parts(manifest: Manifest) -> tuple[Part, ...]:
    """The parts that a manifest lists, none for a benchmark without them.

    Raises CheckpointError for an entry that is malformed, and for a folder that is listed twice.
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
    """The tasks or the devices that parts are bound to, in their order."""
    return tuple(dict.fromkeys(value for part in parts if (value := getattr(part, axis))))


def choose(
    benchmark: str, parts: Sequence[Part], task: str | None, device: str | None
) -> tuple[str | None, str | None]:
    """The task and the device of a request; the only one of an axis needs no name.

    Raises EahasError naming the values where one is unknown, missing, or has no part.
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
    """The manifest of a selection: the benchmark's own, with the facts of its parts together.

    Models, noise and held-out quality are those of all parts, runs and configurations are summed,
    and several energy sources are `mixed`.
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

"""Find the physical GPU of a CUDA ordinal such as `cuda:0`.

CUDA numbers the visible devices in its own order, NVML numbers all devices by PCI bus. The energy
of the wrong GPU would look plausible, so it is an error if the two orders cannot be matched with
certainty.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eahas.errors import MeterError

from .nvml import Nvml, text

CudaUuid = Callable[[int], "str | None"]
"""CUDA ordinal -> UUID of the device without its "GPU-", or None if CUDA is not available."""


def pick_gpus(
    nvml: Nvml, ordinals: Sequence[int], environ: Mapping[str, str], cuda_uuid: CudaUuid
) -> list[Any]:
    """NVML handles of the GPUs with these CUDA ordinals, each GPU once; of all GPUs if none given.

    A MIG instance gives the handle of its whole GPU, because only the whole GPU has a counter.

    Args:
        nvml: the library.
        ordinals: CUDA ordinals, as in "cuda:0".
        environ: environment variables, for CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER.
        cuda_uuid: gets a UUID from CUDA; used only if the environment does not identify the GPU.

    Raises:
        MeterError: there is no GPU, or an ordinal is not visible or cannot be matched to a GPU with
            certainty.
    """
    count = nvml.query("nvmlDeviceGetCount")
    all_handles = [nvml.query("nvmlDeviceGetHandleByIndex", index) for index in range(count)]
    if not all_handles:
        raise MeterError("NVML shows no GPU")
    if not ordinals:
        return all_handles
    by_uuid = {text(nvml.query("nvmlDeviceGetUUID", handle)): handle for handle in all_handles}
    visible = _visible(environ)
    chosen: dict[str, Any] = {}
    for ordinal in ordinals:
        uuid = _uuid_of(nvml, ordinal, list(by_uuid), visible, environ, cuda_uuid)
        chosen[uuid] = by_uuid[uuid]
    return list(chosen.values())


def torch_uuid(ordinal: int) -> str | None:
    """The UUID that torch reports for a CUDA device; None if torch is not loaded or sees no GPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or ordinal >= torch.cuda.device_count():
        return None
    uuid = getattr(torch.cuda.get_device_properties(ordinal), "uuid", None)
    return None if uuid is None else str(uuid)


def _visible(environ: Mapping[str, str]) -> list[str] | None:
    """Entries of CUDA_VISIBLE_DEVICES up to the first -1, as CUDA reads them; None if not set."""
    value = environ.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    entries = [entry.strip() for entry in value.split(",")] if value.strip() else []
    return entries[: entries.index("-1")] if "-1" in entries else entries


def _uuid_of(
    nvml: Nvml,
    ordinal: int,
    uuids: list[str],
    visible: list[str] | None,
    environ: Mapping[str, str],
    cuda_uuid: CudaUuid,
) -> str:
    count = len(uuids) if visible is None else len(visible)
    if ordinal >= count:
        setting = "not set" if visible is None else repr(",".join(visible))
        raise MeterError(
            f"cuda:{ordinal}: {count} GPU{'s' * (count != 1)} visible, counted from 0 "
            f"(CUDA_VISIBLE_DEVICES is {setting})"
        )
    entry = None if visible is None else visible[ordinal]
    if entry is not None and entry.startswith("MIG-"):
        instance = nvml.query("nvmlDeviceGetHandleByUUID", entry)
        parent = nvml.query("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", instance)
        return _match_prefix(
            f"cuda:{ordinal}", text(nvml.query("nvmlDeviceGetUUID", parent)), uuids
        )
    if entry is not None and entry.startswith("GPU-"):
        return _match_prefix(f"cuda:{ordinal}", entry, uuids)
    if len(uuids) == 1:
        return uuids[0]
    if environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        index = ordinal if entry is None else _index(entry)
        if index < len(uuids):
            return uuids[index]
        raise MeterError(f"cuda:{ordinal}: CUDA_VISIBLE_DEVICES names GPU {index} of {len(uuids)}")
    reported = cuda_uuid(ordinal)
    if reported is not None:
        return _match_prefix(f"cuda:{ordinal}", f"GPU-{reported}", uuids)
    raise MeterError(
        f"cuda:{ordinal}: which of the {len(uuids)} GPUs this is depends on CUDA's own order; set "
        f"CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID in CUDA_VISIBLE_DEVICES"
    )


def _match_prefix(what: str, prefix: str, uuids: list[str]) -> str:
    """The only UUID that starts with `prefix`; CUDA allows abbreviated UUIDs."""
    matches = [uuid for uuid in uuids if uuid.startswith(prefix)]
    if len(matches) != 1:
        raise MeterError(f"{what}: {len(matches)} GPUs have a UUID that starts with {prefix}")
    return matches[0]


def _index(entry: str) -> int:
    try:
        return int(entry)
    except ValueError as error:
        raise MeterError(
            f"CUDA_VISIBLE_DEVICES: {entry!r} is neither an index nor a UUID (GPU-..., MIG-...)"
        ) from error

"""Which physical GPU is `cuda:0`? CUDA counts visible devices its own way, NVML by PCI bus.

Metering the wrong GPU gives a plausible and wrong number, so where the two orders cannot be matched
for certain, this is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eahas.errors import MeterError

from .nvml import Nvml, text

CudaUuid = Callable[[int], "str | None"]
"""CUDA ordinal -> UUID of the device without its "GPU-", or None where CUDA cannot be asked."""


def pick_gpus(
    nvml: Nvml, ordinals: Sequence[int], environ: Mapping[str, str], cuda_uuid: CudaUuid
) -> list[Any]:
    """NVML handles of the GPUs behind CUDA ordinals, each GPU once; without any, of every GPU.

    A MIG slice stands for its whole GPU, whose counter is the only one there is.

    Args:
        nvml: the library.
        ordinals: CUDA ordinals, as in "cuda:0".
        environ: environment, for CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER.
        cuda_uuid: asks CUDA itself; used only where the environment leaves doubt.

    Raises:
        MeterError: there is no GPU, or an ordinal is not visible or cannot be matched to a GPU for
            certain.
    """
    count = nvml.ask("nvmlDeviceGetCount")
    all_handles = [nvml.ask("nvmlDeviceGetHandleByIndex", index) for index in range(count)]
    if not all_handles:
        raise MeterError("NVML shows no GPU")
    if not ordinals:
        return all_handles
    by_uuid = {text(nvml.ask("nvmlDeviceGetUUID", handle)): handle for handle in all_handles}
    visible = _visible(environ)
    chosen: dict[str, Any] = {}
    for ordinal in ordinals:
        uuid = _uuid_of(nvml, ordinal, list(by_uuid), visible, environ, cuda_uuid)
        chosen[uuid] = by_uuid[uuid]
    return list(chosen.values())


def torch_uuid(ordinal: int) -> str | None:
    """What torch says of a CUDA device, if the program has loaded torch and it sees a GPU."""
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
    seen = len(uuids) if visible is None else len(visible)
    if ordinal >= seen:
        shown = "not set" if visible is None else repr(",".join(visible))
        raise MeterError(
            f"cuda:{ordinal}: {seen} GPU{'s' * (seen != 1)} visible, counted from 0 "
            f"(CUDA_VISIBLE_DEVICES is {shown})"
        )
    entry = None if visible is None else visible[ordinal]
    if entry is not None and entry.startswith("MIG-"):
        slice_handle = nvml.ask("nvmlDeviceGetHandleByUUID", entry)
        parent = nvml.ask("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", slice_handle)
        return _one(f"cuda:{ordinal}", text(nvml.ask("nvmlDeviceGetUUID", parent)), uuids)
    if entry is not None and entry.startswith("GPU-"):
        return _one(f"cuda:{ordinal}", entry, uuids)
    if len(uuids) == 1:
        return uuids[0]
    if environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        index = ordinal if entry is None else _index(entry)
        if index < len(uuids):
            return uuids[index]
        raise MeterError(f"cuda:{ordinal}: CUDA_VISIBLE_DEVICES names GPU {index} of {len(uuids)}")
    asked = cuda_uuid(ordinal)
    if asked is not None:
        return _one(f"cuda:{ordinal}", f"GPU-{asked}", uuids)
    raise MeterError(
        f"cuda:{ordinal}: which of the {len(uuids)} GPUs this is depends on CUDA's own order; set "
        f"CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID in CUDA_VISIBLE_DEVICES"
    )


def _one(what: str, prefix: str, uuids: list[str]) -> str:
    """The one GPU whose UUID starts so; CUDA allows abbreviated UUIDs."""
    found = [uuid for uuid in uuids if uuid.startswith(prefix)]
    if len(found) != 1:
        raise MeterError(f"{what}: {len(found)} GPUs have a UUID that starts with {prefix}")
    return found[0]


def _index(entry: str) -> int:
    try:
        return int(entry)
    except ValueError as error:
        raise MeterError(
            f"CUDA_VISIBLE_DEVICES: {entry!r} is neither an index nor a UUID (GPU-..., MIG-...)"
        ) from error

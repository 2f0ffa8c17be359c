"""Which machine a run was made on: a fingerprint of the facts that move its speed."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path


def machine_facts(device: str = "cpu") -> dict[str, str]:
    """Processor, core count, operating system, Python and torch, and the device by name."""
    import os

    import torch

    facts = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device,
    }
    if device.startswith("cuda"):
        facts["device"] = torch.cuda.get_device_name(device)
    return facts


def fingerprint(facts: dict[str, str]) -> str:
    """Twelve hex digits of the facts."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _processor() -> str:
    """Model name, stepping and cache size: cloud machines hide many models behind one name."""
    model = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return model
    found: dict[str, str] = {}
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    named = ("model", "stepping", "cache size")
    return ", ".join(
        [found.get("model name", model), *(f"{k} {found[k]}" for k in named if k in found)]
    )

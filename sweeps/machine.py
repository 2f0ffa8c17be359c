"""The fingerprint of a machine, from the facts that affect its speed."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path


def machine_facts(device: str = "cpu") -> dict[str, str]:
    """Processor, core count, operating system, Python, torch, and the name of the device."""
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
    """A hash of the facts, 12 hex digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _processor() -> str:
    """Model name, stepping and cache size. Cloud machines give many models the same name."""
    model = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return model
    facts: dict[str, str] = {}
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    keys = ("model", "stepping", "cache size")
    return ", ".join(
        [facts.get("model name", model), *(f"{k} {facts[k]}" for k in keys if k in facts)]
    )

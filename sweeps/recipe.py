"""What a spec fixes around its configurations, as a few digits: runs of two recipes do not mix."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from eahas.errors import SweepError
from eahas.spec import Spec

FIXED = ("network", "data", "training", "measurement")


def recipe(spec: Spec) -> str:
    """Twelve hex digits of the sections network, data, training and measurement."""
    fixed = {name: spec.source.get(name) for name in FIXED}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:12]


def require_recipe(spec: Spec, row: Mapping[str, Any], where: str) -> None:
    """Raise SweepError where a record says that it was made by another recipe."""
    given = row.get("recipe")
    if given and given != recipe(spec):
        raise SweepError(
            f"{where}: {row['run_id']} was made with other settings ({', '.join(FIXED)}) than "
            f"those of {spec.name} now; take the spec that it was made with, or begin another store"
        )

"""Summaries of records for a manifest: energy sources and provenance."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import eahas
from eahas.records.records import Records
from eahas.records.schema import MIXED, NO_ENERGY


def energy_facts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The energy source (one name, or `mixed`), the formulas and the flags of the ok records."""
    ok = [row for row in rows if row["status"] == "ok"]
    sources = sorted({row["energy_source"] for row in ok if row.get("energy_source")})
    formulas = sorted({row["energy_formula"] for row in ok if row.get("energy_formula")})
    both = ("energy_flags", "test_energy_flags")
    flags = sorted({f for row in ok for name in both for f in row.get(name, "").split(",") if f})
    source = NO_ENERGY if not sources else sources[0] if len(sources) == 1 else MIXED
    return {"source": source, "formula": "; ".join(formulas), "flags": flags}


def provenance(records: Records, content: bytes) -> dict[str, Any]:
    """Counts, machines, software, dates and the SHA-256 of the file `content` of the records."""
    machines: dict[str, Any] = {}
    for row in records:
        if row.get("machine") and row["machine"] not in machines:
            machines[row["machine"]] = json.loads(row.get("machine_facts", "{}"))
    starts = sorted(row["started_at"] for row in records if row.get("started_at"))
    return {
        "runs": len(records),
        "configurations": len({row["config_id"] for row in records}),
        "status": dict(records.counts("status")),
        "split": dict(records.counts("split")),
        "machines": machines,
        "software": sorted({row["software"] for row in records if row.get("software")}),
        "first_run": starts[0] if starts else None,
        "last_run": starts[-1] if starts else None,
        "records_sha256": hashlib.sha256(content).hexdigest(),
        "fitted_with": f"eahas {eahas.__version__}",
        "fitted_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }

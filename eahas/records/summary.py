"""Summaries of records for a manifest: energy sources and provenance."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import eahas
from eahas.records.energies import energies_of
from eahas.records.records import Records
from eahas.records.schema import MIXED, NO_ENERGY
from eahas.spec.spec import Spec


def energy_facts(rows: Sequence[Mapping[str, Any]], spec: Spec | None = None) -> dict[str, Any]:
    """The source of the energies: one name, `mixed` or `none`; with the formula and the flags seen.

    With a spec also `targets`: the facts of each of its energies, as `EnergyFacts.to_dict`. Raises
    RecordError as `energies_of`.
    """
    ok = [row for row in rows if row["status"] == "ok"]
    formulas = sorted({row["energy_formula"] for row in ok if row.get("energy_formula")})
    both = ("energy_flags", "test_energy_flags")
    flags = sorted({f for row in ok for name in both for f in row.get(name, "").split(",") if f})
    names = {row["energy_source"] for row in ok if row.get("energy_source")}
    targets = {} if spec is None else energies_of(rows, spec)
    if targets:
        names = {facts.source.name for facts in targets.values() if facts.source is not None}
        names -= {NO_ENERGY} if len(names) > 1 else set()
    source = NO_ENERGY if not names else names.pop() if len(names) == 1 else MIXED
    found: dict[str, Any] = {"source": source, "formula": "; ".join(formulas), "flags": flags}
    if spec is not None:
        found["targets"] = {name: facts.to_dict() for name, facts in targets.items()}
    return found


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

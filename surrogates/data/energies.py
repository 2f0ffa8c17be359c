"""What a fit asks of the energies in its records: each has a source, and all cover the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eahas.energy.energy_facts import EnergyFacts
from eahas.errors import FitError, RecordError
from eahas.records.energies import energies_of, known_sources, sources_of
from eahas.spec.spec import Spec


def require_sources(rows: Sequence[Mapping[str, Any]], spec: Spec) -> None:
    """Raise FitError for an energy without a source, which says how to state one.

    The rows need not be checked; what else is wrong with them is for `check_rows`.
    """
    known = known_sources(spec)
    for target in spec.energies:
        for row in rows:
            if not isinstance(row, Mapping) or row.get(target.name) is None:
                continue
            stated = row.get("energy_source") or sources_of(row, target, known)
            if row.get("status") == "ok" and not stated:
                raise FitError(
                    f"{target.name} is an energy (unit {target.unit or 'not stated'}), and the run "
                    f"{row.get('run_id')} has no source of it. Give the column energy_source "
                    f"({', '.join(known)}), or state the source at the target in the spec: "
                    f"{target.name}: {{unit: {target.unit or 'J'}, source: {{name: ..., "
                    "description: ..., measured: true|false}, boundary: ...}. If it is no energy "
                    "that was used, state its quantity there (quantity: error, say)"
                )


def checked_energies(rows: Sequence[Mapping[str, Any]], spec: Spec) -> dict[str, EnergyFacts]:
    """The facts of each energy of a spec, by the name of its target.

    Raises FitError for an energy without a source, and where runs cover different things.
    """
    require_sources(rows, spec)
    try:
        return energies_of(rows, spec)
    except RecordError as error:
        raise FitError(str(error)) from None

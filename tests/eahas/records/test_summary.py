"""Summaries of records for a manifest."""

from __future__ import annotations

from eahas.records.summary import energy_facts


def test_energy_facts_name_one_source_or_mixed() -> None:
    rows = [{"status": "ok", "energy_source": "estimated"} for _ in range(2)]
    assert energy_facts(rows)["source"] == "estimated"
    assert energy_facts([{**rows[0], "energy_source": "rapl"}, rows[1]])["source"] == "mixed"
    assert energy_facts([{"status": "failed"}])["source"] == "none"

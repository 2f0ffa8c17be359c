"""`eahas.energy` offers its names at once and imports the meters at their first use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import eahas.energy
import regnet_hpo.energy


@pytest.mark.parametrize("name", sorted(eahas.energy._MODULES))
def test_every_name_is_there(name: str) -> None:
    assert getattr(eahas.energy, name) is not None
    assert name in dir(eahas.energy)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'meters'"):
        _ = eahas.energy.meters
    assert regnet_hpo.energy.open_meter is eahas.energy.open_meter


def test_a_spec_loads_no_meter() -> None:
    code = "import sys, json, eahas.spec; print(json.dumps(list(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name for name in json.loads(answer.stdout) if name.startswith("eahas.energy.")}
    assert loaded == {f"eahas.energy.{m}" for m in ("energy_facts", "energy_source", "reading")}

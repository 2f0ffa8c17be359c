"""One boundary a store: what a spec states, what a folder holds, what its records cover."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eahas.errors import SpecError, SweepError
from eahas.frozen import thawed
from eahas.spec.spec import Spec, spec_from_dict
from sweeps.compatibility import require_compatible, require_one_boundary, require_stated_sources
from sweeps.report import facts, page

METER = {"name": "external_meter", "description": "at the socket", "measured": True}


class Images(NamedTuple):
    fingerprint: str = "f"
    source: str = "images"


def with_energy(spec: Spec, **stated: Any) -> Spec:
    source = thawed(spec.source)
    source["targets"]["scalars"] = {"runtime_s": None, "train_energy_j": stated or None}
    return spec_from_dict(source)


@pytest.mark.parametrize(
    ("row", "source", "fits"),
    [
        ({"energy_source": "nvml_sampled"}, "nvml_counter", True),
        ({"energy_source": "nvml_sampled", "energy_boundary": "gpu"}, "nvml_counter", True),
        ({"energy_source": "rapl"}, "rapl", True),
        ({"energy_source": "rapl"}, "estimated", False),
        ({"energy_source": "rapl"}, "nvml_counter", False),
        ({"energy_source": "estimated", "energy_boundary": "wall"}, "estimated", False),
        ({"energy_source": "external_meter", "energy_boundary": "gpu"}, "nvml_counter", False),
        ({}, "rapl", True),
    ],
)
def test_a_folder_takes_energies_that_cover_the_same(
    tmp_path: Path, row: dict[str, Any], source: str, fits: bool
) -> None:
    (tmp_path / "r.json").write_text(json.dumps(row))
    images: Any = Images()
    if fits:
        require_compatible(tmp_path, images, source)
    else:
        with pytest.raises(SweepError, match=f"r has energies from .*source here is {source}"):
            require_compatible(tmp_path, images, source)


def test_a_spec_and_its_meter_agree_before_the_first_run(spec: Spec) -> None:
    require_stated_sources(spec, "rapl")
    require_stated_sources(with_energy(spec, source="rapl", boundary="cpu"), "rapl")
    with pytest.raises(SpecError, match="states the source external_meter, but runs here"):
        require_stated_sources(with_energy(spec, source=METER), "rapl")
    with pytest.raises(SpecError, match="states the boundary wall, but estimated covers cpu"):
        require_stated_sources(with_energy(spec, boundary="wall"), "estimated")


def row(config: int, **more: Any) -> dict[str, Any]:
    return {
        "run_id": f"r{config}",
        "config_id": f"c{config}",
        "status": "ok",
        **{name: [50.0 + config] for name in ("train", "valid", "test")},
        "runtime_s": 10.0 + config,
        "train_energy_j": 1.0 + config,
        "test_energy_j": 1.0,
        "wall_s": 1.0,
        **more,
    }


def test_a_store_has_one_boundary(spec: Spec) -> None:
    rows = [row(0, energy_source="nvml_counter"), row(1, energy_source="nvml_sampled")]
    assert require_one_boundary(spec, rows)["train_energy_j"].boundary == "gpu"
    rows.append(row(2, energy_source="rapl"))
    for covered in (require_one_boundary, facts):
        with pytest.raises(SweepError, match=r"train_energy_j: .* never pooled: r0 .* and r2"):
            covered(spec, rows)


def test_a_report_shows_the_source_at_each_energy(spec: Spec) -> None:
    source = thawed(spec.source)
    guess = {"name": "tdp", "description": "TDP x time", "measured": False}
    scalars = {"train_energy_j": {"unit": "kJ", "source": guess}, "test_energy_j": None}
    source["targets"]["scalars"] = scalars
    own = spec_from_dict(source)
    rows = [row(k, energy_source="rapl") for k in range(3)]
    found = facts(own, rows)
    assert found["sources"] == {"train_energy_j": "tdp, not measured", "test_energy_j": "rapl"}
    assert found["energies"]["train_energy_j"]["measured"] is False
    assert "power" not in found  # a guess has none
    text = page(found)
    assert "against train_energy_j (tdp, not measured)" in text
    (line,) = [each for each in text.splitlines() if each.startswith("test_energy_j")]
    assert line.endswith("  rapl")


def test_power_is_in_watts_whatever_the_unit(spec: Spec) -> None:
    rows = [row(k, energy_source="rapl") for k in range(3)]
    watts = facts(with_energy(spec), rows)["power"]["median_w"]
    own = with_energy(spec, unit="kJ", source="rapl")
    assert facts(own, rows)["power"]["median_w"] == pytest.approx(1000 * watts)

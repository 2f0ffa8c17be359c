"""From checked records to a benchmark folder: fit, calibrate, judge, save."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import eahas
from eahas import ensemble_folder as ensembles
from eahas.benchmark import RECORDS
from eahas.checkpoint import BENCHMARK, save_folder, with_manifest
from eahas.ensemble import Ensemble
from eahas.errors import FitError
from eahas.records import MIXED, NO_ENERGY, records_bytes
from eahas.spec import Spec
from surrogates.calibration import calibrated
from surrogates.dataset import Runs, runs_from_records
from surrogates.families import Family, Settings, family
from surrogates.quality import Report, judged

MODELS = ("bezier_nn_STAR", "nn_E")  # what a benchmark is made of unless told otherwise


@dataclass(frozen=True)
class Fitted:
    """The ensembles of a benchmark, the runs they came from, and how good they are."""

    spec: Spec
    runs: Runs
    models: tuple[Ensemble, ...]
    quality: Mapping[str, Any]


def fit(
    spec: Spec,
    rows: Sequence[Mapping[str, Any]],
    *,
    models: Sequence[str] = MODELS,
    curves: Settings | None = None,
    scalars: Settings | None = None,
    resamples: int = 200,
    report: Report | None = None,
) -> Fitted:
    """Fit every target of a spec to checked records, with the named families and their settings.

    Trained on the split `train`, calibrated on `valid`, judged on `test`. Raises FitError where a
    side is empty or there are fewer training configurations than folds.
    """
    runs = runs_from_records(rows, spec)
    train, valid = runs.side("train"), runs.side("valid")
    for side, part in (("train", train), ("valid", valid)):
        if not len(part):
            sides = ", ".join(f"{n} {s}" for s, n in Counter(runs.split.tolist()).items())
            raise FitError(f"no {side} runs among the usable ones ({sides}); collect more")
    fitted = []
    for kind, settings in (("curves", curves), ("scalars", scalars)):
        if not getattr(spec, kind):
            continue
        chosen = family_for(kind, models)

        def progress(done: int, total: int, name: str = chosen.name) -> None:
            if report is not None:
                report(f"fit {name}", done, total)

        fitted.append(calibrated(chosen.fit(train, settings, progress), valid))
    found = judged(fitted, runs, resamples=resamples, report=report)
    return Fitted(spec, runs, tuple(fitted), found)


def family_for(kind: str, models: Sequence[str]) -> Family:
    """The family among these that fits curves, or scalars: the last one named, else our own."""
    return [chosen for name in (*MODELS, *models) if (chosen := family(name)).targets == kind][-1]


def save(
    fitted: Fitted,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    version: int | None = None,
) -> None:
    """Write the benchmark folder: manifest, one folder a model, the records.

    `version` is the benchmark's own, by default the spec's: a better fit of the same space is a new
    version, so that published numbers stay reproducible.
    """
    spec = fitted.spec
    records = records_bytes(rows, spec)
    files = {RECORDS: records}
    manifest = {
        "format": BENCHMARK,
        "version": spec.version if version is None else version,
        "spec": dict(spec.source),
        "targets": [
            {"name": t.name, "kind": t.kind, "unit": t.unit, "direction": t.direction}
            for t in spec.targets
        ],
        "fidelity": spec.space.fidelity,
        "models": [model.name for model in fitted.models],
        "energy": energy_facts(rows),
        "provenance": provenance(rows, records),
        "quality": fitted.quality,
    }
    for model in fitted.models:
        whole = with_manifest(*ensembles.contents(model))
        files |= {f"{model.name}/{name}": content for name, content in whole.items()}
    save_folder(folder, manifest, files)


def energy_facts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The source of the joules: one name, or `mixed`; with the formula and the flags seen."""
    ok = [row for row in rows if row["status"] == "ok"]
    sources = sorted({row["energy_source"] for row in ok if row.get("energy_source")})
    formulas = sorted({row["energy_formula"] for row in ok if row.get("energy_formula")})
    both = ("energy_flags", "test_energy_flags")
    flags = sorted({f for row in ok for name in both for f in row.get(name, "").split(",") if f})
    source = NO_ENERGY if not sources else sources[0] if len(sources) == 1 else MIXED
    return {"source": source, "formula": "; ".join(formulas), "flags": flags}


def provenance(rows: Sequence[Mapping[str, Any]], records: bytes) -> dict[str, Any]:
    """Where the records come from and what they are, enough to tell two fits apart."""
    machines: dict[str, Any] = {}
    for row in rows:
        if row.get("machine") and row["machine"] not in machines:
            machines[row["machine"]] = json.loads(row.get("machine_facts", "{}"))
    starts = sorted(row["started_at"] for row in rows if row.get("started_at"))
    return {
        "runs": len(rows),
        "configurations": len({row["config_id"] for row in rows}),
        "status": dict(Counter(row["status"] for row in rows)),
        "split": dict(Counter(row.get("split", "") for row in rows)),
        "machines": machines,
        "software": sorted({row["software"] for row in rows if row.get("software")}),
        "first_run": starts[0] if starts else None,
        "last_run": starts[-1] if starts else None,
        "records_sha256": hashlib.sha256(records).hexdigest(),
        "fitted_with": f"eahas {eahas.__version__}",
        "fitted_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }

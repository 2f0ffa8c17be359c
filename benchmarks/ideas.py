"""What each idea behind the learning-curve surrogate is worth: ours, and ours without it.

    python -m benchmarks.ideas [--seeds 2]

Fitted to the split `train` of `regnet-digits`, judged on the first runs of `valid`, where all
choices were made; a figure is the mean over the seeds. No test run is looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace

import numpy as np

from benchmarks.surrogate_quality import CURVE, FIGURES, figures
from eahas import api
from eahas.benchmark.benchmark import RECORDS
from eahas.models.ensemble import Ensemble
from eahas.models.features.features import Features
from eahas.records.parquet import read_records
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.families import CURVES, configured, family
from surrogates.models.codec_ensembles import fit_curves_coded
from surrogates.models.network_training import FitSettings, NetSettings, fit_curves

Array = np.ndarray
Seen = Callable[[Runs], Runs]
Fit = Callable[[Runs, FitSettings], Ensemble]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    bench = api.load_benchmark("regnet-digits")
    runs = runs_from_records(read_records(bench.folder / RECORDS, bench.spec), bench.spec)
    train, valid = runs.side("train"), runs.side("valid").first_seeds()
    print("| change | " + " | ".join(FIGURES) + " |\n" + "|" + " --- |" * (1 + len(FIGURES)))
    kept: dict[str, list[Array]] = {}
    for name, told in variants(train, valid, arguments.seeds):
        kept[name] = told
        _row(name, told, valid)
    for name, shares in MIXED.items():
        of_seeds = zip(*(kept[one] for one in shares), strict=True)
        weights = list(shares.values())
        mixed = [sum(w * one for w, one in zip(weights, seed, strict=True)) for seed in of_seeds]
        _row(name, mixed, valid)


OURS, LC, SVD = "as it is", "`lc_nn_STAR` instead", "`svd_lgb` instead"
MIXED: Mapping[str, Mapping[str, float]] = {
    "mean with `lc_nn_STAR`": {OURS: 0.5, LC: 0.5},
    "mean with `svd_lgb`, .85 and .15": {OURS: 0.85, SVD: 0.15},
}


def variants(train: Runs, valid: Runs, seeds: int) -> Iterator[tuple[str, list[Array]]]:
    """Name by name, what each seed's fit says of the valid runs, (n, longest)."""
    plain: list[tuple[str, Seen, Fit, FitSettings]] = [
        (OURS, _same, fit_curves, CURVES),
        ("loss on the control points, not on the curve", _same, _on_codes, CURVES),
        ("the codes of configurations alone", _with_features(), fit_curves, CURVES),
        ("no features of the network", _with_features(logs=True, crosses=True), fit_curves, CURVES),
        (
            "logarithms not crossed with choices",
            _with_features(logs=True, network=True),
            fit_curves,
            CURVES,
        ),
        ("one curve alone, not three by one trunk", _main_curve_alone, fit_curves, CURVES),
        (
            "the last epoch counts as any other",
            _same,
            fit_curves,
            replace(CURVES, last_epoch_weight=0.0),
        ),
        ("no dropout", _same, fit_curves, replace(CURVES, dropout=0.0)),
        ("two members, not five", _same, fit_curves, replace(CURVES, members=2)),
        ("degree 3", _same, fit_curves, replace(CURVES, degree=3)),
        ("degree 6", _same, fit_curves, replace(CURVES, degree=6)),
    ]
    for name, seen, fit, settings in plain:
        some, judged = seen(train), seen(valid)
        yield (
            name,
            [
                fit(some, replace(settings, seed=seed)).distribution(judged.configs)[CURVE].value
                for seed in range(seeds)
            ],
        )
    for name, other in ((LC, "lc_nn_STAR"), (SVD, "svd_lgb")):
        chosen = family(other)
        yield (
            name,
            [
                chosen.fit(train, configured(chosen.settings, {"seed": seed}))
                .distribution(valid.configs)[CURVE]
                .value
                for seed in range(seeds)
            ],
        )


def _same(runs: Runs) -> Runs:
    return runs


def _on_codes(runs: Runs, settings: FitSettings) -> Ensemble:
    known = asdict(NetSettings())
    of_codes = NetSettings(**{k: v for k, v in asdict(settings).items() if k in known})
    return fit_curves_coded(runs, replace(of_codes, left_out=1), codec="bezier")


def _with_features(*, logs: bool = False, crosses: bool = False, network: bool = False) -> Seen:
    def seen(runs: Runs) -> Runs:
        full = runs.features
        features = Features(
            full.space,
            full.logs if logs else (),
            full.crosses if crosses else (),
            full.families if network else (),
        )
        return replace(runs, features=features, x=features.many(runs.columns()))

    return seen


def _main_curve_alone(runs: Runs) -> Runs:
    (k,) = (k for k, target in enumerate(runs.spec.curves) if target.name == CURVE)
    spec = replace(runs.spec, curves=(runs.spec.curves[k],))
    return replace(runs, spec=spec, curves=runs.curves[:, k : k + 1])


def _row(name: str, told: list[Array], valid: Runs) -> None:
    (place,) = (k for k, target in enumerate(valid.spec.curves) if target.name == CURVE)
    seen, weights = valid.curves[:, place], np.ones((1, len(valid)))
    values = np.mean([figures(one, seen, valid.epochs, weights)[:, 0] for one in told], axis=0)
    print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |", flush=True)


if __name__ == "__main__":
    main()

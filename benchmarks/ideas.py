"""An ablation of the learning-curve surrogate: the baseline, and variants with one change each.

    python -m benchmarks.ideas [--seeds 2]

The variants are fitted to the `train` part of `regnet-digits` and evaluated on the first seeds of
the `valid` part, on which the design was selected. The figures are means over the seeds. Test runs
are not used.
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
from surrogates.models.codec_ensembles import fit_curve_codes
from surrogates.models.network_training import FitSettings, NetSettings, fit_curves

Array = np.ndarray
Change = Callable[[Runs], Runs]
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
    predictions: dict[str, list[Array]] = {}
    for name, predicted in variants(train, valid, arguments.seeds):
        predictions[name] = predicted
        _row(name, predicted, valid)
    for name, shares in MIXTURES.items():
        by_seed = zip(*(predictions[variant] for variant in shares), strict=True)
        weights = list(shares.values())
        mixed = [sum(w * curves for w, curves in zip(weights, s, strict=True)) for s in by_seed]
        _row(name, mixed, valid)


OURS, LC, SVD = "baseline", "`lc_nn_STAR` instead", "`svd_lgb` instead"
MIXTURES: Mapping[str, Mapping[str, float]] = {
    "mean with `lc_nn_STAR`": {OURS: 0.5, LC: 0.5},
    "mean with `svd_lgb`, weights .85 and .15": {OURS: 0.85, SVD: 0.15},
}


def variants(train: Runs, valid: Runs, seeds: int) -> Iterator[tuple[str, list[Array]]]:
    """For each variant its name and the predictions for the valid runs (n, longest) by seed."""
    changed: list[tuple[str, Change, Fit, FitSettings]] = [
        (OURS, _unchanged, fit_curves, CURVES),
        ("loss on the control points instead of the curve", _unchanged, _fit_codes, CURVES),
        ("encoding of the configuration only", _with_features(), fit_curves, CURVES),
        ("no network features", _with_features(logs=True, crosses=True), fit_curves, CURVES),
        (
            "logarithms not crossed with choices",
            _with_features(logs=True, network=True),
            fit_curves,
            CURVES,
        ),
        (
            "one curve only, instead of three with a shared trunk",
            _main_curve_only,
            fit_curves,
            CURVES,
        ),
        (
            "no extra weight on the last epoch",
            _unchanged,
            fit_curves,
            replace(CURVES, last_epoch_weight=0.0),
        ),
        ("no dropout", _unchanged, fit_curves, replace(CURVES, dropout=0.0)),
        ("two members instead of five", _unchanged, fit_curves, replace(CURVES, members=2)),
        ("degree 3", _unchanged, fit_curves, replace(CURVES, degree=3)),
        ("degree 6", _unchanged, fit_curves, replace(CURVES, degree=6)),
    ]
    for name, change, fit, settings in changed:
        training, configs = change(train), change(valid).configs
        yield (
            name,
            [
                fit(training, replace(settings, seed=seed)).distribution(configs)[CURVE].value
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


def _unchanged(runs: Runs) -> Runs:
    return runs


def _fit_codes(runs: Runs, settings: FitSettings) -> Ensemble:
    known = asdict(NetSettings())
    code_settings = NetSettings(**{k: v for k, v in asdict(settings).items() if k in known})
    return fit_curve_codes(runs, replace(code_settings, left_out=1), codec="bezier")


def _with_features(*, logs: bool = False, crosses: bool = False, network: bool = False) -> Change:
    def change(runs: Runs) -> Runs:
        full = runs.features
        features = Features(
            full.space,
            full.logs if logs else (),
            full.crosses if crosses else (),
            full.families if network else (),
        )
        return replace(runs, features=features, x=features.many(runs.columns()))

    return change


def _main_curve_only(runs: Runs) -> Runs:
    (k,) = (k for k, target in enumerate(runs.spec.curves) if target.name == CURVE)
    spec = replace(runs.spec, curves=(runs.spec.curves[k],))
    return replace(runs, spec=spec, curves=runs.curves[:, k : k + 1])


def _row(name: str, predictions: list[Array], valid: Runs) -> None:
    (index,) = (k for k, target in enumerate(valid.spec.curves) if target.name == CURVE)
    observed, weights = valid.curves[:, index], np.ones((1, len(valid)))
    values = np.mean(
        [figures(curves, observed, valid.epochs, weights)[:, 0] for curves in predictions], axis=0
    )
    print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |", flush=True)


if __name__ == "__main__":
    main()

"""Compare our learning-curve surrogate with published methods on the runs of `regnet-digits`.

    python -m benchmarks.surrogate_quality [--seeds 5] [--cache FOLDER] [--tuned FOLDER] [--tune N]

Every predictor is fitted to the `train` part (`valid` was used for selection) and evaluated on the
first seed of each configuration of the `test` part. The figures are means of five seeds. Brackets
contain 95 % intervals of a bootstrap over the configurations; paired differences use the same
resamples. Predictions are kept in the cache folder, so that an interrupted comparison can be
continued. "Tuned" settings are the result of `--tune 25`, with the same number of trials for each;
they are in `surrogates/configs` and `benchmarks/tuned`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks._bsc import BscSettings, fit_and_predict
from eahas import api
from eahas.benchmark.benchmark import RECORDS
from eahas.files import write_bytes
from eahas.records.parquet import read_records
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.evaluation.metrics import kendall_tau, last_epoch, mean_over_epochs, r2, resamplings
from surrogates.families import family

Array = np.ndarray
CURVE = "valid"
RESAMPLES = 200  # each needs 385 metrics per curve: one for each epoch of each length
FIGURES = ("R2, mean over epochs", "tau, mean over epochs", "R2, last epoch", "tau, last epoch")
SHARES = (0.125, 0.25, 0.5, 1.0)  # of the training configurations
OURS = "bezier_nn_hpo (ours)"
TUNED = Path(__file__).parent / "tuned"
Predictor = Callable[[Runs, Runs, int], Array]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "surrogate-quality"
    )
    parser.add_argument(
        "--tuned", type=Path, default=TUNED, help="a folder with tuned settings as NAME.json"
    )
    parser.add_argument(
        "--tune", type=int, metavar="N", help="only tune each with N trials, into that folder"
    )
    arguments = parser.parse_args()
    bench = api.load_benchmark("regnet-digits")
    runs = runs_from_records(read_records(bench.folder / RECORDS, bench.spec), bench.spec)
    if arguments.tune is not None:
        from benchmarks._tuning import tune_all

        for line in tune_all(runs, _curve_index(runs), arguments.tune, arguments.tuned):
            print(line, flush=True)
        return
    train, test = runs.side("train"), runs.side("test")
    evaluated = test.first_seeds()
    predictors = known_predictors(arguments.tuned)
    seeds = range(arguments.seeds)
    print(
        f"fitted to {len(train)} runs of {len(set(train.config_id))} configurations, evaluated on "
        f"{len(evaluated)} configurations, {arguments.seeds} seeds\n"
    )
    predictions = {
        name: [cached(arguments.cache, f"{name}-{s}", predict, train, evaluated, s) for s in seeds]
        for name, predict in predictors.items()
    }
    compare(predictions, evaluated)
    print()
    ceilings(predictions, test, evaluated)
    print()
    growth(predictors[OURS], train, evaluated, arguments.cache, seeds)


def known_predictors(tuned: Path) -> dict[str, Predictor]:
    """Predictors by name: functions of the training runs, the runs to predict, and a seed."""
    predictors: dict[str, Predictor] = {
        OURS: _family_predictor("bezier_nn_hpo"),
        "bezier_nn_STAR": _family_predictor("bezier_nn_STAR"),
        "lc_nn_STAR": _family_predictor("lc_nn_STAR"),
        "svd_lgb (NAS-Bench-X11's recipe)": _family_predictor("svd_lgb"),
        "xgb, last epoch": _family_predictor("xgb"),
        "BSC, as published": _bsc_predictor(BscSettings()),
        "BSC, scaled targets": _bsc_predictor(BscSettings(scaled=True)),
        "mean of the training runs": _mean_curve,
    }
    for name in ("lc_nn_hpo", "svd_lgb_hpo"):
        predictors[f"{name.removesuffix('_hpo')}, tuned"] = _family_predictor(name)
    for path in sorted(tuned.glob("*.json")):
        settings = json.loads(path.read_text(encoding="utf-8"))
        if path.stem == "bsc":
            settings.pop("about")
            predictors["BSC, scaled and tuned"] = _bsc_predictor(BscSettings(**settings))
        else:
            name = f"{path.stem.removesuffix('_hpo')}, tuned"
            predictors[name] = _family_predictor(path.stem, settings)
    return predictors


def _curve_index(runs: Runs) -> int:
    return [t.name for t in runs.spec.curves].index(CURVE)


def _bsc_predictor(settings: BscSettings) -> Predictor:
    return lambda train, test, seed: fit_and_predict(
        train, test, _curve_index(train), seed, settings
    )


def _family_predictor(name: str, changes: Mapping[str, object] | None = None) -> Predictor:
    from surrogates.families import configured

    def predict(train: Runs, test: Runs, seed: int) -> Array:
        chosen = family(name)
        settings = configured(chosen.settings, {**(changes or {}), "seed": seed})
        fitted = chosen.fit(train, settings)
        curves: Array = fitted.distribution(test.configs)[CURVE].value
        return curves

    return predict


def _mean_curve(train: Runs, test: Runs, seed: int) -> Array:
    curves = np.full((len(test), int(test.epochs.max())), np.nan)
    for length in np.unique(test.epochs):
        observed = train.curves[train.epochs == length, _curve_index(train), :length]
        curves[test.epochs == length, :length] = np.nanmean(observed, axis=0)
    return curves


def cached(
    folder: Path, name: str, predict: Predictor, train: Runs, test: Runs, seed: int
) -> Array:
    """The predicted curves (n, longest); read from the cache folder if they are there."""
    import io

    path = folder / f"{''.join(c if c.isalnum() else '-' for c in name)}-{len(train)}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.save(content, predict(train, test, seed))
        write_bytes(path, content.getvalue())
    return np.load(path, allow_pickle=False)


def figures(predicted: Array, observed: Array, epochs: Array, weights: Array) -> Array:
    """FIGURES (4, R) of predicted and observed curves (n, longest), for R rows of weights."""
    width = min(predicted.shape[1], observed.shape[1])
    predicted, observed = predicted[:, :width], observed[:, :width]
    ends = last_epoch(predicted, epochs), last_epoch(observed, epochs)
    return np.stack(
        [
            mean_over_epochs(r2, predicted, observed, epochs, weights),
            mean_over_epochs(kendall_tau, predicted, observed, epochs, weights),
            r2(*ends, weights),
            kendall_tau(*ends, weights),
        ]
    )


def _mean_figures(predictions: Sequence[Array], observed: Array, epochs: Array) -> Array:
    """The mean of the figures of several predictions, (4, 1 + RESAMPLES)."""
    weights = resamplings(len(observed), RESAMPLES)
    by_prediction = [figures(curves, observed, epochs, weights) for curves in predictions]
    mean: Array = np.mean(by_prediction, axis=0)
    return mean


def compare(predictions: Mapping[str, list[Array]], evaluated: Runs) -> None:
    """Print the figures of all predictors, and the paired differences between ours and each."""
    observed = evaluated.curves[:, _curve_index(evaluated)]
    values = {
        name: _mean_figures(seeds, observed, evaluated.epochs)
        for name, seeds in predictions.items()
    }
    _table("predictor", values)
    _differences(values)


def _differences(values: Mapping[str, Array]) -> None:
    print("\nPaired difference, ours minus each other predictor:\n")
    others = {name: values[OURS] - other for name, other in values.items() if name != OURS}
    _table("other predictor", others)


def ceilings(predictions: Mapping[str, list[Array]], test: Runs, evaluated: Runs) -> None:
    """Print the figures of other seeds as predictors, and the share of the seed variance."""
    names, counts = np.unique(test.config_id, return_counts=True)
    repeated = names[counts >= 3]
    rows = np.array(
        [
            np.flatnonzero(test.config_id == n)[np.argsort(test.seed[test.config_id == n])][:3]
            for n in repeated
        ]
    )
    curves, epochs = test.curves[:, _curve_index(test)], test.epochs[rows[:, 2]]
    first, second, third = (curves[rows[:, k]] for k in range(3))
    index = np.array([int(np.flatnonzero(evaluated.config_id == name)[0]) for name in repeated])
    sources = {
        OURS: [predicted[index] for predicted in predictions[OURS]],
        "another seed's run": [first, second],
        "the mean of two other seeds": [0.5 * (first + second)],
    }
    print(f"Prediction of the third run, on the {len(repeated)} configurations with three seeds:\n")
    values = {name: _mean_figures(source, third, epochs) for name, source in sources.items()}
    _table("predictor", values)
    _differences(values)
    ends = np.stack([last_epoch(seed, epochs) for seed in (first, second, third)])
    ceiling = 1.0 - ends.var(axis=0, ddof=1).mean() / ends.reshape(-1).var(ddof=1)
    print(f"\n1 - seed variance / total variance at the last epoch: {ceiling:.3f}")


def growth(ours: Predictor, train: Runs, evaluated: Runs, cache: Path, seeds: range) -> None:
    """Print the figures of ours, fitted to SHARES of the training configurations."""
    names = np.random.default_rng(0).permutation(np.unique(train.config_id))
    observed = evaluated.curves[:, _curve_index(evaluated)]
    print("Ours, by size of the training set:\n")
    values = {}
    for share in SHARES:
        kept = names[: round(share * len(names))]
        part = train.where(np.isin(train.config_id, kept))
        predictions = [cached(cache, f"{OURS}-{s}", ours, part, evaluated, s) for s in seeds]
        size = f"{len(kept)} configurations, {len(part)} runs"
        values[size] = _mean_figures(predictions, observed, evaluated.epochs)
    _table("fitted to", values)


def _table(first: str, rows: Mapping[str, Array]) -> None:
    print(f"| {first} | " + " | ".join(FIGURES) + " |\n" + "|" + " --- |" * (1 + len(FIGURES)))
    for name, values in rows.items():
        cells = []
        for row in values:
            if np.isnan(row).all():  # Kendall tau of a constant is undefined
                cells.append("-")
                continue
            low, high = np.nanpercentile(row[1:], [2.5, 97.5])
            cells.append(f"{row[0]:.3f} [{low:.3f}, {high:.3f}]")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

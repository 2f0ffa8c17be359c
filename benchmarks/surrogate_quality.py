"""Our learning-curve surrogate beside the published recipes, on the same runs of `regnet-digits`.

    python -m benchmarks.surrogate_quality [--seeds 5] [--cache FOLDER] [--tuned FOLDER] [--tune N]

Every predictor learns from the split `train` (choices were made on `valid`) and is judged on the
first run of each configuration of `test`, with five seeds; a figure is the mean of the five. The
brackets are 95 % intervals of a bootstrap over the configurations of the mean of the five, and
"ours ahead by" is the paired difference on the same resamples. What a seed predicted is kept in the
cache folder, so that an interrupted comparison goes on. The settings named tuned are those of
`--tune 25`, one budget of trials for each: in `surrogates/configs` and `benchmarks/tuned`.
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
RESAMPLES = 200  # each has 385 metrics a curve: one for each epoch of each length
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
        "--tuned", type=Path, default=TUNED, help="a folder with NAME.json, settings to compare too"
    )
    parser.add_argument(
        "--tune", type=int, metavar="N", help="first tune each with N trials, into the folder"
    )
    arguments = parser.parse_args()
    bench = api.load_benchmark("regnet-digits")
    runs = runs_from_records(read_records(bench.folder / RECORDS, bench.spec), bench.spec)
    if arguments.tune is not None:
        from benchmarks._tuning import tune_all

        for line in tune_all(runs, _place(runs), arguments.tune, arguments.tuned):
            print(line, flush=True)
        return
    train, test = runs.side("train"), runs.side("test")
    judged = test.first_seeds()
    predictors = known_predictors(arguments.tuned)
    seeds = range(arguments.seeds)
    print(
        f"{len(train)} runs of {len(set(train.config_id))} configurations to learn from, "
        f"{len(judged)} configurations to judge, {arguments.seeds} seeds\n"
    )
    told = {
        name: [cached(arguments.cache, f"{name}-{s}", predict, train, judged, s) for s in seeds]
        for name, predict in predictors.items()
    }
    compare(told, judged)
    print()
    ceilings(told, test, judged)
    print()
    growth(predictors[OURS], train, judged, arguments.cache, seeds)


def known_predictors(tuned: Path) -> dict[str, Predictor]:
    """Each by its name: from the runs to learn from, the runs to judge and a seed, to curves."""
    found: dict[str, Predictor] = {
        OURS: _of_family("bezier_nn_hpo"),
        "bezier_nn_STAR": _of_family("bezier_nn_STAR"),
        "lc_nn_STAR": _of_family("lc_nn_STAR"),
        "svd_lgb (NAS-Bench-X11's recipe)": _of_family("svd_lgb"),
        "xgb, last epoch": _of_family("xgb"),
        "BSC, as published": _of_bsc(BscSettings()),
        "BSC, scaled targets": _of_bsc(BscSettings(scaled=True)),
        "mean of the training runs": _mean_curve,
    }
    for name in ("lc_nn_hpo", "svd_lgb_hpo"):
        found[f"{name.removesuffix('_hpo')}, tuned"] = _of_family(name)
    for path in sorted(tuned.glob("*.json")):
        chosen = json.loads(path.read_text(encoding="utf-8"))
        if path.stem == "bsc":
            chosen.pop("about")
            found["BSC, scaled and tuned"] = _of_bsc(BscSettings(**chosen))
        else:
            found[f"{path.stem.removesuffix('_hpo')}, tuned"] = _of_family(path.stem, chosen)
    return found


def _place(runs: Runs) -> int:
    return [t.name for t in runs.spec.curves].index(CURVE)


def _of_bsc(settings: BscSettings) -> Predictor:
    return lambda train, test, seed: fit_and_predict(train, test, _place(train), seed, settings)


def _of_family(name: str, changes: Mapping[str, object] | None = None) -> Predictor:
    from surrogates.families import configured

    def predict(train: Runs, test: Runs, seed: int) -> Array:
        chosen = family(name)
        settings = configured(chosen.settings, {**(changes or {}), "seed": seed})
        fitted = chosen.fit(train, settings)
        found: Array = fitted.distribution(test.configs)[CURVE].value
        return found

    return predict


def _mean_curve(train: Runs, test: Runs, seed: int) -> Array:
    curves = np.full((len(test), int(test.epochs.max())), np.nan)
    for length in np.unique(test.epochs):
        of_train = train.curves[train.epochs == length, _place(train), :length]
        curves[test.epochs == length, :length] = np.nanmean(of_train, axis=0)
    return curves


def cached(
    folder: Path, name: str, predict: Predictor, train: Runs, test: Runs, seed: int
) -> Array:
    """What a predictor says, (n, longest), from the folder where it has been said already."""
    import io

    path = folder / f"{''.join(c if c.isalnum() else '-' for c in name)}-{len(train)}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.save(content, predict(train, test, seed))
        write_bytes(path, content.getvalue())
    return np.load(path, allow_pickle=False)


def figures(told: Array, seen: Array, epochs: Array, weights: Array) -> Array:
    """FIGURES of one prediction (n, longest) of what was seen, on R rows of weights: (4, R)."""
    width = min(told.shape[1], seen.shape[1])
    told, seen = told[:, :width], seen[:, :width]
    ends = last_epoch(told, epochs), last_epoch(seen, epochs)
    return np.stack(
        [
            mean_over_epochs(r2, told, seen, epochs, weights),
            mean_over_epochs(kendall_tau, told, seen, epochs, weights),
            r2(*ends, weights),
            kendall_tau(*ends, weights),
        ]
    )


def _mean_figures(told: Sequence[Array], seen: Array, epochs: Array) -> Array:
    """The mean over predictions of their figures, (4, 1 + RESAMPLES)."""
    weights = resamplings(len(seen), RESAMPLES)
    found: Array = np.mean([figures(one, seen, epochs, weights) for one in told], axis=0)
    return found


def compare(told: Mapping[str, list[Array]], judged: Runs) -> None:
    """The table of all predictors, and how far ours is ahead of each, paired."""
    seen = judged.curves[:, _place(judged)]
    found = {name: _mean_figures(seeds, seen, judged.epochs) for name, seeds in told.items()}
    _table("predictor", found)
    print("\nOurs ahead by, paired:\n")
    _table("of", {name: found[OURS] - values for name, values in found.items() if name != OURS})


def ceilings(told: Mapping[str, list[Array]], test: Runs, judged: Runs) -> None:
    """Other seeds as predictors, on configurations run with three; and the share of the noise."""
    names, counts = np.unique(test.config_id, return_counts=True)
    repeated = names[counts >= 3]
    rows = np.array(
        [
            np.flatnonzero(test.config_id == n)[np.argsort(test.seed[test.config_id == n])][:3]
            for n in repeated
        ]
    )
    curves, epochs = test.curves[:, _place(test)], test.epochs[rows[:, 2]]
    first, second, third = (curves[rows[:, k]] for k in range(3))
    of_judged = np.array([int(np.flatnonzero(judged.config_id == name)[0]) for name in repeated])
    sources = {
        OURS: [one[of_judged] for one in told[OURS]],
        "another seed's run": [first, second],
        "the mean of two other seeds": [0.5 * (first + second)],
    }
    print(f"On the {len(repeated)} configurations with three seeds, the third run predicted by:\n")
    found = {n: _mean_figures(predictions, third, epochs) for n, predictions in sources.items()}
    _table("predictor", found)
    print("\nOurs ahead by, paired:\n")
    _table("of", {name: found[OURS] - v for name, v in found.items() if name != OURS})
    ends = np.stack([last_epoch(seed, epochs) for seed in (first, second, third)])
    ceiling = 1.0 - ends.var(axis=0, ddof=1).mean() / ends.reshape(-1).var(ddof=1)
    print(f"\n1 - noise variance / total variance at the last epoch: {ceiling:.3f}")


def growth(ours: Predictor, train: Runs, judged: Runs, cache: Path, seeds: range) -> None:
    """Ours learning from shares of the training configurations: how much of the rest is data."""
    names = np.random.default_rng(0).permutation(np.unique(train.config_id))
    seen = judged.curves[:, _place(judged)]
    print("Ours, by what it learns from:\n")
    found = {}
    for share in SHARES:
        kept = names[: round(share * len(names))]
        part = train.where(np.isin(train.config_id, kept))
        told = [cached(cache, f"{OURS}-{s}", ours, part, judged, s) for s in seeds]
        what = f"{len(kept)} configurations, {len(part)} runs"
        found[what] = _mean_figures(told, seen, judged.epochs)
    _table("learning from", found)


def _table(first: str, rows: Mapping[str, Array]) -> None:
    print(f"| {first} | " + " | ".join(FIGURES) + " |\n" + "|" + " --- |" * (1 + len(FIGURES)))
    for name, values in rows.items():
        cells = []
        for row in values:
            if np.isnan(row).all():  # of a constant there is no tau
                cells.append("-")
                continue
            low, high = np.nanpercentile(row[1:], [2.5, 97.5])
            cells.append(f"{row[0]:.3f} [{low:.3f}, {high:.3f}]")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

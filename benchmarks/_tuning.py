"""Tune each of the compared surrogates with the same budget: N trials, fitted to train.

Families are tuned as by `--tune N`. BSC is tuned with the same sampler, seed and number of trials,
and with the same score for the single curve that it predicts. Studies can be continued.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import optuna

from benchmarks._bsc import BscSettings, fit_and_predict
from eahas.files import write_json
from surrogates.data.dataset import Runs
from surrogates.evaluation.metrics import last_epoch, mean_over_epochs, r2
from surrogates.families import family
from surrogates.fitting import Component
from surrogates.tuning.search_spaces import Number, Ranges, Whole
from surrogates.tuning.study import tune

FAMILIES = ("svd_lgb_hpo", "xgb", "bezier_nn_hpo", "lc_nn_hpo", "svd_nn_hpo")
BSC = "bsc"
BSC_RANGES: Ranges = {
    "hidden": Whole(64, 384, log=True),
    "dropout": Number(0.0, 0.3),
    "learning_rate": Number(1e-4, 5e-3, log=True),
    "epochs": Whole(60, 480, log=True),
    "batch_size": Whole(16, 128, log=True),
}


def tune_all(runs: Runs, curve: int, trials: int, folder: Path) -> Iterator[str]:
    """Tune each surrogate, write its settings to FOLDER/NAME.json, and yield a line about it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, about = _tune_bsc(runs, curve, trials, folder / f"{BSC}.db")
    write_json(folder / f"{BSC}.json", {"about": about, **asdict(settings)}, indent=2)
    yield f"{BSC}: {about}"
    for name in FAMILIES:
        result = tune(Component(family(name)), runs, trials=trials, study=folder / f"{name}.db")
        tuned = {k: v for k, v in asdict(result.settings).items() if k != "seed"}
        write_json(folder / f"{name}.json", {"about": result.about, **tuned}, indent=2)
        yield f"{name}: {result.about}"


def _tune_bsc(runs: Runs, curve: int, trials: int, path: Path) -> tuple[BscSettings, str]:
    train, valid = runs.side("train"), runs.side("valid")
    base = BscSettings(scaled=True)

    def evaluate(trial: optuna.Trial) -> float:
        changes = {name: values.suggest(trial, name) for name, values in BSC_RANGES.items()}
        predicted = fit_and_predict(train, valid, curve, 0, replace(base, **changes))
        return _score(predicted, valid, curve)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=f"sqlite:///{path.absolute()}",
        study_name=BSC,
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=0),
    )
    done = sum(trial.state.is_finished() for trial in study.trials)
    if not study.trials:
        study.enqueue_trial({name: getattr(base, name) for name in BSC_RANGES})
    study.optimize(evaluate, n_trials=max(0, trials - done))
    about = (
        f"{len(study.trials)} trials on {len(train)} train and {len(valid)} valid runs: score "
        f"{study.best_value:.5f}, score of the published settings {study.trials[0].value:.5f}; "
        "lower is better"
    )
    return replace(base, **study.best_params), about


def _score(predicted: np.ndarray, runs: Runs, curve: int) -> float:
    """The mean of 1 - R2 at the last epoch and 1 - R2 averaged over the epochs."""
    observed, epochs, weight = runs.curves[:, curve], runs.epochs, runs.weight[None]
    width = min(predicted.shape[1], observed.shape[1])
    predicted, observed = predicted[:, :width], observed[:, :width]
    last = r2(last_epoch(predicted, epochs), last_epoch(observed, epochs), weight)
    mean = mean_over_epochs(r2, predicted, observed, epochs, weight)
    return float(1.0 - 0.5 * (last[0] + mean[0]))

"""Search spaces for tuning: for each type of settings, the ranges of its fields.

They do not contain the number of members, the seed, or the number of steps of networks, because
larger values of these always improve the accuracy at the cost of time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surrogates.families import Family, Settings
from surrogates.models.kernels import GpSettings, NuSvrSettings, SvrSettings
from surrogates.models.natural_boosting import NgbSettings
from surrogates.models.network_training import FitSettings, NetSettings
from surrogates.models.trees import ForestSettings, LgbSettings, XgbSettings


@dataclass(frozen=True)
class Whole:
    """A range of whole numbers low..high, sampled on a log scale if `log`."""

    low: int
    high: int
    log: bool = False

    def suggest(self, trial: Any, name: str) -> Any:
        """A value that the trial proposes."""
        return trial.suggest_int(name, self.low, self.high, log=self.log)

    def stored(self, value: Any) -> Any:
        """The value in the form in which a study stores it; None if it is outside the range."""
        return value if self.low <= value <= self.high else None


@dataclass(frozen=True)
class Number:
    """A range of numbers low..high, sampled on a log scale if `log`."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: Any, name: str) -> Any:
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def stored(self, value: Any) -> Any:
        return value if self.low <= value <= self.high else None


@dataclass(frozen=True)
class OneOf:
    """A choice of values; a study stores each value as JSON."""

    values: tuple[Any, ...]

    @property
    def labels(self) -> list[str]:
        return [json.dumps(value) for value in self.values]

    def suggest(self, trial: Any, name: str) -> Any:
        return json.loads(trial.suggest_categorical(name, self.labels))

    def stored(self, value: Any) -> Any:
        return json.dumps(value) if value in self.values else None


Range = Whole | Number | OneOf
Ranges = Mapping[str, Range]

WIDTHS = ((48, 48), (64, 64), (96, 96), (128, 128), (192, 192), (64, 64, 64), (96, 96, 96))
NETWORKS: Ranges = {
    "hidden": OneOf(WIDTHS),
    "learning_rate": Number(1e-3, 1e-2, log=True),
    "weight_decay": Number(0.03, 3.0, log=True),
    "dropout": Number(0.0, 0.3),
    "batch_size": Whole(64, 256, log=True),
}
KERNEL: Ranges = {"C": Number(0.1, 100.0, log=True), "gamma": Number(0.02, 2.0, log=True)}
SPACES: Mapping[type, Ranges] = {
    NetSettings: NETWORKS,
    FitSettings: {**NETWORKS, "last_epoch_weight": Number(0.1, 2.0, log=True)},
    XgbSettings: {
        "rounds": Whole(200, 1500, log=True),
        "learning_rate": Number(0.01, 0.3, log=True),
        "max_depth": Whole(2, 10),
        "min_child_weight": Number(0.1, 10.0, log=True),
        "subsample": Number(0.5, 1.0),
        "colsample_bytree": Number(0.2, 1.0),
        "reg_lambda": Number(0.01, 30.0, log=True),
    },
    LgbSettings: {
        "rounds": Whole(200, 1500, log=True),
        "learning_rate": Number(0.01, 0.3, log=True),
        "num_leaves": Whole(4, 64, log=True),
        "min_data_in_leaf": Whole(1, 40, log=True),
        "bagging_fraction": Number(0.5, 1.0),
        "feature_fraction": Number(0.2, 1.0),
        "lambda_l2": Number(0.01, 30.0, log=True),
    },
    ForestSettings: {
        "n_estimators": Whole(40, 200, log=True),
        "min_samples_leaf": Whole(1, 10, log=True),
        "max_features": Number(0.1, 1.0),
    },
    NgbSettings: {
        "n_estimators": Whole(100, 400, log=True),
        "learning_rate": Number(0.03, 0.3, log=True),
        "max_depth": Whole(2, 6),
        "minibatch_frac": Number(0.2, 1.0),
        "col_sample": Number(0.2, 1.0),
    },
    SvrSettings: {**KERNEL, "epsilon": Number(1e-3, 0.3, log=True)},
    NuSvrSettings: {**KERNEL, "nu": Number(0.1, 0.9)},
    GpSettings: {"likelihood": Whole(100, 800, log=True), "iterations": Whole(10, 100, log=True)},
}


def search_space(family: Family, settings: Settings) -> Ranges:
    """The ranges of a family's settings, without settings that its codec does not use."""
    ranges = {**SPACES[type(settings)], "degree": Whole(3, 6)}
    return {name: values for name, values in ranges.items() if name in family.setting_names}

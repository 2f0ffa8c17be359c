"""Fit the members of an ensemble of any regressor; the type of the settings selects the regressor.

Each member is fitted to the runs of all folds but one. Its predictions for the fold that it left
out show how large the errors on new runs are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from eahas.models.regressors import Joined, Pooled, Regressor
from surrogates.data.dataset import Runs
from surrogates.data.folds import folds
from surrogates.models.code_networks import fit_code_networks
from surrogates.models.kernels import (
    GpSettings,
    NuSvrSettings,
    SvrSettings,
    fit_gp,
    fit_nu_svr,
    fit_svr,
)
from surrogates.models.natural_boosting import NgbSettings, grow_ngboost
from surrogates.models.network_training import NetSettings
from surrogates.models.trees import (
    ForestSettings,
    LgbSettings,
    XgbSettings,
    grow_forest,
    grow_lightgbm,
    grow_xgboost,
)

Array = np.ndarray
Progress = Callable[[int, int], None]
MemberSettings = (
    XgbSettings
    | LgbSettings
    | ForestSettings
    | NgbSettings
    | SvrSettings
    | NuSvrSettings
    | GpSettings
)
CodeSettings = MemberSettings | NetSettings
Fit = Callable[[Array, Array, Array, Any, int], Regressor]  # x, y, weight, settings, seed

FITS: Mapping[type, Fit] = {
    XgbSettings: grow_xgboost,
    LgbSettings: grow_lightgbm,
    ForestSettings: grow_forest,
    NgbSettings: grow_ngboost,
    SvrSettings: fit_svr,
    NuSvrSettings: fit_nu_svr,
    GpSettings: fit_gp,
}


def fit_members(
    runs: Runs, codes: Array, settings: CodeSettings, progress: Progress | None = None
) -> tuple[Regressor, Array]:
    """Fit all members of an ensemble that predicts codes (n, K).

    If a run lacks a code (NaN), that code is fitted to the other runs.

    Returns:
        the members as one regressor, and the out-of-fold predictions (n, K): each run is predicted
        by the member that left out its fold.

    Raises:
        FitError: there are fewer configurations than members, or the regressor raises it.
    """
    fold = folds(runs, settings.members, settings.seed)
    out_of_fold = np.empty_like(codes)
    if isinstance(settings, NetSettings):
        networks = fit_code_networks(runs, codes, settings, progress)
        for member in range(settings.members):
            held_out = fold == member
            out_of_fold[held_out] = networks.many(runs.x[held_out])[member]
        return networks, out_of_fold
    members: list[Regressor] = []
    for member in range(settings.members):
        training, held_out = fold != member, fold == member
        fitted = fit_member(
            runs.x[training],
            codes[training],
            runs.weight[training],
            settings,
            settings.seed + member,
        )
        out_of_fold[held_out] = fitted.many(runs.x[held_out])[0]
        members.append(fitted)
        if progress is not None:
            progress(member + 1, settings.members)
    return Pooled(tuple(members)), out_of_fold


def fit_member(
    x: Array, codes: Array, weight: Array, settings: MemberSettings, seed: int
) -> Regressor:
    """Fit one member to x (n, F), codes (n, K) and weight (n,).

    All outputs are fitted together. If codes are missing, each output is fitted separately, to the
    runs that have it.
    """
    fit = FITS[type(settings)]
    known = np.isfinite(codes)
    if known.all():
        return fit(x, codes, weight, settings, seed)
    return Joined(
        tuple(
            fit(x[rows], codes[rows, k : k + 1], weight[rows], settings, seed)
            for k, rows in enumerate(known.T)
        )
    )

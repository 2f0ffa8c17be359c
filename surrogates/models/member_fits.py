"""Regressors of codes: one function for all of them, told apart by the type of their settings.

A member is fitted to the runs of all folds but its own. What it says about the runs of its own,
which it has not seen, shows how far predictions stray.
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
    """All members as one regressor of codes (n, K), and what each says of the runs of its fold.

    Where a run lacks a code (NaN), that code is learned from the others. Raises FitError for fewer
    configurations than members, and as the regressor does.
    """
    fold = folds(runs, settings.members, settings.seed)
    unseen = np.empty_like(codes)
    if isinstance(settings, NetSettings):
        networks = fit_code_networks(runs, codes, settings, progress)
        for member in range(settings.members):
            own = fold == member
            unseen[own] = networks.many(runs.x[own])[member]
        return networks, unseen
    members: list[Regressor] = []
    for member in range(settings.members):
        seen, own = fold != member, fold == member
        fitted = fit_member(
            runs.x[seen], codes[seen], runs.weight[seen], settings, settings.seed + member
        )
        unseen[own] = fitted.many(runs.x[own])[0]
        members.append(fitted)
        if progress is not None:
            progress(member + 1, settings.members)
    return Pooled(tuple(members)), unseen


def fit_member(
    x: Array, codes: Array, weight: Array, settings: MemberSettings, seed: int
) -> Regressor:
    """One member: all outputs at once, or, where runs lack some, each from the runs that have it.

    x (n, F), codes (n, K), weight (n,).
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

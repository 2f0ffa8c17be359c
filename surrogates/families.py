"""Model families by name: what they fit, and with which settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from eahas.checks import is_number, is_whole
from eahas.ensemble import Ensemble
from eahas.errors import FitError, shown, unknown
from surrogates.coded import fit_curves_coded, fit_scalars_coded
from surrogates.dataset import Runs
from surrogates.training import FitSettings, Progress, fit_curves, fit_scalars
from surrogates.trees import ForestSettings, LgbSettings, TreeSettings, XgbSettings

# Where a whole number may start from another than 1, and where a number must end before infinity.
LEAST, MOST, BELOW = (
    {"members": 2, "seed": 0, "positions": 2},
    {"seed": 2**63 - 1},
    {"dropout": 1.0},
)


CURVES = FitSettings(weight_decay=0.3)
SCALARS = FitSettings(hidden=(64, 64), steps=2000, weight_decay=0.3, dropout=0.05)
Settings = FitSettings | TreeSettings


@dataclass(frozen=True)
class Family:
    """A kind of surrogate: what it predicts, through which codec, by which regressor.

    `targets` is "curves" or "scalars". The settings say by which regressor: networks or the trees
    of a library.
    """

    name: str
    targets: str
    settings: Settings
    about: str
    codec: str = ""  # of curves

    def fit(
        self, runs: Runs, settings: Settings | None = None, progress: Progress | None = None
    ) -> Ensemble:
        """An uncalibrated ensemble of these runs; FitError where the spec has no target for it."""
        if not getattr(runs.spec, self.targets):
            raise FitError(f"model {self.name} fits {self.targets}; {runs.spec.name} has none")
        fitted = self._fitted(runs, self.settings if settings is None else settings, progress)
        return replace(fitted, manifest={**fitted.manifest, "family": self.name})

    def _fitted(self, runs: Runs, settings: Settings, progress: Progress | None) -> Ensemble:
        if isinstance(settings, FitSettings):
            if self.codec:
                return fit_curves(runs, settings, progress, codec=self.codec)
            return fit_scalars(runs, settings, progress)
        if self.codec:
            return fit_curves_coded(runs, settings, progress, codec=self.codec)
        return fit_scalars_coded(runs, settings, progress)


BEZIER, GRID, SVD = "Bezier control points", "values on a grid", "singular values of the curves"
NETWORKS, XGB, LGB = "networks", "XGBoost", "LightGBM"
FAMILIES = {
    family.name: family
    for family in (
        Family("bezier_nn_STAR", "curves", CURVES, f"{NETWORKS} for {BEZIER}", "bezier"),
        Family("lc_nn_STAR", "curves", CURVES, f"{NETWORKS} for {GRID}", "identity"),
        Family("svd_nn_STAR", "curves", CURVES, f"{NETWORKS} for {SVD}", "svd"),
        Family("svd_xgb", "curves", XgbSettings(), f"{XGB} for {SVD} (NAS-Bench-X11)", "svd"),
        Family("svd_lgb", "curves", LgbSettings(), f"{LGB} for {SVD} (NAS-Bench-X11)", "svd"),
        Family("nn_E", "scalars", SCALARS, f"{NETWORKS} for time and energy"),
        Family("xgb_time", "scalars", XgbSettings(), f"{XGB} for time and energy"),
        Family("lgb_time", "scalars", LgbSettings(), f"{LGB} for time and energy"),
        Family("lgb_E", "scalars", LgbSettings(), f"{LGB} for time and energy"),
        Family("sklearn_forest", "scalars", ForestSettings(), "random forest for time and energy"),
    )
}


S = TypeVar("S", bound=Settings)


def family(name: str) -> Family:
    """The family of a name; FitError listing those that there are."""
    if name not in FAMILIES:
        raise FitError(unknown("model", name, FAMILIES))
    return FAMILIES[name]


def configured(settings: S, changes: Any) -> S:
    """Settings with the fields of a JSON object changed.

    Raises FitError naming a field that is unknown or has a value of the wrong kind.
    """
    if not isinstance(changes, Mapping):
        raise FitError(f"fit settings are a JSON object of names and values, got {shown(changes)}")
    known = asdict(settings)
    for name in changes:
        if name not in known:
            raise FitError(unknown("fit setting", name, known))
    return replace(settings, **{n: _value(n, known[n], given) for n, given in changes.items()})


def _value(name: str, default: Any, given: Any) -> Any:
    """What was given, in the kind of the default."""
    if isinstance(default, tuple):
        if isinstance(given, (list, tuple)) and given and all(_is_whole(v, 1) for v in given):
            return tuple(map(int, given))
        raise FitError(f"fit setting {name}: a list of whole numbers from 1, got {shown(given)}")
    if isinstance(default, int):
        least, most = LEAST.get(name, 1), MOST.get(name, math.inf)
        if _is_whole(given, least) and given <= most:
            return int(given)
        limit = f"from {least}" if most == math.inf else f"in {least}..{most}"
        raise FitError(f"fit setting {name}: a whole number {limit}, got {shown(given)}")
    below = BELOW.get(name, math.inf)
    if is_number(given) and 0 <= given < below:
        return float(given)
    raise FitError(f"fit setting {name}: a number from 0 to below {below:g}, got {shown(given)}")


def _is_whole(given: Any, least: int) -> bool:
    return is_whole(given) and given >= least

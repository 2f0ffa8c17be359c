"""Model families by name: what they fit, and with which settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eahas.checks import is_number, is_whole
from eahas.ensemble import Ensemble
from eahas.errors import FitError, shown, unknown
from surrogates.benchmark import CURVES, SCALARS
from surrogates.dataset import Runs
from surrogates.training import FitSettings, Progress, fit_curves, fit_scalars

# Where a whole number may start from another than 1, and where a number must end before infinity.
LEAST, MOST, BELOW = (
    {"members": 2, "seed": 0, "positions": 2},
    {"seed": 2**63 - 1},
    {"dropout": 1.0},
)


@dataclass(frozen=True)
class Family:
    """A kind of surrogate. `targets` says which of a spec's targets it is for."""

    name: str
    targets: str  # "curves" or "scalars"
    settings: FitSettings
    about: str

    def fit(
        self, runs: Runs, settings: FitSettings | None = None, progress: Progress | None = None
    ) -> Ensemble:
        """An uncalibrated ensemble of these runs; FitError where the spec has no target for it."""
        if not getattr(runs.spec, self.targets):
            raise FitError(f"model {self.name} fits {self.targets}; {runs.spec.name} has none")
        fitter = fit_curves if self.targets == "curves" else fit_scalars
        return fitter(runs, self.settings if settings is None else settings, progress)


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "bezier_nn_STAR",
            "curves",
            CURVES,
            "networks that draw each learning curve as a Bezier curve (EA-HAS-Bench)",
        ),
        Family(
            "nn_E",
            "scalars",
            SCALARS,
            "networks for time and energy: the logarithm of the cost of one epoch",
        ),
    )
}


def family(name: str) -> Family:
    """The family of a name; FitError listing those that there are."""
    if name not in FAMILIES:
        raise FitError(unknown("model", name, FAMILIES))
    return FAMILIES[name]


def configured(settings: FitSettings, changes: Any) -> FitSettings:
    """Settings with the fields of a JSON object changed.

    Raises FitError naming a field that is unknown or has a value of the wrong kind.
    """
    if not isinstance(changes, Mapping):
        raise FitError(f"fit settings are a JSON object of names and values, got {shown(changes)}")
    known = settings.to_dict()
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

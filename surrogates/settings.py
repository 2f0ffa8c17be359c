"""Read the settings of fits from JSON, and check them.

A settings file is an object of names and values; its entry `about` is a comment for people. The
files in `surrogates/configs` are the tuned settings that the package contains.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from eahas.checks import is_number, is_whole
from eahas.errors import FitError, shown, unknown

ABOUT = "about"
S = TypeVar("S")

# Limits (minimum, maximum) of whole numbers other than 1 and infinity.
WHOLES: Mapping[str, tuple[int, float]] = {
    "members": (2, math.inf),
    "seed": (0, 2**63 - 1),
    "positions": (2, math.inf),
    "left_out": (0, 1),
    "num_leaves": (2, 2**17),
    "bagging_freq": (0, math.inf),
    "largest": (2, math.inf),
    "likelihood": (2, math.inf),
}
SHARES = (
    *("subsample", "colsample_bytree", "bagging_fraction", "feature_fraction"),
    *("max_features", "minibatch_frac", "col_sample", "nu"),
)
POSITIVE = ("C", "gamma")
BELOW_ONE = ("dropout",)


def configured(settings: S, changes: Any) -> S:
    """A copy of settings with the values of a JSON object.

    Raises:
        FitError: a field is unknown or has a value that is not allowed; the message names it.
    """
    if not isinstance(changes, Mapping):
        raise FitError(f"fit settings are a JSON object of names and values, got {shown(changes)}")
    known: dict[str, Any] = asdict(settings)  # type: ignore[call-overload]  # any settings type
    given = {name: value for name, value in changes.items() if name != ABOUT}
    for name in given:
        if name not in known:
            raise FitError(unknown("fit setting", name, known))
    values = {name: _value(name, known[name], value) for name, value in given.items()}
    return replace(settings, **values)  # type: ignore[type-var]


@cache
def shipped(name: str) -> Mapping[str, Any]:
    """The content of a settings file that the package contains."""
    text = (resources.files("surrogates") / "configs" / f"{name}.json").read_text(encoding="utf-8")
    settings: Mapping[str, Any] = json.loads(text)
    return settings


def list_shipped() -> list[str]:
    """The names of the settings files that the package contains."""
    files = (resources.files("surrogates") / "configs").iterdir()
    return sorted(f.name[: -len(".json")] for f in files if f.name.endswith(".json"))


def _value(name: str, default: Any, given: Any) -> Any:
    """The given value, checked and converted to the type of the default."""
    if isinstance(default, tuple):
        if isinstance(given, (list, tuple)) and given and all(_is_whole(v, 1) for v in given):
            return tuple(map(int, given))
        raise FitError(f"fit setting {name}: a list of whole numbers from 1, got {shown(given)}")
    if isinstance(default, int):
        least, most = WHOLES.get(name, (1, math.inf))
        if _is_whole(given, least) and given <= most:
            return int(given)
        limit = f"from {least}" if most == math.inf else f"in {least}..{most}"
        raise FitError(f"fit setting {name}: a whole number {limit}, got {shown(given)}")
    number = float(given) if is_number(given) else math.nan
    if name in SHARES:
        allowed, right = "above 0 to 1", 0 < number <= 1
    elif name in BELOW_ONE:
        allowed, right = "from 0 to below 1", 0 <= number < 1
    elif name in POSITIVE:
        allowed, right = "above 0", 0 < number < math.inf
    else:
        allowed, right = "from 0", 0 <= number < math.inf
    if not right:
        raise FitError(f"fit setting {name}: a number {allowed}, got {shown(given)}")
    return number


def _is_whole(given: Any, least: int) -> bool:
    return is_whole(given) and given >= least

"""Settings of fits: their base, and settings files.

A settings file is a JSON object of names and values; its entry `about` is a comment. The files in
`surrogates/configs` are the tuned settings that ship.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, ClassVar, TypeVar

from eahas.errors import EahasError, FitError
from eahas.settings import Settings, number

ABOUT = "about"


@dataclass(frozen=True)
class EnsembleSettings(Settings):
    """The settings of every ensemble. Every field of a subclass is a hyperparameter of the fit.

    `members` is the number of members, each fitted without one fold of the runs, and `degree` the
    degree of Bezier curves, where they are the codec.
    """

    section: ClassVar[str] = "fit settings"
    error: ClassVar[type[EahasError]] = FitError

    members: int = number(5, 2)
    seed: int = number(0, 0, 2**63 - 1)
    degree: int = number(5, 1)


S = TypeVar("S", bound=EnsembleSettings)


def fraction(default: float) -> Any:
    """A field for a number above 0 and at most 1."""
    return number(default, 0, 1, open_low=True)


def configured(settings: S, changes: Any) -> S:
    """Settings with the fields of a JSON object changed; the entry `about` is ignored.

    Raises FitError for an unknown field or a value that is not allowed.
    """
    if isinstance(changes, Mapping):
        changes = {name: value for name, value in changes.items() if name != ABOUT}
    return settings.changed(changes)


@cache
def shipped(name: str) -> Mapping[str, Any]:
    """The settings file of a tuned family."""
    text = (resources.files("surrogates") / "configs" / f"{name}.json").read_text(encoding="utf-8")
    content: Mapping[str, Any] = json.loads(text)
    return content


def list_shipped() -> list[str]:
    """The names of the settings files that ship."""
    files = (resources.files("surrogates") / "configs").iterdir()
    return sorted(f.name[: -len(".json")] for f in files if f.name.endswith(".json"))

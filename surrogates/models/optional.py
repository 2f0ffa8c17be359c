"""Libraries that only some models need, imported where such a model is fitted."""

from __future__ import annotations

import importlib
from typing import Any

from eahas.errors import MissingExtraError


def imported(module: str, package: str, extra: str, what: str = "this model") -> Any:
    """The module; MissingExtraError naming the extra where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(what, package, extra) from None

"""Import of optional libraries, which only some models need, at the time of a fit."""

from __future__ import annotations

import importlib
from typing import Any

from eahas.errors import MissingExtraError


def import_optional(module: str, package: str, extra: str, what: str = "this model") -> Any:
    """Import a module.

    Raises:
        MissingExtraError: it is not installed; the message names the extra to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtraError(what, package, extra) from None

"""The progress report of a fit."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, int, int], None]
"""Called with the step, how many of its parts are done, and how many there are."""

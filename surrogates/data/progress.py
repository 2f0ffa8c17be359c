"""The progress report of a fit."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, int, int], None]
"""Called with the name of the current step, its number of finished units, and their total."""

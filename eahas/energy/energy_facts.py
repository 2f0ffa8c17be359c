"""The facts about an energy: source, boundary, idle power, method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .energy_source import MIXED, NO_SOURCE, EnergySource
from .reading import ESTIMATED

NOT_STATED = EnergySource(NO_SOURCE, "no source is stated", measured=False)


@dataclass(frozen=True)
class EnergyFacts:
    """The facts about the energies of one target.

    In a spec they are the facts that it states; None means not stated. In a benchmark `source` is
    never None.

    Attributes:
        source: the source of the energies.
        boundary: the part of the machine that they cover, a name from `BOUNDARIES`.
        idle: whether idle power is included or subtracted, a name from `IDLE`.
        method: the method of measurement, as text.
        composed: whether they are a product of separate measurements, such as power x time, so that
            no sensor measured the energy itself.
        device: the device that used the energy.
    """

    source: EnergySource | None = None
    boundary: str | None = None
    idle: str | None = None
    method: str | None = None
    composed: bool = False
    device: str | None = None

    @property
    def measured(self) -> bool:
        """Whether a sensor measured the whole energy."""
        return self.source is not None and self.source.measured

    @property
    def label(self) -> str:
        """The source as displayed next to a value: `codecarbon, not measured`."""
        source = self.source or NOT_STATED
        words = [source.name]
        if source.name == MIXED and not source.measured:
            words.append("not all measured")
        elif not source.measured and source.name not in (ESTIMATED, NO_SOURCE):
            words.append("not measured")
        if self.composed:
            words.append("composed")
        return ", ".join(words)

    @property
    def scope(self) -> str:
        """Boundary and idle power as text: `boundary gpu, idle included`."""
        return f"boundary {self.boundary or 'not stated'}, idle {self.idle or 'not stated'}"

    def is_comparable(self, other: EnergyFacts) -> bool:
        """Whether both have the same boundary and idle power; None equals only None.

        Energies that are not comparable are never pooled, ranked together or combined in one front.
        """
        return (self.boundary, self.idle) == (other.boundary, other.idle)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain JSON values; the source is given by its name."""
        source = self.source or NOT_STATED
        return {
            "source": source.name,
            "measured": source.measured,
            "boundary": self.boundary,
            "idle": self.idle,
            "method": self.method,
            "composed": self.composed,
            "device": self.device,
        }

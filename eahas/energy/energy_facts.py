"""The facts that stand beside an energy: source, boundary, idle power, method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .energy_source import MIXED, NO_SOURCE, EnergySource
from .reading import ESTIMATED

NOT_STATED = EnergySource(NO_SOURCE, "no source is stated", measured=False)


@dataclass(frozen=True)
class EnergyFacts:
    """What is known of the energies of one target.

    In a spec these are the facts that it states. In a benchmark they are complete: `source` is
    never None there.

    Attributes:
        source: where the energies come from.
        boundary: what they cover, a name from `BOUNDARIES`.
        idle: whether idle power is included or subtracted, a name from `IDLE`.
        method: how they were obtained, as text.
        composed: whether they are a product of separate measurements (power x time, say), so that
            no sensor has seen the energy itself.
        device: what used the energy.
    """

    source: EnergySource | None = None
    boundary: str | None = None
    idle: str | None = None
    method: str | None = None
    composed: bool = False
    device: str | None = None

    @property
    def measured(self) -> bool:
        """Whether a sensor measured all of it."""
        return self.source is not None and self.source.measured

    @property
    def label(self) -> str:
        """The source in a few words, as it stands beside a value: `codecarbon, not measured`."""
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
        """What is covered, in words: `boundary gpu, idle included`."""
        return f"boundary {self.boundary or 'not stated'}, idle {self.idle or 'not stated'}"

    def is_comparable(self, other: EnergyFacts) -> bool:
        """Whether both cover the same; what is not stated is the same only as what is not stated.

        Energies that are not comparable are never pooled, ranked together or put into one front.
        """
        return (self.boundary, self.idle) == (other.boundary, other.idle)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, the source by its name."""
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

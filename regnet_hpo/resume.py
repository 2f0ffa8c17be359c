"""The state of an unfinished run: everything that the next epoch depends on, in one file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from eahas.errors import RecordError
from eahas.files import write_bytes


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state aside and move it into place.

    Without fsync: this guards against the death of the process, once an epoch; a machine that dies
    costs at most the run it was in.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue(), durable=False)


def load_state(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The saved state, or None where there is none.

    Raises RecordError where the file belongs to another run: `identity` is the configuration, the
    seed and the settings that the state was saved under.
    """
    if not path.exists():
        return None
    state = torch.load(path, weights_only=True, map_location="cpu")
    if state["identity"] != identity:
        raise RecordError(f"{path} is the resume file of another run; remove it or name another")
    return state

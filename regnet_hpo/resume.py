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

    Without fsync: this guards against the death of the process, once an epoch. The death of the
    machine may leave a damaged file, which `load_state` refuses.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue(), durable=False)


def load_state(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The saved state, or None where there is none.

    Raises RecordError where the file is damaged or belongs to another run: `identity` is the
    configuration, the seed and all that is fixed around them when the state was saved.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # noqa: BLE001  torch raises many kinds for a damaged file
        raise RecordError(
            f"{path} is damaged ({type(error).__name__}); remove it to begin anew"
        ) from None
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise RecordError(f"{path} is the resume file of another run; remove it or name another")
    return state

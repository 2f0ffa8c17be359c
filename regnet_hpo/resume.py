"""The state of an unfinished run in one file: everything that the next epoch depends on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from eahas.errors import RecordError
from eahas.files import write_bytes


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write the state to a temporary file and move it into place.

    It is not synced to disk, so it survives a crash of the process but not always one of the
    machine. `load_state` refuses a damaged file.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue(), durable=False)


def load_state(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The saved state, or None if there is no file.

    `identity` describes the run: configuration, seed and all fixed settings. Raises RecordError if
    the file is damaged or belongs to a run with another identity.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # noqa: BLE001  torch raises many types for a damaged file
        raise RecordError(
            f"{path} is damaged ({type(error).__name__}); remove it to restart the run"
        ) from None
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise RecordError(
            f"{path} is the resume file of another run; remove it or choose another file"
        )
    return state

"""The NVML library, with every error code turned into a sentence."""

from __future__ import annotations

import importlib
from typing import Any

from eahas.errors import MeterError

INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
FUNCTION_NOT_FOUND = 13
NO_DATA = 21
ARGUMENT_VERSION_MISMATCH = 25
DEPRECATED = 26

UNKNOWABLE = frozenset(
    {
        NOT_SUPPORTED,
        NO_PERMISSION,
        FUNCTION_NOT_FOUND,
        NO_DATA,
        ARGUMENT_VERSION_MISMATCH,
        DEPRECATED,
    }
)
"""Codes that say "this device or driver does not tell", and nothing worse."""


class NvmlProblem(MeterError):
    """NVML answered with an error code."""

    def __init__(self, function: str, code: int, meaning: str) -> None:
        super().__init__(f"NVML: {meaning} (code {code}) from {function}")
        self.code = code

    @property
    def unknowable(self) -> bool:
        """Whether the device or driver merely does not tell, rather than failed."""
        return self.code in UNKNOWABLE


class Nvml:
    """An initialised NVML library.

    Args:
        binding: a module like pynvml; by default pynvml of the package nvidia-ml-py is imported.

    Raises:
        MeterError: the package is not installed, or NVML does not start (no driver, say).
    """

    def __init__(self, binding: Any = None) -> None:
        if binding is None:
            try:
                binding = importlib.import_module("pynvml")
            except ImportError as error:
                raise MeterError(
                    "the package nvidia-ml-py, which brings pynvml, is not installed"
                ) from error
        self.binding = binding
        self.ask("nvmlInit")

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call one NVML function.

        Raises:
            NvmlProblem: NVML answered with an error code, or the binding lacks the function.
        """
        call = getattr(self.binding, function, None)
        if call is None:
            raise NvmlProblem(function, FUNCTION_NOT_FOUND, "the binding has no such function")
        try:
            return call(*arguments)
        except self.binding.NVMLError as error:
            raise NvmlProblem(function, int(error.value), str(error)) from error

    def maybe(self, function: str, *arguments: Any) -> Any | None:
        """Like `ask`, but None where the device or driver does not tell (`UNKNOWABLE`)."""
        try:
            return self.ask(function, *arguments)
        except NvmlProblem as problem:
            if problem.unknowable:
                return None
            raise

    def field(self, handle: Any, field_id: int) -> int:
        """One unsigned field value of a device.

        Raises:
            NvmlProblem: the call failed, or it succeeded and the field itself bears an error code.
        """
        value = self.ask("nvmlDeviceGetFieldValues", handle, [field_id])[0]
        if value.nvmlReturn != 0:
            # The code stands in the answer, so the binding's own error class gives it its words.
            meaning = str(self.binding.NVMLError(value.nvmlReturn))
            raise NvmlProblem(f"field {field_id}", int(value.nvmlReturn), meaning)
        return int(value.value.uiVal)

    def close(self) -> None:
        """Shut the library down."""
        self.ask("nvmlShutdown")


def text(value: str | bytes) -> str:
    """NVML's strings are bytes in old bindings."""
    return value.decode() if isinstance(value, bytes) else value

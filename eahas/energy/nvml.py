"""Calls to the NVML library; every error code becomes an exception with a readable message."""

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

UNAVAILABLE = frozenset(
    {
        NOT_SUPPORTED,
        NO_PERMISSION,
        FUNCTION_NOT_FOUND,
        NO_DATA,
        ARGUMENT_VERSION_MISMATCH,
        DEPRECATED,
    }
)
"""Codes which mean that this device or driver does not offer a value; nothing has failed."""


class NvmlProblem(MeterError):
    """An NVML call returned an error code."""

    def __init__(self, function: str, code: int, meaning: str) -> None:
        super().__init__(f"NVML: {meaning} (code {code}) from {function}")
        self.code = code

    @property
    def unavailable(self) -> bool:
        """Whether the device or driver does not offer the value; otherwise the call failed."""
        return self.code in UNAVAILABLE


class Nvml:
    """An initialised NVML library.

    Args:
        binding: a module like pynvml; by default pynvml of the package nvidia-ml-py is imported.

    Raises:
        MeterError: the package is not installed, or NVML cannot be initialised (no driver, say).
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
        self.query("nvmlInit")

    def query(self, function: str, *arguments: Any) -> Any:
        """Call one NVML function and return its result.

        Raises:
            NvmlProblem: the call returned an error code, or the binding lacks the function.
        """
        call = getattr(self.binding, function, None)
        if call is None:
            raise NvmlProblem(function, FUNCTION_NOT_FOUND, "the binding has no such function")
        try:
            return call(*arguments)
        except self.binding.NVMLError as error:
            raise NvmlProblem(function, int(error.value), str(error)) from error

    def query_if_available(self, function: str, *arguments: Any) -> Any | None:
        """Like `query`, but None if the device or driver does not offer it (`UNAVAILABLE`)."""
        try:
            return self.query(function, *arguments)
        except NvmlProblem as problem:
            if problem.unavailable:
                return None
            raise

    def field(self, handle: Any, field_id: int) -> int:
        """One unsigned field value of a device.

        Raises:
            NvmlProblem: the call failed, or the call succeeded and the field has an error code.
        """
        value = self.query("nvmlDeviceGetFieldValues", handle, [field_id])[0]
        if value.nvmlReturn != 0:
            # The call itself raises nothing; the binding's error class gives the code's message.
            meaning = str(self.binding.NVMLError(value.nvmlReturn))
            raise NvmlProblem(f"field {field_id}", int(value.nvmlReturn), meaning)
        return int(value.value.uiVal)

    def close(self) -> None:
        """Shut the library down."""
        self.query("nvmlShutdown")


def text(value: str | bytes) -> str:
    """A string of NVML as `str`; old bindings return bytes."""
    return value.decode() if isinstance(value, bytes) else value

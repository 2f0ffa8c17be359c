"""Errors: every public one survives a pickle, with its type and its message."""

from __future__ import annotations

import pickle

import pytest

from eahas import errors

GIVEN = {errors.MissingExtraError: ("plotting", "matplotlib", "plot")}


def public_errors() -> list[type[BaseException]]:
    return [
        value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException) and name[0] != "_"
    ]


@pytest.mark.parametrize("error", public_errors(), ids=lambda error: error.__name__)
def test_an_error_survives_a_pickle(error) -> None:
    raised = error(*GIVEN.get(error, ("what is wrong",)))
    there = pickle.loads(pickle.dumps(raised))
    assert type(there) is error
    assert str(there) == str(raised)


def test_a_missing_extra_is_an_import_error_and_a_value_error() -> None:
    error = errors.MissingExtraError("plotting", "matplotlib", "plot")
    assert isinstance(error, (ImportError, ValueError))
    assert "pip install 'eahas[plot]'" in str(error)

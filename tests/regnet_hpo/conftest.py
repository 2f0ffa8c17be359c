"""A spec so small that a whole training takes a fraction of a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo.data import DataSet, load_dataset

TINY = json.loads((Path(__file__).parent / "tiny.json").read_text(encoding="utf-8"))
CONFIG = {
    "REGNET.DEPTH": 3,
    "REGNET.W0": 8,
    "REGNET.WA": 6.0,
    "REGNET.WM": 2.0,
    "REGNET.GROUP_W": 4,
    "OPTIM.BASE_LR": 0.1,
    "OPTIM.OPTIMIZER": "sgd",
    "OPTIM.LR_POLICY": "cos",
    "TRAIN.CUTOUT_LENGTH": 0,
    "OPTIM.MAX_EPOCH": 3,
}


@pytest.fixture
def tiny() -> dict[str, Any]:
    """The tiny spec as a dictionary of its own, to change and parse."""
    return json.loads(json.dumps(TINY))


@pytest.fixture
def spec_with(tiny: dict[str, Any]) -> Callable[..., Spec]:
    """The tiny spec with fields of its sections changed: `spec_with(training={"ema": {}})`."""

    def changed(**sections: dict[str, Any]) -> Spec:
        for name, fields in sections.items():
            tiny[name] = tiny[name] | fields
        return spec_from_dict(tiny)

    return changed


@pytest.fixture
def spec(spec_with: Callable[..., Spec]) -> Spec:
    return spec_with()


@pytest.fixture(scope="session")
def digits() -> DataSet:
    """The tiny spec's data."""
    return load_dataset(TINY["data"])


@pytest.fixture
def config() -> dict[str, Any]:
    """A configuration of the tiny spec: 3 epochs."""
    return dict(CONFIG)

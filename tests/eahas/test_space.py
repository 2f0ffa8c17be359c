"""A whole space: forms, validation, draws, moves and codes; and no surprise for any input."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import eahas.space
from eahas.constraints import Forbidden
from eahas.errors import ConfigError, EahasError, SpecError
from eahas.parameters import Choice, Condition, Numeric
from eahas.space import Space
from sweeps.specs import load_spec

CIFAR10, DIGITS, TINY = (
    load_spec(f"regnet-{name}").space for name in ("cifar10", "digits", "tinyimagenet")
)
OWN = Space(
    "own",
    (
        Choice("opt.kind", ("sgd", "adam")),
        Numeric("opt.lr", 1e-4, 1.0, log=True),
        Numeric("opt.sgd.momentum", 0.0, 0.99, condition=Condition("opt.kind", ("sgd",))),
        Choice("opt.sgd.nesterov", (False, True), Condition("opt.kind", ("sgd",))),
        Numeric("opt.sgd.dampening", 0, 1, False, False, 0.25, None, _NESTEROV_OFF)
        if (_NESTEROV_OFF := Condition("opt.sgd.nesterov", (False,)))
        else None,
        Numeric("layers", 1, 4, integer=True),
        Choice("epochs", (3, 7, 30)),
    ),
    (Forbidden((("opt.kind", "adam"), ("layers", 4))),),
    "epochs",
)
SHIPPED = [CIFAR10, DIGITS, TINY]
ALL = [*SHIPPED, OWN]
EXAMPLE = {
    "REGNET": {"DEPTH": 7, "W0": 24, "WA": 8.7, "WM": 1.852, "GROUP_W": 8},
    "OPTIM": {"BASE_LR": 0.03, "OPTIMIZER": "adamw", "LR_POLICY": "cos", "MAX_EPOCH": 50},
    "TRAIN": {"CUTOUT_LENGTH": 4},
}

"""Sample many configurations at once, as columns."""

from __future__ import annotations

import math

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, SpecError, shown
from eahas.space.moves import MAX_REJECTIONS
from eahas.space.parameters import Choice, Numeric, Parameter
from eahas.space.space import Space

Array = np.ndarray
MAX_ROUNDS = 1000


def sample_columns(space: Space, n: int, *, seed: int = 0) -> dict[str, Array]:
    """Sample n configurations, from the same distribution as `Space.sample`, possibly repeated.

    The result has the form of `Space.columns`: one column (n,) per parameter. A million
    configurations take about a second in a space without conditions.

    Raises:
        ConfigError: `n` or `seed` is not a whole number.
        SpecError: the constraints reject (almost) every sample.
    """
    for name, given, minimum in (("n", n, 1), ("seed", seed, 0)):
        if not is_whole(given) or given < minimum:
            raise ConfigError(f"{name}={shown(given)}: allowed are whole numbers from {minimum}")
    rng = np.random.default_rng(seed)
    if any(p.condition is not None for p in space.parameters):
        return space.columns([space.draw(rng) for _ in range(n)])
    kept: list[dict[str, Array]] = []
    count, sampled = 0, 0
    while count < n:
        block = {p.name: sample_column(p, n, rng) for p in space.parameters}
        allowed = np.ones(n, dtype=bool)
        for constraint in space.constraints:
            allowed &= constraint.mask(block)
        kept.append({name: column[allowed] for name, column in block.items()})
        count, sampled = count + int(allowed.sum()), sampled + n
        if sampled > MAX_REJECTIONS + MAX_ROUNDS * max(count, 1):
            raise SpecError(
                f"space {space.name}: its constraints kept {count} of {sampled} samples; widen the "
                "bounds or the constraints"
            )
    return {name: np.concatenate([part[name] for part in kept])[:n] for name in space.names}


def sample_column(parameter: Parameter, n: int, rng: np.random.Generator) -> Array:
    """n samples of one parameter, distributed as those of `Parameter.sample`: (n,), canonical."""
    if isinstance(parameter, Choice):
        choices = np.array(parameter.choices, dtype=parameter.dtype)
        return choices[rng.integers(len(choices), size=n)]
    return _on_grid(parameter, _numbers(parameter, n, rng))


def _numbers(p: Numeric, n: int, rng: np.random.Generator) -> Array:
    """Samples before they are rounded to the grid; `Numeric` documents the formulas."""
    if p.power_of_two_below:
        base = p.power_of_two_below
        exponents = np.floor(rng.uniform(math.log2(p.low), math.log2(p.high) + 1, size=n))
        multiples = _log_uniform(rng, n, max(p.low, base), p.high, base)
        return np.where(2**exponents < base, 2**exponents, multiples)
    if p.log:
        return _log_uniform(rng, n, p.low, p.high, p.step)
    if p.step is None:
        return rng.uniform(p.low, p.high, size=n)
    return np.floor(rng.uniform(p.low, p.high + p.step, size=n) / p.step + 1e-12) * p.step


def _log_uniform(
    rng: np.random.Generator, n: int, low: float, high: float, step: float | None
) -> Array:
    if step is None:
        return np.exp(rng.uniform(math.log(low), math.log(high), size=n))
    start = low - min(step, low / 2)
    samples = np.exp(-rng.uniform(-math.log(high), -math.log(start), size=n))
    return np.maximum(low, np.ceil(samples / step - 1e-9) * step)


def _on_grid(p: Numeric, numbers: Array) -> Array:
    """The nearest canonical values; each distinct number is rounded once."""
    if p.step is None:
        return np.clip(numbers, p.low, p.high)
    distinct, index = np.unique(numbers, return_inverse=True)
    return np.array([p.snap(number) for number in distinct.tolist()], dtype=p.dtype)[index]

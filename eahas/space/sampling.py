"""Drawing very many configurations at once, as columns."""

from __future__ import annotations

import math

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, SpecError, shown
from eahas.space.parameters import Choice, Numeric, Parameter
from eahas.space.space import MAX_REJECTIONS, Space

Array = np.ndarray
MAX_ROUNDS = 1000


def sample_columns(space: Space, n: int, *, seed: int = 0) -> dict[str, Array]:
    """n configurations as the columns of `Space.columns`: each (n,), drawn as `Space.sample` draws.

    They may repeat. A million takes about a second where there are no conditions. Raises
    ConfigError where `n` or `seed` is no whole number, SpecError where the constraints leave
    (almost) nothing.
    """
    for name, given, least in (("n", n, 1), ("seed", seed, 0)):
        if not is_whole(given) or given < least:
            raise ConfigError(f"{name}={shown(given)}: allowed are whole numbers from {least}")
    rng = np.random.default_rng(seed)
    if any(p.condition is not None for p in space.parameters):
        return space.columns([space.draw(rng) for _ in range(n)])
    kept: list[dict[str, Array]] = []
    count, drawn = 0, 0
    while count < n:
        block = {p.name: sample_column(p, n, rng) for p in space.parameters}
        allowed = np.ones(n, dtype=bool)
        for constraint in space.constraints:
            allowed &= constraint.mask(block)
        kept.append({name: column[allowed] for name, column in block.items()})
        count, drawn = count + int(allowed.sum()), drawn + n
        if drawn > MAX_REJECTIONS + MAX_ROUNDS * max(count, 1):
            raise SpecError(
                f"space {space.name}: its constraints kept {count} of {drawn} draws; widen the "
                "bounds or the constraints"
            )
    return {name: np.concatenate([part[name] for part in kept])[:n] for name in space.names}


def sample_column(parameter: Parameter, n: int, rng: np.random.Generator) -> Array:
    """n draws of one parameter as `Parameter.sample` makes them: canonical values, (n,)."""
    if isinstance(parameter, Choice):
        choices = np.array(parameter.choices, dtype=parameter.dtype)
        return choices[rng.integers(len(choices), size=n)]
    return _on_grid(parameter, _numbers(parameter, n, rng))


def _numbers(p: Numeric, n: int, rng: np.random.Generator) -> Array:
    """What `Numeric.sample` rounds to its grid; see there for the formulas."""
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
    drawn = np.exp(-rng.uniform(-math.log(high), -math.log(start), size=n))
    return np.maximum(low, np.ceil(drawn / step - 1e-9) * step)


def _on_grid(p: Numeric, numbers: Array) -> Array:
    """The nearest canonical values, looked up once for each that occurs."""
    if p.step is None:
        return np.clip(numbers, p.low, p.high)
    different, where = np.unique(numbers, return_inverse=True)
    return np.array([p.snap(number) for number in different.tolist()], dtype=p.dtype)[where]

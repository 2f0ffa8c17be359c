"""Read-only dictionaries and lists: JSON content that nobody can change after it was read."""

from __future__ import annotations

from typing import Any, NoReturn


def _refuse(self: Any, *_: Any, **__: Any) -> NoReturn:
    raise TypeError("this content is read-only; copy it with copy.deepcopy() to change it")


class FrozenDict(dict[str, Any]):
    """A dictionary that compares, prints and serialises like any other and refuses changes."""

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return frozen, (dict(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {key: thawed(value) for key, value in self.items()}


class FrozenList(list[Any]):
    """A list that compares, prints and serialises like any other and refuses changes."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return frozen, (list(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return [thawed(value) for value in self]


def frozen(value: Any) -> Any:
    """JSON content with every dictionary and list in it read-only."""
    if isinstance(value, dict):
        return FrozenDict({key: frozen(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return FrozenList(map(frozen, value))
    return value


def thawed(value: Any) -> Any:
    """A copy of frozen content that can be changed."""
    if isinstance(value, dict):
        return {key: thawed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [thawed(inner) for inner in value]
    return value

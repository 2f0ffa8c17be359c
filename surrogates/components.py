"""The parts of a benchmark from a settings file, and a settings file of the parts.

The file is one JSON object: `curves` and `scalars` are settings of these two, and `targets` gives
scalars a model of their own, as {"accuracy": {"model": "xgb", "settings": {"rounds": 800}}}; the
scalars that are not named go together. `about` is for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eahas.errors import FitError, shown, unknown
from eahas.spec.spec import Spec
from surrogates.benchmark import family_for
from surrogates.families import Family, Settings, configured, family
from surrogates.fitting import Part
from surrogates.settings import ABOUT

KINDS, TARGETS = ("curves", "scalars"), "targets"
OF_TARGET = ("model", "settings")


def parts_of(
    spec: Spec,
    models: Sequence[str] = (),
    described: Any = None,
    changes: Mapping[str, Any] | None = None,
) -> list[Part]:
    """The parts for the targets of a spec.

    `models` names families in place of our own, `described` is a settings file's content, and
    `changes` are made to the settings of all parts. Raises FitError for a name or a value that does
    not belong, and a family of which the spec has no target.
    """
    given = _object("settings", {} if described is None else described)
    _check_names("group of settings", given, (*KINDS, TARGETS, ABOUT))
    for name in models:
        family(name).targets_of(spec)
    own = _own_models(spec, models, given.get(TARGETS, {}), changes)
    parts = []
    for kind in KINDS:
        chosen = getattr(spec, kind)
        rest = tuple(target.name for target in chosen if target.name not in own)
        if not rest:
            continue
        fits = family_for(kind, spec, models)
        settings = _changed(fits, given.get(kind, {}), changes)
        parts.append(Part(fits, settings, rest if len(rest) < len(chosen) else ()))
    parts += own.values()
    for name in changes or ():
        if not any(name in part.family.knobs for part in parts):
            models = sorted({part.family.name for part in parts})
            raise FitError(f"{name} is no setting of {' or '.join(models)}")
    return parts


def described_parts(parts: Sequence[Part], spec: Spec, about: Sequence[str]) -> dict[str, Any]:
    """The settings file of which `parts_of` makes these parts; `about` says a word on each."""
    file: dict[str, Any] = {}
    for part, word in zip(parts, about, strict=True):
        settings = written(part, word)
        if len(part.targets) == 1:
            own = {"model": part.family.name, "settings": settings}
            file.setdefault(TARGETS, {})[part.targets[0]] = own
        else:
            file["scalars" if part.targets else part.family.kind(spec)] = settings
    return file


def written(part: Part, about: str) -> dict[str, Any]:
    """Settings as a file holds them: all but the seed, which is an argument of every fit."""
    settings = _settings_of(part).to_dict()
    return {ABOUT: about, **{name: v for name, v in settings.items() if name != "seed"}}


def _settings_of(part: Part) -> Settings:
    return part.family.settings if part.settings is None else part.settings


def _own_models(
    spec: Spec, models: Sequence[str], given: Any, changes: Mapping[str, Any] | None
) -> dict[str, Part]:
    """A part for each scalar that has a model of its own: of its own family, or of that of all."""
    parts = {}
    for name, wanted in _object(TARGETS, given).items():
        _check_names("scalar target", [name], [target.name for target in spec.scalars])
        _check_names(f"entry of {name}", _object(name, wanted), OF_TARGET)
        all_of_them = family_for("scalars", spec, models)
        fits = family(wanted["model"]) if "model" in wanted else all_of_them
        if fits.targets == "curves":
            raise FitError(f"{name}: model {fits.name} fits curves, and {name} is a scalar")
        settings = _changed(fits, wanted.get("settings", {}), changes)
        parts[name] = Part(fits, settings, (name,))
    return parts


def _changed(fits: Family, given: Any, changes: Mapping[str, Any] | None) -> Settings:
    """A family's settings as the file has them, then as options of their own say that matter."""
    ours = {name: value for name, value in (changes or {}).items() if name in fits.knobs}
    return configured(configured(fits.settings, given), ours)


def _object(what: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        names = f" of {', '.join((*KINDS, TARGETS))}" if what == "settings" else ""
        raise FitError(f"{what}: a JSON object{names}, got {shown(given)}")
    return given


def _check_names(what: str, given: Any, allowed: Sequence[str]) -> None:
    for name in given:
        if name not in allowed:
            raise FitError(unknown(what, name, allowed))

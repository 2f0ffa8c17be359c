"""Convert settings files to the components of a benchmark, and components to settings files.

The file is one JSON object. `curves` and `scalars` contain the settings of these models. `targets`
gives single scalars their own models: {"accuracy": {"model": "xgb", "settings": {"rounds": 800}}}.
All other scalars have one common model. `about` is a comment for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eahas.errors import FitError, shown, unknown
from eahas.spec.spec import Spec
from surrogates.benchmark import family_for
from surrogates.families import Family, Settings, configured, family
from surrogates.fitting import Component
from surrogates.settings import ABOUT

KINDS, TARGETS = ("curves", "scalars"), "targets"
TARGET_KEYS = ("model", "settings")


def components_from_settings(
    spec: Spec,
    models: Sequence[str] = (),
    described: Any = None,
    changes: Mapping[str, Any] | None = None,
) -> list[Component]:
    """The components for the targets of a spec.

    Args:
        spec: the spec.
        models: names of families that replace the default ones.
        described: the content of a settings file.
        changes: settings that apply to all components.

    Raises:
        FitError: a name is unknown, a value is not allowed, or the spec has no target for a family.
    """
    given = _object("settings", {} if described is None else described)
    _check_names("group of settings", given, (*KINDS, TARGETS, ABOUT))
    for name in models:
        family(name).targets_of(spec)
    own = _own_models(spec, models, given.get(TARGETS, {}), changes)
    components = []
    for kind in KINDS:
        targets = getattr(spec, kind)
        rest = tuple(target.name for target in targets if target.name not in own)
        if not rest:
            continue
        chosen = family_for(kind, spec, models)
        settings = _apply_changes(chosen, given.get(kind, {}), changes)
        components.append(Component(chosen, settings, rest if len(rest) < len(targets) else ()))
    components += own.values()
    for name in changes or ():
        if not any(name in component.family.setting_names for component in components):
            models = sorted({component.family.name for component in components})
            raise FitError(f"{name} is not a setting of {' or '.join(models)}")
    return components


def settings_from_components(
    components: Sequence[Component], spec: Spec, about: Sequence[str]
) -> dict[str, Any]:
    """The settings file from which `components_from_settings` creates these components.

    `about` has a comment for each component.
    """
    file: dict[str, Any] = {}
    for component, comment in zip(components, about, strict=True):
        settings = file_settings(component, comment)
        if len(component.targets) == 1:
            own = {"model": component.family.name, "settings": settings}
            file.setdefault(TARGETS, {})[component.targets[0]] = own
        else:
            file["scalars" if component.targets else component.family.kind(spec)] = settings
    return file


def file_settings(component: Component, about: str) -> dict[str, Any]:
    """The settings of a component for a file: all but the seed, which every fit has as argument."""
    settings = _component_settings(component).to_dict()
    return {ABOUT: about, **{name: v for name, v in settings.items() if name != "seed"}}


def _component_settings(component: Component) -> Settings:
    return component.family.settings if component.settings is None else component.settings


def _own_models(
    spec: Spec, models: Sequence[str], given: Any, changes: Mapping[str, Any] | None
) -> dict[str, Component]:
    """A component for each scalar that has its own model.

    An entry without a family has the family of the other scalars.
    """
    components = {}
    for name, entry in _object(TARGETS, given).items():
        _check_names("scalar target", [name], [target.name for target in spec.scalars])
        _check_names(f"entry of {name}", _object(name, entry), TARGET_KEYS)
        default = family_for("scalars", spec, models)
        chosen = family(entry["model"]) if "model" in entry else default
        if chosen.targets == "curves":
            raise FitError(f"{name}: model {chosen.name} fits curves, and {name} is a scalar")
        settings = _apply_changes(chosen, entry.get("settings", {}), changes)
        components[name] = Component(chosen, settings, (name,))
    return components


def _apply_changes(chosen: Family, given: Any, changes: Mapping[str, Any] | None) -> Settings:
    """A family's settings with those of the file, then with those `changes` that it has."""
    known = {name: v for name, v in (changes or {}).items() if name in chosen.setting_names}
    return configured(configured(chosen.settings, given), known)


def _object(what: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        names = f" of {', '.join((*KINDS, TARGETS))}" if what == "settings" else ""
        raise FitError(f"{what}: a JSON object{names}, got {shown(given)}")
    return given


def _check_names(what: str, given: Any, allowed: Sequence[str]) -> None:
    for name in given:
        if name not in allowed:
            raise FitError(unknown(what, name, allowed))

"""Specs that ship, and reading a spec from YAML or JSON."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from eahas.errors import SpecError, unknown
from eahas.spec import Spec, spec_from_dict


def list_specs() -> list[str]:
    """The names of the specs that ship."""
    files = resources.files(__name__).iterdir()
    return sorted(f.name[: -len(".yaml")] for f in files if f.name.endswith(".yaml"))


def load_spec(name_or_path: str | Path) -> Spec:
    """A spec by its shipped name, or from a `.yaml`, `.yml` or `.json` file.

    Raises SpecError for an unknown name, a missing file, broken YAML or JSON, or a malformed spec.
    """
    given = str(name_or_path)
    path = Path(given)
    if path.suffix in (".yaml", ".yml", ".json"):
        if not path.is_file():
            raise SpecError(f"spec file {given} does not exist")
        text = path.read_text(encoding="utf-8")
    elif given in list_specs():
        text = resources.files(__name__).joinpath(f"{given}.yaml").read_text(encoding="utf-8")
    else:
        raise SpecError(unknown("spec", given, list_specs()) + ", or a path to .yaml or .json")
    try:
        return spec_from_dict(_parse(text, path.suffix == ".json"))
    except SpecError as error:
        raise SpecError(f"spec {given}: {error}") from None


def _parse(text: str, as_json: bool) -> object:
    if as_json:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise SpecError(f"not JSON: {error}") from None
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"not YAML: {str(error).splitlines()[0]}") from None

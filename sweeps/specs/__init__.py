"""The shipped specs, and the reader of specs in YAML or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eahas.errors import MissingExtraError, SpecError, shown, unknown
from eahas.spec.spec import Spec, spec_from_dict

if TYPE_CHECKING:
    from importlib.abc import Traversable


def list_specs() -> list[str]:
    """The names of the shipped specs."""
    files = resources.files(__name__).iterdir()
    return sorted(f.name[: -len(".yaml")] for f in files if f.name.endswith(".yaml"))


def load_spec(name_or_path: str | Path) -> Spec:
    """The shipped spec with this name, or the spec of a `.yaml`, `.yml` or `.json` file.

    Raises SpecError for an unknown name, a file that is missing or cannot be read, invalid YAML or
    JSON, a duplicate key, or an invalid spec.
    """
    given = str(name_or_path)
    path = Path(given)
    is_file = path.suffix in (".yaml", ".yml", ".json")
    if not is_file and given not in list_specs():
        raise SpecError(f"{unknown('spec', given, list_specs())} (or a path to .yaml or .json)")
    try:
        text = _read(path if is_file else resources.files(__name__) / f"{given}.yaml")
        return spec_from_dict(_from_json(text) if path.suffix == ".json" else _from_yaml(text))
    except SpecError as error:
        raise SpecError(f"spec {shown(given)}: {error}") from None


def _read(path: Traversable) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError("the file does not exist") from None
    except (OSError, ValueError) as error:
        raise SpecError(f"the file cannot be read as UTF-8 text: {error}") from None


def _from_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except SpecError:
        raise
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not JSON: {error}") from None


def _from_yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("reading a YAML spec", "PyYAML", "train") from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
        """SafeLoader, but duplicate keys are an error and 1e-5 is a number, as in YAML 1.2."""

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            _distinct((key.value, key) for key in keys)
            return node

    exponent = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+0123456789"))
    try:
        return yaml.load(text, Loader)
    except SpecError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise SpecError(f"not YAML: {' '.join(str(e).split())[:200]}") from None


def _distinct(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary of the pairs; SpecError for a duplicate key."""
    distinct: dict[str, Any] = {}
    for key, value in pairs:
        if key in distinct:
            raise SpecError(f"the key {shown(key)} occurs twice")
        distinct[key] = value
    return distinct

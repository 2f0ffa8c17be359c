"""Plug-ins: what an installed package adds, found by its metadata alone."""

from __future__ import annotations

import pytest

from eahas.errors import PluginError
from eahas.models.features.blocks import block_maker
from eahas.plugins import load_plugin, plugin_names
from eahas.space.architectures.registry import FAMILIES, all_families, family_names, find_family

ADDED = {
    "eahas.architectures": {"stack": "toy_family:FAMILY"},
    "eahas.feature_blocks": {"stack": "toy_family:block"},
}


def test_nothing_is_added_where_nothing_is_installed() -> None:
    assert plugin_names("eahas.nothing") == ()
    assert load_plugin("eahas.nothing", "stack") is None
    assert find_family("stack") is None
    assert block_maker("stack") is None


def test_a_package_adds_an_architecture_family(install) -> None:
    install(ADDED)
    family = find_family("stack")
    assert family is not None
    assert (family.name, family.parameters) == ("stack", ("STACK.DEPTH", "STACK.WIDTH"))
    assert family_names() == (*FAMILIES, "stack")
    assert [f.name for f in all_families()] == list(family_names())
    assert block_maker("stack") is not None


def test_a_package_does_not_replace_a_family_that_comes_with_eahas(install) -> None:
    install({"eahas.architectures": {"regnet": "toy_family:FAMILY"}})
    assert find_family("regnet").name == "regnet"
    assert [family.name for family in all_families()] == list(FAMILIES)


@pytest.mark.parametrize(
    ("name", "place", "says"),
    [
        ("stack", "toy_family:FAMILIE", "cannot be loaded from toy_family:FAMILIE"),
        ("stack", "toy_familie:FAMILY", "cannot be loaded .*No module named 'toy_familie'"),
        ("stack", "toy_family:NO_FAMILY", "must be an ArchitectureFamily of that name, got 'a te"),
        ("stock", "toy_family:FAMILY", "'stock' of eahas.architectures must be an Architecture"),
    ],
)
def test_a_broken_plug_in_is_named(install, name, place, says) -> None:
    install({"eahas.architectures": {name: place}})
    with pytest.raises(PluginError, match=says):
        find_family(name)


def test_two_packages_cannot_share_a_name(install) -> None:
    install(ADDED)
    install({"eahas.architectures": {"stack": "toy_family:NO_FAMILY"}})
    with pytest.raises(PluginError, match="defined by toy_family:FAMILY and by toy_family:NO_FAMI"):
        find_family("stack")

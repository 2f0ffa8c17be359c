"""Names and paths: where they lead, and what is said where they lead nowhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from eahas.benchmark.storage import registry
from eahas.benchmark.storage.manifest import BENCHMARK, ENSEMBLE, Manifest, read_manifest
from eahas.benchmark.storage.registry import Place, describe, locate, roots, shipped
from eahas.errors import CheckpointError


def found(name: str | os.PathLike[str]) -> tuple[str, str, str | None]:
    """The folder's name, what lies there, and the model that is meant."""
    place = locate(name)
    assert isinstance(place, Place)
    return place.folder.name, place.manifest.kind, place.model


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("prefix", ["", "checkpoints/", "./checkpoints/", "checkpoints\\"])
@pytest.mark.parametrize("version", ["", "@1"])
def test_what_ships_is_found_from_anywhere(elsewhere, prefix, version) -> None:
    name = f"{prefix}regnet-digits{version}"
    assert found(name) == ("regnet-digits", BENCHMARK, None)
    assert found(name + "/") == ("regnet-digits", BENCHMARK, None)
    assert found(f"{name}/runtime_s") == ("regnet-digits", BENCHMARK, "runtime_s")


def test_a_path_leads_to_a_benchmark_or_to_what_is_in_it(toy, monkeypatch) -> None:
    assert found(toy) == found(str(toy)) == ("own", BENCHMARK, None)
    assert found(toy / "costs") == ("costs", ENSEMBLE, None)
    assert found(toy / "runtime_s") == ("own", BENCHMARK, "runtime_s")
    assert found(toy / "costs" / "weights.safetensors") == (
        "costs",
        ENSEMBLE,
        "weights.safetensors",
    )
    monkeypatch.chdir(toy)
    assert found(".") == ("", BENCHMARK, None)
    assert found("costs") == ("costs", ENSEMBLE, None)
    assert found("regnet-digits") == ("regnet-digits", BENCHMARK, None)
    monkeypatch.chdir(toy.parent)
    assert found("own") == found("own/") == ("own", BENCHMARK, None)
    assert found("own/loss") == ("own", BENCHMARK, "loss")


def test_a_path_goes_before_a_name(toy, elsewhere) -> None:
    shutil.copytree(toy, elsewhere / "regnet-digits")
    assert locate("regnet-digits").manifest.text("spec.name") == "own"
    assert locate("regnet-digits@1").manifest.text("spec.name") == "regnet-digits"


def test_a_folder_of_that_name_that_is_no_checkpoint_is_passed_by(elsewhere) -> None:
    (elsewhere / "regnet-digits").mkdir()
    assert locate("regnet-digits").folder.parent.name == "checkpoints"


NOWHERE = ["cifar10", "tiny", "regnet-digits@2", "regnet-digits@", "@1", "no/where", "nothing.pkl"]


@pytest.mark.parametrize("name", [*NOWHERE, "a" * 5000, "a\x00b", "regnet-digitz"])
def test_a_name_that_leads_nowhere_is_told_what_ships_and_how_to_make_one(elsewhere, name) -> None:
    with pytest.raises(CheckpointError, match=r"is unknown; allowed: .*regnet-digits") as caught:
        locate(name)
    for step in ("sweep sample", "sweep launch", "sweep collect", "fit"):
        assert f"eahas {step}" in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["./missing", "../regnet-digits/", "/no/where", "."])
def test_a_path_that_leads_nowhere_is_told_so(elsewhere, name) -> None:
    with pytest.raises(
        CheckpointError, match=r"regnet-digits|is not an eahas checkpoint"
    ) as caught:
        locate(name)
    assert ("there is no folder" in str(caught.value)) == (name != ".")


def test_a_spec_without_a_benchmark_is_told_how_to_become_one() -> None:
    with pytest.raises(CheckpointError, match=r"only the spec of regnet-cifar10 ships") as caught:
        locate("regnet-cifar10")
    assert "eahas sweep run regnet-cifar10 --budget-s" in str(caught.value)
    assert "eahas fit regnet-cifar10 regnet-cifar10.parquet --out" in str(caught.value)
    assert "did you mean" not in str(caught.value)


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(CheckpointError, match=r"did you mean 'regnet-digits'\?"):
        locate("regnet-digitz")


def test_a_folder_that_is_there_is_told_what_is_wrong_with_it(elsewhere) -> None:
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine" / "surrogate_model.model").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(CheckpointError, match=r"mine is not an eahas checkpoint: .*never loaded"):
        locate("mine")
    with pytest.raises(CheckpointError, match=r"a file, not a folder, and its suffix is that"):
        locate("mine/surrogate_model.model")
    (elsewhere / "mine" / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"mine/manifest.json is not a manifest of eahas"):
        locate("mine")


@pytest.mark.parametrize("name", [None, 5, ["regnet-digits"], {}, b"regnet-digits", "", " "])
def test_what_is_neither_a_name_nor_a_path_is_refused(name) -> None:
    with pytest.raises(CheckpointError, match=r"a name or a path is needed, got"):
        locate(name)


def test_what_ships_is_listed_by_name_and_version() -> None:
    assert "regnet-digits@1" in shipped()
    assert all((folder / "manifest.json").is_file() for folder in shipped().values())
    assert [root.name for root in roots()] == ["checkpoints"]


def test_the_newest_version_is_meant_by_a_name_alone(
    own_spec, handmade, saved, monkeypatch, elsewhere
) -> None:
    spec = own_spec()
    for version in (2, 10, 9):
        saved(elsewhere / f"v{version}", spec, [handmade(spec, "scalars")], version=version)
    monkeypatch.setattr(registry, "roots", lambda: [elsewhere])
    assert list(shipped()) == ["own@2", "own@9", "own@10"]
    assert locate("own").manifest.whole("version", 1) == 10
    assert locate("own@9").manifest.whole("version", 1) == 9


@pytest.fixture
def versions(own_spec, handmade, saved, monkeypatch, elsewhere) -> Path:
    """Versions 1, 2 and 10 of one benchmark, another benchmark, and a damaged folder."""
    spec = own_spec()
    root = elsewhere / "shipped"
    for folder, changes in {
        "own": {"version": 1},
        "own@2": {"version": 2},
        "own@10": {"version": 10},
        "own-other": {"version": 5, "name": "own-other"},
        "odd": {"version": 6, "name": "another"},
    }.items():
        saved(root / folder, spec, [handmade(spec, "scalars")], **changes)
    (root / "damaged").mkdir()
    (root / "damaged" / "manifest.json").write_text("{")
    monkeypatch.setattr(registry, "roots", lambda: [root])
    return root


@pytest.mark.parametrize(
    ("name", "folder", "read"),
    [
        ("own", "own@10", ["own", "own@10", "own@2"]),
        ("own@1", "own", ["own"]),
        ("own@2", "own@2", ["own", "own@2"]),
        ("own@10/runtime_s", "own@10", ["own", "own@10"]),
        ("own-other", "own-other", ["own-other"]),
        ("checkpoints/own-other@5", "own-other", ["own-other"]),
    ],
)
def test_only_folders_with_the_name_are_read(versions, monkeypatch, name, folder, read) -> None:
    reads: list[str] = []

    def counted(path: Path, kind: str | None = None) -> Manifest:
        reads.append(path.name)
        return read_manifest(path, kind)

    monkeypatch.setattr(registry, "read_manifest", counted)
    assert locate(name).folder == versions / folder
    assert reads == read


@pytest.mark.parametrize("name", ["another", "another@6"])
def test_a_folder_that_is_not_named_for_its_benchmark_is_searched(versions, name) -> None:
    with pytest.raises(CheckpointError, match=r"damaged/manifest.json is not JSON"):
        locate(name)
    shutil.rmtree(versions / "damaged")
    assert locate(name).folder == versions / "odd"


@pytest.mark.parametrize("name", ["own@3", "own@", "odd", "odd@6", "own-other@1"])
def test_a_folder_s_name_is_not_enough(versions, name) -> None:
    shutil.rmtree(versions / "damaged")
    with pytest.raises(CheckpointError, match=r"is unknown; allowed: another, another@6, own, own"):
        locate(name)


def test_a_benchmark_in_a_few_facts(toy) -> None:
    assert describe(read_manifest(toy)) == {
        "name": "own",
        "version": 3,
        "description": "",
        "targets": {
            "valid": "percent",
            "loss": "nat",
            "runtime_s": "s",
            "test_energy_j": "J",
            "score": "percent",
            "drift": "K",
        },
        "energy_source": "estimated",
        "energies": {"test_energy_j": "estimated"},
        "runs": 30,
    }

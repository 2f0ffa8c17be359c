"""A run that is killed and continued is the run that was never killed."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from eahas.errors import RecordError
from eahas.spec.spec import Spec
from regnet_hpo import run_meter as run_meter
from regnet_hpo import train as training
from regnet_hpo.cuda_graph import CudaGraph
from regnet_hpo.data import DataSet
from regnet_hpo.resume import load_state
from regnet_hpo.run_meter import meter_for
from regnet_hpo.settings import MeasureSettings
from regnet_hpo.train import Progress, Trainer, train

CURVES = ("train", "valid", "test", "valid_ema", "test_ema")
EMA = {"ema": {"alpha": 0.02, "update_period": 2}}


class Killed(BaseException):
    """Stands for the death of the process."""


def kill(_: Progress) -> None:
    raise Killed


def weights_of(trainer: Trainer) -> list[torch.Tensor]:
    return list(trainer.learner.network.state_dict().values())


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("ema", [False, True], ids=["plain", "ema"])
def test_killed_after_every_epoch_it_ends_bit_for_bit_the_same(
    spec_with: Callable[..., Spec],
    config: dict[str, Any],
    digits: DataSet,
    tmp_path: Path,
    optimiser: str,
    ema: bool,
) -> None:
    spec = spec_with(training=EMA if ema else {})
    config |= {"OPTIM.OPTIMIZER": optimiser, "TRAIN.CUTOUT_LENGTH": 3}
    unbroken = Trainer(spec, config, 5, dataset=digits)
    expected = unbroken.run()
    for _ in range(3):
        with pytest.raises(Killed):
            Trainer(spec, config, 5, dataset=digits).run(tmp_path / "resume.pt", kill)
    last = Trainer(spec, config, 5, dataset=digits)
    found = last.run(tmp_path / "resume.pt")
    assert [found.get(name) for name in CURVES] == [expected.get(name) for name in CURVES]
    assert all(map(torch.equal, weights_of(last), weights_of(unbroken)))
    assert (found["status"], found["epochs"]) == ("ok", 3)
    assert len(found["epoch_energy_j"]) == 3
    assert "resumed" in found["energy_flags"].split(",")


def test_a_state_is_saved_no_more_often_than_asked(
    spec: Spec, config: dict[str, Any], digits: DataSet, tmp_path: Path
) -> None:
    """Each look at the clock is 3 s later: one at the start, one an epoch, one a save."""
    seconds = itertools.count(0.0, 3.0)
    path, told = tmp_path / "resume.pt", []

    def saved(progress: Progress) -> None:
        told.append(progress.epochs)
        assert path.exists()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.time, "monotonic", lambda: next(seconds))
        train(
            spec,
            config,
            0,
            dataset=digits,
            resume_file=path,
            on_epoch=saved,
            save_every_s=5.0,
        )
    assert told == [2]
    assert train(spec, config, 0, dataset=digits, resume_file=path)["epochs"] == 3


def test_a_run_killed_inside_an_epoch_repeats_that_epoch_alone(
    spec: Spec, config: dict[str, Any], digits: DataSet, tmp_path: Path
) -> None:
    expected = train(spec, config, 0, dataset=digits)
    trainer = Trainer(spec, config, 0, dataset=digits)
    steps: list[int] = []
    step = trainer.learner.step

    def dies() -> None:
        steps.append(1)
        if len(steps) == 4:  # two steps an epoch: in the middle of the second
            raise Killed
        step()

    trainer.learner.step = CudaGraph(dies)
    with pytest.raises(Killed):
        trainer.run(tmp_path / "resume.pt")
    seen: list[int] = []
    found = train(
        spec,
        config,
        0,
        dataset=digits,
        resume_file=tmp_path / "resume.pt",
        on_epoch=lambda progress: seen.append(progress.epochs),
    )
    assert seen == [2, 3]
    assert found["test"] == expected["test"]


def test_times_and_energies_of_the_earlier_process_are_kept(
    spec: Spec, config: dict[str, Any], digits: DataSet, tmp_path: Path
) -> None:
    trainer = Trainer(spec, config, 0, dataset=digits)
    with pytest.raises(Killed):
        trainer.run(tmp_path / "resume.pt", kill)
    before = trainer.run_meter.training.state_dict()
    record = train(spec, config, 0, dataset=digits, resume_file=tmp_path / "resume.pt")
    assert record["epoch_time_s"][:1] == before["duration_s"]
    assert record["epoch_energy_j"][0] == pytest.approx(before["energy_j"][0])


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 6},
        {"config": {"OPTIM.BASE_LR": 0.01}},
        {"training": {"weight_decay": 1e-4}},
        {"data": {"split_seed": 1}},
        {"network": {"stem_width": 16}},
    ],
)
def test_the_resume_file_of_another_run_is_refused(
    spec_with: Callable[..., Spec],
    config: dict[str, Any],
    digits: DataSet,
    tmp_path: Path,
    other: dict[str, Any],
) -> None:
    path = tmp_path / "resume.pt"
    with pytest.raises(Killed):
        train(spec_with(), config, 5, dataset=digits, resume_file=path, on_epoch=kill)
    content = path.read_bytes()
    sections = {k: v for k, v in other.items() if k in ("training", "data", "network")}
    with pytest.raises(RecordError, match="resume file of another run"):
        train(
            spec_with(**sections),
            config | other.get("config", {}),
            other.get("seed", 5),
            dataset=digits,
            resume_file=path,
        )
    assert path.read_bytes() == content


def test_a_file_that_was_metered_otherwise_is_refused(
    spec: Spec,
    config: dict[str, Any],
    digits: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "resume.pt"
    with pytest.raises(Killed):
        train(spec, config, 5, dataset=digits, resume_file=path, on_epoch=kill)
    settings = MeasureSettings(energy="estimated", estimate_w_per_core=3.0)
    monkeypatch.setattr(run_meter, "meter_for", lambda device, _: meter_for(device, settings))
    with pytest.raises(RecordError, match="cannot be continued here: formula"):
        train(spec, config, 5, dataset=digits, resume_file=path)


def torch_file(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a file of torch's", torch_file({"identity": 1})[:-100]],
    ids=["empty", "other", "cut off"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "resume.pt").write_bytes(content)
    with pytest.raises(RecordError, match="is damaged"):
        load_state(tmp_path / "resume.pt", {})


@pytest.mark.parametrize("content", [[1, 2], {"no": "identity"}])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "resume.pt").write_bytes(torch_file(content))
    with pytest.raises(RecordError, match="another run"):
        load_state(tmp_path / "resume.pt", {})


def test_no_file_is_a_new_run(tmp_path: Path) -> None:
    assert load_state(tmp_path / "resume.pt", {}) is None


def test_a_file_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path.joinpath("ran").touch, ())

    (tmp_path / "resume.pt").write_bytes(torch_file({"identity": {}, "bomb": Bomb()}))
    with pytest.raises(RecordError, match="is damaged"):
        load_state(tmp_path / "resume.pt", {})
    assert not (tmp_path / "ran").exists()

"""The fast path computes what the plain loop computes: given the same draws, the same run."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import training
from benchmarks._plain_training import PlainTraining, augmented_alone
from benchmarks.training import curves_of, gap, main
from eahas.energy import open_meter
from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo.augment import COLUMN, FLIP, LEFT, POSITION, ROW, TOP
from regnet_hpo.data import DataSet, load_dataset
from regnet_hpo.learner import Learner
from sweeps.specs import load_spec

pytestmark = pytest.mark.integration

PADDING, CUTOUT = 2, 3


@pytest.fixture(scope="module")
def spec() -> Spec:
    """Digits, with everything that can be drawn for an image."""
    source = copy.deepcopy(dict(load_spec("regnet-digits").source))
    source["training"] |= {"flip": 0.5, "crop_padding": PADDING, "precise_bn_samples": 100}
    source["parameters"]["TRAIN.CUTOUT_LENGTH"] = {"type": "choice", "choices": [0, CUTOUT]}
    source["parameters"]["OPTIM.MAX_EPOCH"] = {"type": "choice", "choices": [3, 8]}
    return spec_from_dict(source)


@pytest.fixture(scope="module")
def data(spec: Spec) -> DataSet:
    return load_dataset(spec.data)


def config_of(spec: Spec, optimiser: str) -> dict[str, Any]:
    config = dict(spec.space.check(spec.space.sample(1, seed=0)[0]))
    fixed = {"OPTIM.BASE_LR": 0.03, "TRAIN.CUTOUT_LENGTH": CUTOUT, "OPTIM.MAX_EPOCH": 3}
    return config | fixed | {"OPTIM.OPTIMIZER": optimiser}


def plain_batches(
    learner: Learner, data: DataSet, epoch: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The batches that ours draws for an epoch, made one image at a time."""
    batches = []
    for drawn in learner._sample(learner.train_batches.count, epoch):
        images = [
            augmented_alone(
                data.train.images[row[POSITION]],
                data.table,
                mirrored=bool(row[FLIP]),
                corner=(int(row[TOP]), int(row[LEFT])),
                centre=(int(row[ROW]), int(row[COLUMN])),
                crop_padding=PADDING,
                cutout=CUTOUT,
            )
            for row in drawn
        ]
        labels = data.train.labels[drawn[:, POSITION].numpy()]
        batches.append((torch.from_numpy(np.stack(images)), torch.from_numpy(labels)))
    return batches


def test_a_batch_is_its_images_augmented_one_by_one(spec: Spec, data: DataSet) -> None:
    learner = Learner(spec, config_of(spec, "sgd"), 0, data, "cpu")
    learner.train_batches.start(learner._sample(learner.train_batches.count, 0))
    for inputs, labels in plain_batches(learner, data, 0):
        ours, ours_labels = learner.train_batches.next()
        assert torch.equal(ours, inputs)
        assert torch.equal(ours_labels, labels)


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_the_same_draws_give_the_same_run(spec: Spec, data: DataSet, optimiser: str) -> None:
    """In double precision, where the order of a sum is no matter."""
    config = config_of(spec, optimiser)
    data = dataclasses.replace(data, table=data.table.astype(np.float64))
    ours = Learner(spec, config, 0, data, "cpu")
    plain = PlainTraining(spec, config, 0, data, "cpu", 0)
    plain.network.load_state_dict(ours.network.state_dict())
    for network in (ours.network, plain.network):
        network.double()
    for epoch in range(ours.max_epoch):
        ours.train_epoch(epoch)
        batches = plain_batches(ours, data, epoch)
        plain.loader = batches  # type: ignore[assignment]
        plain.train_epoch(epoch)
        assert len(batches) == 4
    mine, theirs = (each.network.state_dict() for each in (ours, plain))
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-6, atol=1e-9)


def test_the_gap_of_two_samples_comes_with_its_standard_error() -> None:
    found = gap(np.array([3.0, 5.0]), np.array([1.0, 1.0, 1.0]))
    assert (found.mean, found.error) == (3.0, pytest.approx(1.0))
    assert str(found) == "+3.00 points (+3.0 s.e.)"


def test_curves_of_both_loops_have_all_epochs(spec: Spec, data: DataSet) -> None:
    ours, plain = curves_of(spec, config_of(spec, "sgd"), data, seeds=2)
    assert ours.shape == plain.shape == (2, 3, 3)
    assert ((ours >= 0) & (ours <= 100)).all()
    assert (plain[0] != plain[1]).any()


def test_the_tables_that_it_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Speeds with joules, of a meter that takes CPU time for them; then the curves."""
    monkeypatch.setattr(
        training,
        "_measuring_meter",
        lambda device: open_meter(device, source="estimated", estimate_w_per_core=10.0),
    )
    short = '{"OPTIM.MAX_EPOCH": 10, "REGNET.DEPTH": 4}'
    given = ["--spec", "regnet-digits", "--config", short, "--workers", "0"]
    main([*given, "--images", "100", "--epochs", "1", "--seeds", "2"])
    lines = capsys.readouterr().out.splitlines()
    speeds = next(line for line in lines if line.startswith("| RegNet 4/")).split("|")
    ours, plain, ratio, ours_j, plain_j, ratio_j = (float(c.replace(",", "")) for c in speeds[2:8])
    assert ratio == pytest.approx(ours / plain, abs=0.01)
    assert ratio_j == pytest.approx(plain_j / ours_j, rel=0.02)
    assert any(", 10 epochs |" in line and line.count("s.e.)") == 6 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "whole numbers from 1"),
        (["--seeds", "1"], "allowed are 0 (no curves) and whole numbers from 2"),
        (["--config", "{bad"], "allowed is a flat JSON object"),
        (["--config", "[1]"], "allowed is a flat JSON object"),
    ],
)
def test_arguments_that_say_nothing_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err

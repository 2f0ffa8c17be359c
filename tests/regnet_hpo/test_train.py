"""One configuration, trained: what stands in its record, and how it came there."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from eahas.errors import ConfigError, DataError, SpecError
from eahas.records.schema import check_row
from eahas.space.architectures.regnet import complexity, stages_of
from eahas.spec.spec import Spec
from regnet_hpo import batches
from regnet_hpo import learner as module
from regnet_hpo import train as training
from regnet_hpo.data import DataSet
from regnet_hpo.evaluate import PreciseNorm
from regnet_hpo.learner import EPOCH, INIT, Learner
from regnet_hpo.train import Progress, Trainer, train

CURVES = ("train", "valid", "test", "valid_ema", "test_ema")
PLANNED = {"run_id": "r", "config_id": "c", "split": "train", "role": "main"}
EMA = {"ema": {"alpha": 0.02, "update_period": 1}}
HUGE = {"OPTIM.BASE_LR": {"type": "choice", "choices": [1e20]}}


# The record


def test_a_record_holds_the_run_and_follows_the_schema(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    record = train(spec, config, 4, dataset=digits)
    checked = check_row(record | PLANNED, spec)
    assert checked.items() >= config.items()
    assert (record["status"], record["reason"], record["seed"]) == ("ok", "", 4)
    assert (record["space"], record["space_version"], record["device"]) == ("tiny", 1, "cpu")
    assert record["epochs"] == 3
    assert {name: len(record[name]) for name in CURVES[:3]} == dict.fromkeys(CURVES[:3], 3)
    assert "valid_ema" not in record
    assert spec.network is not None
    cx = complexity(stages_of(config, spec.network), spec.network)
    assert (record["flops"], record["params"], record["acts"]) == tuple(cx)
    json.dumps(record, allow_nan=False)


def test_the_parameters_that_are_trained_are_those_that_are_counted(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    trainer = Trainer(spec, config, 0, dataset=digits)
    trained = sum(p.numel() for p in trainer.learner.network.parameters())
    assert trained == trainer.run()["params"]


def test_the_seed_decides(spec: Spec, config: dict[str, Any], digits: DataSet) -> None:
    same, again, other = (train(spec, config, s, dataset=digits) for s in (0, 0, 1))
    assert all(same[name] == again[name] for name in CURVES[:3])
    assert any(same[name] != other[name] for name in CURVES[:3])


def test_every_seed_spends_the_streams_it_always_did() -> None:
    """A change here would make old records irreproducible."""
    streams = [module.generator(*key) for key in ((0, INIT), (0, EPOCH, 0), (3, EPOCH, 7, 1))]
    assert [stream.initial_seed() for stream in streams] == [
        6569863346532939966,
        5836529245451711556,
        6274055003259981666,
    ]


def test_a_nested_configuration_is_the_same_configuration(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    flat, nested = (
        train(spec, given, 0, dataset=digits) for given in (config, spec.space.nest(config))
    )
    assert flat["valid"] == nested["valid"]


# The recipe, as it is applied


def test_the_last_short_batch_is_dropped(
    spec: Spec, config: dict[str, Any], digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    loss = Learner.loss

    def watched(self: Learner, inputs: torch.Tensor, labels: torch.Tensor) -> Any:
        sizes.append(len(inputs))
        return loss(self, inputs, labels)

    monkeypatch.setattr(Learner, "loss", watched)
    train(spec, config, 0, dataset=digits)
    assert sizes == [25, 25] * 3  # of 60 images


def test_the_loss_is_smoothed_by_the_label_smoothing(
    spec_with: Callable[..., Spec], config: dict[str, Any], digits: DataSet
) -> None:
    """(1 - s) of the label and s spread over all classes, restated."""
    spec = spec_with(training={"label_smoothing": 0.2})
    trainer = Trainer(spec, config, 0, dataset=digits)
    images, labels = (part[:25] for part in trainer.learner.splits["valid"])
    loss, logits = trainer.learner.loss(images, labels)
    log_p = logits.double().log_softmax(1)
    own = log_p[torch.arange(25), labels].mean()
    assert loss.item() == pytest.approx(-(0.8 * own + 0.2 * log_p.mean()).item(), rel=1e-5)


@pytest.mark.parametrize("ema", [False, True])
def test_statistics_are_made_precise_before_each_evaluation(
    spec_with: Callable[..., Spec],
    config: dict[str, Any],
    digits: DataSet,
    monkeypatch: pytest.MonkeyPatch,
    ema: bool,
) -> None:
    spec = spec_with(training=EMA if ema else {})
    calls: list[tuple[str, torch.nn.Module]] = []
    precise, correct = PreciseNorm.__call__, module.correct

    def watched_precise(self: PreciseNorm, batches: int) -> None:
        assert batches == 2  # of 25: 50 samples
        calls.append(("precise", self._network))
        precise(self, batches)

    def watched_correct(network: torch.nn.Module, *given: Any) -> torch.Tensor:
        calls.append(("evaluate", network))
        return correct(network, *given)

    monkeypatch.setattr(PreciseNorm, "__call__", watched_precise)
    monkeypatch.setattr(module, "correct", watched_correct)
    trainer = Trainer(spec, config, 0, dataset=digits)
    trainer.learner.evaluate(0)
    networks = [trainer.learner.network] + (
        [trainer.learner.ema.network] if trainer.learner.ema else []
    )
    expected = [(do, n) for n in networks for do in ("precise", "evaluate", "evaluate")]
    assert calls == expected


def test_the_train_curve_comes_from_the_training_batches(
    spec: Spec, config: dict[str, Any], digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the share of right answers that the network gave while it was trained."""
    right: list[int] = []
    forward = Learner.loss

    def watched(self: Learner, inputs: torch.Tensor, labels: torch.Tensor) -> Any:
        loss, logits = forward(self, inputs, labels)
        right.append(int((logits.argmax(1) == labels).sum()))
        return loss, logits

    monkeypatch.setattr(Learner, "loss", watched)
    found = train(spec, config, 0, dataset=digits)["train"]
    assert found == pytest.approx([2.0 * (a + b) for a, b in zip(right[::2], right[1::2])])  # noqa: B905


def test_the_ema_has_curves_of_its_own_and_leaves_the_weights_alone(
    spec_with: Callable[..., Spec], tiny: dict[str, Any], config: dict[str, Any], digits: DataSet
) -> None:
    plain = train(spec_with(), config, 0, dataset=digits)
    record = train(spec_with(training=EMA), config, 0, dataset=digits)
    assert {name: len(record[name]) for name in CURVES} == dict.fromkeys(CURVES, 3)
    assert all(record[name] == plain[name] for name in CURVES[:3])
    # Precise statistics are taken of both alike, so while the weights are copied the curves agree.
    copied = tiny["training"]["warmup_epochs"]
    assert record["test_ema"][:copied] == record["test"][:copied]
    assert record["test_ema"][copied:] != record["test"][copied:]


def test_cutout_is_the_configurations(
    spec: Spec, config: dict[str, Any], digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    augment = batches.augmented

    def watched(*given: Any, **settings: Any) -> torch.Tensor:
        seen.add(settings["cutout"])
        return augment(*given, **settings)

    monkeypatch.setattr(batches, "augmented", watched)
    train(spec, config | {"TRAIN.CUTOUT_LENGTH": 3}, 0, dataset=digits)
    assert seen == {3}


# Diverged runs


@pytest.fixture
def diverging(spec_with: Callable[..., Spec], config: dict[str, Any]) -> tuple[Spec, dict]:
    return spec_with(parameters=HUGE), config | {"OPTIM.BASE_LR": 1e20}


def test_a_diverged_run_is_a_record_that_says_so(
    diverging: tuple[Spec, dict], digits: DataSet
) -> None:
    spec, config = diverging
    record = train(spec, config, 0, dataset=digits)
    assert record["status"] == "diverged"
    assert record["reason"] == "loss is nan in epoch 1"
    assert record["epochs"] == 0
    assert record["train"] == record["valid"] == []
    assert "test_energy_j" not in record
    assert record["energy_missing"].startswith("train_energy_j: no epoch was metered")
    check_row(record | PLANNED, spec)


def test_a_run_that_diverges_later_keeps_its_finished_epochs(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    def poison(progress: Progress) -> None:
        if progress.epochs == 2:
            with torch.no_grad():
                trainer.learner.network.head.bias.fill_(math.nan)

    trainer = Trainer(spec, config, 0, dataset=digits)
    record = trainer.run(None, poison)
    assert (record["status"], record["reason"]) == ("diverged", "loss is nan in epoch 3")
    assert record["epochs"] == len(record["test"]) == len(record["epoch_energy_j"]) == 2
    assert record["train_energy_j"] > 0
    check_row(record | PLANNED, spec)


# torch's global settings


@pytest.fixture
def two_threads() -> Iterator[None]:
    """torch has another number of threads than the tiny spec, which asks for one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def global_settings() -> dict[str, Any]:
    return {
        "threads": torch.get_num_threads(),
        "interop threads": torch.get_num_interop_threads(),
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul precision": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32),
        "gradients": torch.is_grad_enabled(),
        "random state": torch.get_rng_state().tolist(),
        "garbage collection": gc.isenabled(),
    }


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("window_s", [0.0, 0.01])
def test_torchs_global_settings_are_restored(
    spec_with: Callable[..., Spec], config: dict[str, Any], digits: DataSet, window_s: float
) -> None:
    spec = spec_with(measurement={"window_s": window_s, "ramp_s": 0.0, "inference_s": 0.01})
    before, during = global_settings(), []
    train(
        spec,
        config,
        0,
        dataset=digits,
        on_epoch=lambda _: during.append(torch.get_num_threads()),
    )
    assert set(during) == {1}
    assert global_settings() == before


@pytest.mark.usefixtures("two_threads")
def test_torchs_global_settings_are_restored_after_an_error(
    spec: Spec, config: dict[str, Any], digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError

    before = global_settings()
    with pytest.raises(ZeroDivisionError):
        train(spec, config, 0, dataset=digits, on_epoch=fail)
    assert global_settings() == before
    monkeypatch.setattr(training, "Learner", fail)
    with pytest.raises(ZeroDivisionError):
        train(spec, config, 0, dataset=digits)
    assert global_settings() == before


# What is refused


def test_a_configuration_outside_the_space_is_refused(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    with pytest.raises(ConfigError, match=r"OPTIM\.MAX_EPOCH=4 is not allowed"):
        train(spec, config | {"OPTIM.MAX_EPOCH": 4}, 0, dataset=digits)


@pytest.mark.parametrize("seed", [-1, 1.5, True, None, 2**63])
def test_a_seed_is_a_whole_number_from_zero(
    spec: Spec, config: dict[str, Any], digits: DataSet, seed: Any
) -> None:
    with pytest.raises(ConfigError, match="allowed: whole numbers from 0"):
        train(spec, config, seed, dataset=digits)


def test_an_unknown_device_is_refused(spec: Spec, config: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="device 'tpu' is unknown; allowed: cpu, cuda"):
        train(spec, config, 0, device="tpu")


def test_a_spec_that_the_trainer_does_not_understand_is_refused(
    spec_with: Callable[..., Spec], config: dict[str, Any]
) -> None:
    with pytest.raises(SpecError, match="flip"):
        train(spec_with(training={"flip": 2}), config, 0)

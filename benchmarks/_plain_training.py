"""A reimplementation of pycls' training loop, with which ours is compared.

Worker processes flip, crop and normalise one image at a time on the CPU. The network runs eagerly,
in the contiguous memory format, on a GPU with fp16 autocast and a gradient scaler. The optimiser is
not fused. The host reads the loss and the error of every step.
(Radosavovic et al., "Designing Network Design Spaces", 2020; github.com/facebookresearch/pycls.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from eahas.space.architectures.regnet import NetworkFacts, stages_of
from eahas.spec.spec import Spec
from regnet_hpo.augment import normalised
from regnet_hpo.data import DataSet
from regnet_hpo.evaluate import PreciseNorm, correct, percent
from regnet_hpo.network import RegNet, initialise
from regnet_hpo.optim import learning_rate
from regnet_hpo.settings import run_settings

Array = np.ndarray


class Images(Dataset[tuple[Array, int]]):
    """Training images; each is augmented when it is loaded."""

    def __init__(self, data: DataSet, *, flip: float, crop_padding: int, cutout: int) -> None:
        self._split, self._table = data.train, data.table
        self._flip, self._padding, self._cutout = flip, crop_padding, cutout

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, position: int) -> tuple[Array, int]:
        side, draw = self._split.images.shape[1], np.random  # seeded in each worker, as in pycls
        image = augmented_alone(
            self._split.images[position],
            self._table,
            mirrored=bool(self._flip and draw.uniform() < self._flip),
            corner=draw.randint(0, 2 * self._padding + 1, 2) if self._padding else (0, 0),
            centre=draw.randint(0, side, 2) if self._cutout else (0, 0),
            crop_padding=self._padding,
            cutout=self._cutout,
        )
        return image, int(self._split.labels[position])


def augmented_alone(
    pixels: Array,
    table: Array,
    *,
    mirrored: bool,
    corner: Sequence[int] | Array,
    centre: Sequence[int] | Array,
    crop_padding: int,
    cutout: int,
) -> Array:
    """One augmented image (channels, side, side), from its bytes and the random choices."""
    planes = pixels.transpose(2, 0, 1)
    image = np.stack([table[channel][plane] for channel, plane in enumerate(planes)])
    side = image.shape[1]
    if mirrored:
        image = image[:, :, ::-1]
    if crop_padding:
        frame = np.pad(image, ((0, 0), (crop_padding,) * 2, (crop_padding,) * 2))
        top, left = corner
        image = frame[:, top : top + side, left : left + side]
    image = np.ascontiguousarray(image)
    if cutout:
        first = [int(c) - cutout // 2 for c in centre]
        rows, columns = (slice(max(0, c), max(0, c + cutout)) for c in first)
        image[:, rows, columns] = 0.0
    return image


def _seed_worker(worker: int) -> None:
    np.random.seed(torch.initial_seed() % 2**32)  # noqa: NPY002


class PlainTraining:
    """One training run, epoch by epoch."""

    def __init__(
        self,
        spec: Spec,
        config: Mapping[str, Any],
        seed: int,
        data: DataSet,
        device: str,
        workers: int,
    ) -> None:
        assert isinstance(spec.network, NetworkFacts)
        self.config, self.settings = spec.space.check(config), run_settings(spec, config)
        self.device, self.data = torch.device(device), data
        # Separate seeds, because numpy and torch give the same numbers for the same seed.
        order, images, weights = (int(s) for s in np.random.SeedSequence(seed).generate_state(3))
        torch.manual_seed(order)
        np.random.seed(images)  # noqa: NPY002  for a loader without workers
        network = RegNet(stages_of(self.config, spec.network), spec.network)
        initialise(network, torch.Generator().manual_seed(weights))
        self.network = network.to(self.device)
        self.optimiser = _optimiser(self.network, self.config, self.settings)
        on_gpu = self.device.type == "cuda"
        self.half = on_gpu and self.settings.mixed_precision
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.half)
        self.loader = DataLoader(
            Images(
                data,
                flip=self.settings.flip,
                crop_padding=self.settings.crop_padding,
                cutout=self.config["TRAIN.CUTOUT_LENGTH"],
            ),
            batch_size=min(self.settings.batch_size, len(data.train)),
            shuffle=True,
            num_workers=workers,
            pin_memory=on_gpu,
            drop_last=True,
            persistent_workers=workers > 0,  # faster than in pycls, which restarts them each epoch
            worker_init_fn=_seed_worker,
        )
        table = torch.from_numpy(data.table)
        self.splits = [
            (
                normalised(torch.from_numpy(split.images), table).contiguous().to(self.device),
                torch.from_numpy(split.labels).to(self.device),
            )
            for split in (data.valid, data.test)
        ]

    def train_epoch(self, epoch: int) -> float:
        """Train one epoch, and return the accuracy on its batches in percent."""
        rate = learning_rate(epoch, self.config, self.settings)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        correct_count, count, losses = 0, 0, 0.0
        for batch, given in self.loader:
            inputs = batch.to(self.device)
            labels = given.to(self.device, non_blocking=True)
            # pycls searches for the fastest convolutions. TF32, torch's default for convolutions in
            # fp32, is off, because ours computes in fp32.
            with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
                logits, loss = self.step(inputs, labels)
            correct_count += int((logits.argmax(1) == labels).sum().item())
            losses += loss.item()
            count += len(labels)
        return 100.0 * correct_count / count

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Train on one batch, and return its logits and its loss."""
        with torch.autocast(self.device.type, enabled=self.half, dtype=torch.float16):
            logits = self.network(inputs)
            loss = F.cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)
        self.optimiser.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return logits, loss

    def accuracies(self) -> list[float]:
        """Accuracies on valid and test after precise batch norm, as in our loop."""
        batches = min(self.settings.precise_bn_samples, len(self.data.train)) // min(
            self.settings.batch_size, len(self.data.train)
        )
        if batches:
            loader = iter(self.loader)
            PreciseNorm(self.network, lambda: next(loader)[0].to(self.device))(batches)
        size = self.settings.eval_batch_size
        return [percent(correct(self.network, *split, size)) for split in self.splits]


def _optimiser(network: RegNet, config: Mapping[str, Any], settings: Any) -> torch.optim.Optimizer:
    norms = [
        p for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d) for p in m.parameters()
    ]
    known = {id(p) for p in norms}
    groups = [
        {
            "params": [p for p in network.parameters() if id(p) not in known],
            "weight_decay": settings.weight_decay,
        },
        {"params": norms, "weight_decay": 0.0},
    ]
    lr = config["OPTIM.BASE_LR"]
    if config["OPTIM.OPTIMIZER"] == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=settings.momentum, nesterov=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config["OPTIM.OPTIMIZER"]]
    return kind(groups, lr=lr)

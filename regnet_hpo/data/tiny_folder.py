"""Tiny ImageNet as Stanford publishes it: the folder `tiny-imagenet-200` of JPEG files.

Its test images have no labels; the validation images serve as test images, as is usual.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eahas.errors import DataError
from regnet_hpo.data.encoded import EncodedImages
from regnet_hpo.data.images import DataSetFacts, ImagePool, ImagePools, check_pools

ARCHIVE, FOLDER = "tiny-imagenet-200.zip", "tiny-imagenet-200"
SHA256 = "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821"
CLASSES, ANNOTATIONS = "wnids.txt", "val_annotations.txt"


def exists_in(folder: Path) -> bool:
    """Whether a folder is the unpacked archive, or contains it."""
    return _unpacked(folder) is not None


def _unpacked(folder: Path) -> Path | None:
    candidates = (folder, folder / FOLDER)
    return next((path for path in candidates if (path / CLASSES).is_file()), None)


def read_folder(folder: Path, name: str, facts: DataSetFacts) -> ImagePools:
    """Both pools; labels are the positions of the classes in alphabetical order.

    Raises DataError if the folder is incomplete.
    """
    root = _unpacked(folder)
    assert root is not None, folder
    classes = sorted(_text(root / CLASSES).split())
    label_of = {wnid: label for label, wnid in enumerate(classes)}
    train_images = [
        (path, label)
        for wnid, label in label_of.items()
        for path in sorted((root / "train" / wnid / "images").glob("*.JPEG"))
    ]
    train, test = _pool(root, train_images), _pool(root, _validation_images(root, label_of))
    return check_pools(ImagePools(train, test, str(root), source=name), name, facts)


def _validation_images(root: Path, label_of: dict[str, int]) -> list[tuple[Path, int]]:
    """The images of the validation set with their labels, from the annotation file."""
    annotations = root / "val" / ANNOTATIONS
    if not annotations.is_file():
        raise DataError(f"{root} is incomplete: {annotations} is missing; unpack it again")
    images = []
    for number, line in enumerate(_text(annotations).splitlines(), start=1):
        name, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if wnid not in label_of:
            raise DataError(f"{annotations}, line {number}: {wnid!r} is not a class of {CLASSES}")
        images.append((root / "val" / "images" / name, label_of[wnid]))
    return images


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is damaged: it is not UTF-8 text; unpack it again") from None


def _pool(root: Path, images: list[tuple[Path, int]]) -> ImagePool:
    def read(position: int) -> bytes:
        try:
            return images[position][0].read_bytes()
        except OSError as error:
            raise DataError(f"{root} is incomplete: {error}; unpack it again") from None

    def name(position: int) -> str:
        return str(images[position][0].relative_to(root))

    labels = np.array([label for _, label in images], dtype=np.int64)
    return ImagePool(labels, EncodedImages(read, name, str(root)).take)

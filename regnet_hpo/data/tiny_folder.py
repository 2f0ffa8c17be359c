"""Tiny ImageNet as Stanford publishes it: the folder `tiny-imagenet-200` of JPEG files.

Its test pictures have no labels, so its validation set is what everybody tests on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eahas.errors import DataError
from regnet_hpo.data.encoded import Encoded
from regnet_hpo.data.images import Facts, Pool, Pools, check_pools

ARCHIVE, FOLDER = "tiny-imagenet-200.zip", "tiny-imagenet-200"
SHA256 = "6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821"
CLASSES, ANNOTATIONS = "wnids.txt", "val_annotations.txt"


def is_there(folder: Path) -> bool:
    """Whether a folder is the unpacked archive, or holds it."""
    return _unpacked(folder) is not None


def _unpacked(folder: Path) -> Path | None:
    places = (folder, folder / FOLDER)
    return next((place for place in places if (place / CLASSES).is_file()), None)


def read_folder(folder: Path, name: str, facts: Facts) -> Pools:
    """Both pools; labels count the classes in alphabetical order.

    Raises DataError where the folder is not whole.
    """
    place = _unpacked(folder)
    assert place is not None, folder
    classes = sorted(_text(place / CLASSES).split())
    label_of = {wnid: label for label, wnid in enumerate(classes)}
    listed_train = [
        (path, label)
        for wnid, label in label_of.items()
        for path in sorted((place / "train" / wnid / "images").glob("*.JPEG"))
    ]
    train, test = (_pool(place, listed) for listed in (listed_train, _validation(place, label_of)))
    return check_pools(Pools(train, test, str(place), source=name), name, facts)


def _validation(place: Path, label_of: dict[str, int]) -> list[tuple[Path, int]]:
    """Each picture of the validation set with its label, from the list beside them."""
    listing = place / "val" / ANNOTATIONS
    if not listing.is_file():
        raise DataError(f"{place} is not whole: {listing} is missing; unpack it again")
    found = []
    for number, line in enumerate(_text(listing).splitlines(), start=1):
        name, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if wnid not in label_of:
            raise DataError(f"{listing}, line {number}: {wnid!r} is no class of {CLASSES}")
        found.append((place / "val" / "images" / name, label_of[wnid]))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is damaged: it is no text; unpack it again") from None


def _pool(place: Path, listed: list[tuple[Path, int]]) -> Pool:
    def read(position: int) -> bytes:
        try:
            return listed[position][0].read_bytes()
        except OSError as error:
            raise DataError(f"{place} is not whole: {error}; unpack it again") from None

    def name(position: int) -> str:
        return str(listed[position][0].relative_to(place))

    labels = np.array([label for _, label in listed], dtype=np.int64)
    return Pool(labels, Encoded(read, name, str(place)).take)

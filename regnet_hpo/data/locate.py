"""The location of a data set's files: the folder that the user gives, or the download."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from eahas.errors import DataError
from regnet_hpo.data import cifar_archive, parquet, tiny_folder
from regnet_hpo.data.download import Archive, download
from regnet_hpo.data.images import DataSetFacts, ImagePools
from regnet_hpo.data.options import SETS

DATA_ENV = "EAHAS_DATA"
"""Environment variable with the folder of the data sets."""


class Layout(NamedTuple):
    """A file layout of a data set: its files, a check whether they exist, and a reader."""

    files: str
    exists_in: Callable[[Path], bool]
    read: Callable[[Path, str, DataSetFacts], ImagePools]


class Source(NamedTuple):
    """The possible folder names and file layouts of a data set, and its official archive."""

    folders: tuple[str, ...]
    layouts: tuple[Layout, ...]
    archive: Archive


PARQUET = Layout("train*.parquet and test*.parquet", parquet.exists_in, parquet.read_parquet)

SOURCES: Mapping[str, Source] = {
    "cifar10": Source(
        ("cifar10", "cifar-10"),
        (
            PARQUET,
            Layout(
                f"{cifar_archive.ARCHIVE} or {cifar_archive.FOLDER}/",
                cifar_archive.exists_in,
                cifar_archive.read_archive,
            ),
        ),
        Archive(
            "https://www.cs.toronto.edu/~kriz/" + cifar_archive.ARCHIVE,
            cifar_archive.SHA256,
            unpack=False,
        ),
    ),
    "tinyimagenet": Source(
        ("tinyimagenet", "tinyimagenet32", "tiny-imagenet"),
        (
            PARQUET,
            Layout(f"{tiny_folder.FOLDER}/", tiny_folder.exists_in, tiny_folder.read_folder),
        ),
        Archive(
            "https://cs231n.stanford.edu/" + tiny_folder.ARCHIVE,
            tiny_folder.SHA256,
            unpack=True,
        ),
    ),
}


def read_pools(name: str, data_dir: str | Path | None = None) -> ImagePools:
    """All images of a data set.

    They are read from `data_dir`, or else from the folder in the environment variable EAHAS_DATA,
    or else from the cache, into which the official archive is downloaded. A given folder may be
    that of the data set or contain it under its name.

    Raises DataError if the files are missing, damaged, incomplete or another data set, or the
    download fails.
    """
    source, facts = SOURCES[name], SETS[name]
    given = data_dir if data_dir is not None else os.environ.get(DATA_ENV) or None
    if data_dir is not None and not os.fspath(data_dir):
        raise DataError("data_dir is empty; set it to the folder of the data sets")
    if given is None:
        folder = download(name, source.archive, DATA_ENV)
    else:
        folder = Path(given)
        if not folder.is_dir():
            option = "data_dir" if data_dir is not None else DATA_ENV
            problem = "is a file; give the folder that contains it"
            if not folder.is_file():
                problem = f"does not exist; set the folder of {name} with --data-dir or {DATA_ENV}"
            raise DataError(f"{option}: the folder {folder} {problem}")
    for candidate in (folder, *(folder / each for each in source.folders)):
        for layout in source.layouts:
            if layout.exists_in(candidate):
                return layout.read(candidate, name, facts)
    packed = folder / source.archive.url.rpartition("/")[2]
    if source.archive.unpack and packed.is_file():
        raise DataError(f"{packed} is packed; unpack it in {folder}")
    names = sorted(path.name for path in folder.iterdir())
    content = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"
    raise DataError(
        f"{folder} does not contain {name}: looked in it and in {', '.join(source.folders)} for "
        f"{'; '.join(layout.files for layout in source.layouts)}; found {content}"
    )

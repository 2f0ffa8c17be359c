"""Where a data set's files lie: the folder that the user names, or the download."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from eahas.errors import DataError
from regnet_hpo.data import cifar_archive, parquet, tiny_folder
from regnet_hpo.data.download import Archive, downloaded
from regnet_hpo.data.images import Facts, Pools
from regnet_hpo.data.options import SETS

DATA_ENV = "EAHAS_DATA"
"""Environment variable with the folder in which data sets lie."""


class Layout(NamedTuple):
    """One way in which a data set's files may lie in a folder."""

    what: str
    is_there: Callable[[Path], bool]
    read: Callable[[Path, str, Facts], Pools]


class Source(NamedTuple):
    """What a data set's folder may be called and hold, and its official archive."""

    folders: tuple[str, ...]
    layouts: tuple[Layout, ...]
    archive: Archive


PARQUET = Layout("train*.parquet and test*.parquet", parquet.is_there, parquet.read_parquet)

SOURCES: Mapping[str, Source] = {
    "cifar10": Source(
        ("cifar10", "cifar-10"),
        (
            PARQUET,
            Layout(
                f"{cifar_archive.ARCHIVE} or {cifar_archive.FOLDER}/",
                cifar_archive.is_there,
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
            Layout(f"{tiny_folder.FOLDER}/", tiny_folder.is_there, tiny_folder.read_folder),
        ),
        Archive(
            "https://cs231n.stanford.edu/" + tiny_folder.ARCHIVE,
            tiny_folder.SHA256,
            unpack=True,
        ),
    ),
}


def read_pools(name: str, data_dir: str | Path | None = None) -> Pools:
    """Every picture of a data set.

    They are looked for in `data_dir`, else in the folder that the environment variable EAHAS_DATA
    names, else in the cache, where the official archive is downloaded to. A named folder may be
    the data set's own or hold it under its name.

    Raises DataError where the files are missing, damaged, half there or another data set, or the
    download fails.
    """
    source, facts = SOURCES[name], SETS[name]
    given = data_dir if data_dir is not None else os.environ.get(DATA_ENV) or None
    if data_dir is not None and not os.fspath(data_dir):
        raise DataError("data_dir is empty; name the folder in which the data sets lie")
    if given is None:
        folder = downloaded(name, source.archive, DATA_ENV)
    else:
        folder = Path(given)
        if not folder.is_dir():
            named = "data_dir" if data_dir is not None else DATA_ENV
            what = "is a file; name the folder it lies in"
            if not folder.is_file():
                what = f"is not there; name the one that holds {name}, by --data-dir or {DATA_ENV}"
            raise DataError(f"{named}: the folder {folder} {what}")
    for place in (folder, *(folder / each for each in source.folders)):
        for layout in source.layouts:
            if layout.is_there(place):
                return layout.read(place, name, facts)
    packed = folder / source.archive.url.rpartition("/")[2]
    if source.archive.unpack and packed.is_file():
        raise DataError(f"{packed} is packed; unpack it in {folder}")
    here = sorted(path.name for path in folder.iterdir())
    held = ", ".join(here[:8]) + (", ..." if len(here) > 8 else "") if here else "nothing"
    raise DataError(
        f"{folder} does not hold {name}: looked in it and in {', '.join(source.folders)} for "
        f"{'; '.join(layout.what for layout in source.layouts)}; found {held}"
    )

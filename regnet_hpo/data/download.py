"""The official archives, fetched once and checked against their SHA-256."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from eahas.errors import DataError, MissingExtraError


class Archive(NamedTuple):
    """Where an archive is published, what it must be, and whether it is read unpacked."""

    url: str
    sha256: str
    unpack: bool


def downloaded(name: str, archive: Archive, env: str) -> Path:
    """The folder of the user's cache that holds the archive, fetched if it is not there yet.

    Raises DataError where it cannot be fetched or is another file, MissingExtraError where pooch
    is not installed.
    """
    try:
        import pooch
        from requests.exceptions import ConnectionError as NoConnectionError
    except ImportError:
        raise MissingExtraError(
            f"downloading {name} (or name its folder with --data-dir or {env})", "pooch", "train"
        ) from None

    folder = Path(pooch.os_cache("eahas")) / name
    try:
        pooch.retrieve(
            archive.url,
            known_hash=f"sha256:{archive.sha256}",
            fname=archive.url.rpartition("/")[2],
            path=folder,
            processor=pooch.Unzip(extract_dir=".") if archive.unpack else None,
        )
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong hash ValueError
        reason = str(error).strip().splitlines()[0]
        if isinstance(error, NoConnectionError):  # whose text is a page of nested causes
            reason = "no connection"
        raise DataError(
            f"{name} could not be downloaded from {archive.url} ({reason}); fetch it yourself and "
            f"name its folder with --data-dir or the environment variable {env}"
        ) from None
    return folder

"""Download of the official archives, checked against their SHA-256."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from eahas.errors import DataError, MissingExtraError


class Archive(NamedTuple):
    """The URL of an archive, its SHA-256, and whether it must be unpacked to be read."""

    url: str
    sha256: str
    unpack: bool


def download(name: str, archive: Archive, env: str) -> Path:
    """Download the archive into the user's cache, unless it is there, and return its folder.

    `env` is the environment variable that messages suggest instead. Raises DataError if the
    download fails or is another file, MissingExtraError if pooch is not installed.
    """
    try:
        import pooch
        from requests.exceptions import ConnectionError as NoConnectionError
    except ImportError:
        raise MissingExtraError(
            f"downloading {name} (or set its folder with --data-dir or {env})", "pooch", "train"
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
    except (OSError, ValueError) as error:  # requests raises OSError, a wrong hash ValueError
        reason = str(error).strip().splitlines()[0]
        if isinstance(error, NoConnectionError):  # its text is a page of nested causes
            reason = "no connection"
        raise DataError(
            f"{name} could not be downloaded from {archive.url} ({reason}); download it yourself "
            f"and set its folder with --data-dir or the environment variable {env}"
        ) from None
    return folder

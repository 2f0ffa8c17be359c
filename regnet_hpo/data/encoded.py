"""Pictures as files hold them, decoded when they are asked for: most sweeps train on a part."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eahas.errors import DataError, MissingExtraError


@dataclass(frozen=True)
class Encoded:
    """Encoded pictures: `read` gives the bytes of one by its position.

    `name` says for messages which picture that is, and `where` the place of all.
    """

    read: Callable[[int], bytes]
    name: Callable[[int], str]
    where: str

    def take(self, part: np.ndarray) -> np.ndarray:
        """RGB pixels (k, height, width, 3), uint8, of the pictures at k positions.

        Raises DataError for one that is damaged or of another size than the first,
        MissingExtraError where Pillow is not installed.
        """
        first, _ = self._decoded(part[0])  # no threads: at these sizes they wait for each other
        pixels = np.empty((len(part), *first.shape), dtype=np.uint8)
        pixels[0] = first
        for row, position in enumerate(part[1:], start=1):
            picture, _ = self._decoded(position)
            if picture.shape != first.shape:
                raise DataError(
                    f"{self.where}: {self.name(position)} is {_size(picture)} and "
                    f"{self.name(part[0])} is {_size(first)}; all pictures of a data set have "
                    "one size"
                )
            pixels[row] = picture
        return pixels

    def first(self) -> tuple[int, str]:
        """Height and format (PNG, JPEG, ...) of the first picture. Raises as `take`."""
        picture, kind = self._decoded(0)
        return len(picture), kind

    def _decoded(self, position: int) -> tuple[np.ndarray, str]:
        try:
            from PIL import Image
        except ImportError:
            raise MissingExtraError("reading pictures", "pillow", "train") from None

        content = self.read(position)
        try:
            with Image.open(io.BytesIO(content)) as picture:
                return np.asarray(picture.convert("RGB")), str(picture.format)
        except (OSError, SyntaxError, ValueError):  # what Pillow raises for broken files
            raise DataError(
                f"{self.where}: {self.name(position)} ({len(content):,} bytes) is no picture or a "
                "damaged one; fetch the file again"
            ) from None


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[0]}x{picture.shape[1]}"

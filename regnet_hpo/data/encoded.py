"""Encoded images (PNG, JPEG) that are decoded on request: most sweeps use a part of a data set."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eahas.errors import DataError, MissingExtraError


@dataclass(frozen=True)
class EncodedImages:
    """Encoded images: `read` returns the bytes of the image at a position.

    For messages, `name` returns a name of that image, and `where` is the folder of all images.
    """

    read: Callable[[int], bytes]
    name: Callable[[int], str]
    where: str

    def take(self, positions: np.ndarray) -> np.ndarray:
        """RGB pixels (k, height, width, 3), uint8, of the images at k positions.

        Raises DataError if an image is damaged or differs in size from the first, MissingExtraError
        if Pillow is not installed.
        """
        first, _ = self._decode(positions[0])  # threads do not speed up images of these sizes
        pixels = np.empty((len(positions), *first.shape), dtype=np.uint8)
        pixels[0] = first
        for row, position in enumerate(positions[1:], start=1):
            image, _ = self._decode(position)
            if image.shape != first.shape:
                raise DataError(
                    f"{self.where}: {self.name(position)} is {_size(image)} and "
                    f"{self.name(positions[0])} is {_size(first)}; all images of a data set must "
                    "have the same size"
                )
            pixels[row] = image
        return pixels

    def first(self) -> tuple[int, str]:
        """Height and format (PNG, JPEG, ...) of the first image. Raises as `take`."""
        image, image_format = self._decode(0)
        return len(image), image_format

    def _decode(self, position: int) -> tuple[np.ndarray, str]:
        try:
            from PIL import Image
        except ImportError:
            raise MissingExtraError("reading images", "pillow", "train") from None

        content = self.read(position)
        try:
            with Image.open(io.BytesIO(content)) as image:
                return np.asarray(image.convert("RGB")), str(image.format)
        except (OSError, SyntaxError, ValueError):  # Pillow raises these for damaged files
            raise DataError(
                f"{self.where}: {self.name(position)} ({len(content):,} bytes) is not an image, or "
                "is damaged; download the file again"
            ) from None


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"

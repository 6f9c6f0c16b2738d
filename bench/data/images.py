"""Image files to one array: all of one size and one mode, or an error that names the file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.swap import one_line
from bench.data.tree import ImageFile
from bench.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "TIFF", "WEBP")
"""Formats that may be read: Pillow knows more, and starts other programs for some of them."""

CHANNELS = {"L": 1, "RGB": 3}
"""Pillow's name of each mode that may be imported, and its number of channels."""


def decode(files: Sequence[ImageFile], title: str) -> np.ndarray[Any, Any]:
    """All images ``(n, h, w, c)`` uint8 in the given order, with a progress bar.

    The first image says what the others must be: 8-bit RGB (c = 3) or grey (c = 1), of its size.

    Raises:
        DataError: a file is no image, is damaged, or differs from the first.
    """
    from tqdm import tqdm

    images = _room(len(files), _open(files[0]), files[0])
    for position, file in enumerate(tqdm(files, desc=title, unit="image", disable=None)):
        image = _open(file)
        _check_like(images, image, file, files[0])
        images[position] = np.asarray(image).reshape(images.shape[1:])
    return images


def _open(file: ImageFile) -> Image:
    import PIL.Image

    PIL.Image.init()
    known = [name for name in FORMATS if name in PIL.Image.OPEN]
    data = file.read()
    try:
        image = PIL.Image.open(io.BytesIO(data), formats=known)
    except Exception as error:  # a damaged file can fail anywhere in a decoder
        raise DataError(
            f"{file.where} is not an image, or its beginning is damaged "
            f"({type(error).__name__}, {len(data)} bytes); class folders hold images only "
            f"({', '.join(FORMATS)}): remove or replace it"
        ) from None
    if image.mode not in CHANNELS:
        raise DataError(
            f"{file.where} is {_describe(image)}; expected RGB, or 8-bit grey (L) throughout. "
            f"Convert it, for example with Pillow: image.convert('RGB').save(path)"
        )
    try:
        image.load()
    except Exception as error:
        raise DataError(
            f"{file.where} is damaged or cut short ({one_line(error)}); replace or remove it"
        ) from None
    return image


def _room(n: int, image: Image, file: ImageFile) -> np.ndarray[Any, Any]:
    shape = (n, image.height, image.width, CHANNELS[image.mode])
    try:
        return np.empty(shape, dtype=np.uint8)
    except MemoryError:
        size = np.prod(shape, dtype=float) / 2**30
        raise DataError(
            f"{n} images like {file.where} ({_describe(image)}) need {size:.0f} GiB of memory, "
            f"more than there is; scale them down first"
        ) from None


def _check_like(
    images: np.ndarray[Any, Any], image: Image, file: ImageFile, first: ImageFile
) -> None:
    _, height, width, channels = images.shape
    if (image.height, image.width, CHANNELS[image.mode]) != (height, width, channels):
        mode = next(mode for mode, count in CHANNELS.items() if count == channels)
        raise DataError(
            f"{file.where} is {_describe(image)}; expected {mode} {width}x{height}, like the "
            f"first image ({first.where}). Bring all images to one size and mode first"
        )


def _describe(image: Image) -> str:
    return f"{image.mode} {image.width}x{image.height}"

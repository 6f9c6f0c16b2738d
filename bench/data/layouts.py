"""Data sets that users hold on disk in a documented layout: counted, decoded, made square."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api import ImageFile, Listing, Split
from bench.data.images import FORMATS
from bench.data.swap import one_line
from bench.errors import DataError

if TYPE_CHECKING:
    from numpy import ndarray

SHOWN = 10
"""How many missing files are named."""
AHEAD = 64
"""Images that are decoded while others are written."""


@dataclass(frozen=True)
class Survey:
    """What of a layout lies on disk.

    Attributes:
        found: per split, the files that are there.
        missing: files that the layout's lists name and the disk lacks.
    """

    found: dict[str, list[ImageFile]]
    missing: list[Path]

    def describe_missing(self) -> str:
        """A count and the first of them, one a line; empty when nothing is missing."""
        if not self.missing:
            return ""
        lines = [f"  {path}" for path in self.missing[:SHOWN]]
        more = len(self.missing) - SHOWN
        lines += [f"  and {more:,} more"] if more > 0 else []
        return "\n".join([f"{len(self.missing):,} files are missing:", *lines])


def survey(listing: Listing) -> Survey:
    """Look for every file of a listing, folder by folder."""
    found: dict[str, list[ImageFile]] = {"train": [], "test": []}
    missing: list[Path] = []
    present: dict[Path, set[str]] = {}
    for part, files in (("train", listing.train), ("test", listing.test)):
        for file in files:
            parent = file.path.parent
            if parent not in present:
                present[parent] = _names(parent)
            if file.path.name in present[parent]:
                found[part].append(file)
            else:
                missing.append(file.path)
    return Survey(found, missing)


def decode_square(files: Sequence[ImageFile], size: int, target: Path, title: str) -> Split:
    """All images as RGB squares, written to ``target`` as they are decoded.

    The shorter side is resized to ``size`` (bicubic, antialiased), then the centre is cut out.
    Memory stays bounded however many there are.

    Args:
        files: in the order of the samples.
        size: pixels a side.
        target: a new ``.npy`` file, memory-mapped by the split that is returned.
        title: of the progress bar.

    Raises:
        DataError: a file is no image, or is damaged; the first such is named.
    """
    from tqdm import tqdm

    shape = (len(files), size, size, 3)
    images = np.lib.format.open_memmap(target, mode="w+", dtype=np.uint8, shape=shape)
    with ThreadPoolExecutor(4) as pool:
        for start in tqdm(
            range(0, len(files), AHEAD), desc=title, unit=f"x{AHEAD} images", disable=None
        ):
            block = files[start : start + AHEAD]
            for row, pixels in enumerate(pool.map(lambda f: square(f.path, size), block)):
                images[start + row] = pixels
    images.flush()
    labels = np.array([file.label for file in files], dtype=np.int64)
    index = np.array([file.index for file in files], dtype=np.int64)
    return Split(np.load(target, mmap_mode="r"), labels, index)


def square(path: Path, size: int) -> ndarray[Any, Any]:
    """One image as an RGB square ``(size, size, 3)`` uint8.

    Raises:
        DataError: it is no image, or damaged.
    """
    import PIL.Image

    PIL.Image.init()
    known = [name for name in FORMATS if name in PIL.Image.OPEN]
    try:
        with PIL.Image.open(path, formats=known) as opened:
            image = opened.convert("RGB")
    except Exception as error:  # a damaged file can fail anywhere in a decoder
        raise DataError(
            f"{path} is no image, or it is damaged or cut short ({one_line(error)}); get it again, "
            f"or delete it and import with --skip-missing"
        ) from None
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    if (width, height) != image.size:
        image = image.resize((width, height), PIL.Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


def numbered(files: Iterator[tuple[Path, int]]) -> list[ImageFile]:
    """Image files in the order of a list, which is their canonical position."""
    return [
        ImageFile(path, label, index)
        for (path, label), index in zip(files, itertools.count(), strict=False)
    ]


def read_lines(path: Path, layout: str) -> list[str]:
    """The lines of a data set's own list that are not empty.

    Raises:
        DataError: it is not there; the message has the layout.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} is not there; the layout is:\n{layout}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({one_line(error)})") from None
    return [line for line in text.splitlines() if line.strip()]


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in folder.iterdir()}
    except OSError:
        return set()

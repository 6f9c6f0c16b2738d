"""Tiny ImageNet from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import Dataset, Field, Listing
from bench.data.layouts import numbered, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class TinyImageNet(Dataset):
    """110,000 colour images of 64x64 pixels in 200 classes of ImageNet.

    The validation images are the test set, as everywhere: the official test images have no labels.
    Class ids follow ``wnids.txt``; an image's position is its place in the sorted file names,
    class by class. Some images are grey and become RGB.
    """

    name = "tiny-imagenet"
    paper = "Le & Yang, Tiny ImageNet Visual Recognition Challenge, CS231N 2015"
    official_size = (100_000, 10_000)
    layout = """\
tiny-imagenet-200/
  wnids.txt                       the 200 class ids, one a line
  train/<wnid>/images/*.JPEG
  val/val_annotations.txt         file name and class id, separated by tabs
  val/images/*.JPEG"""
    size: Annotated[int, Field(ge=8)] = 64

    def list_files(self, source: Path) -> Listing:
        """Train by folder, test by its annotations."""
        wnids = read_lines(source / "wnids.txt", self.layout)
        ids = {wnid.strip(): label for label, wnid in enumerate(wnids)}
        annotated = [
            line.split("\t")
            for line in read_lines(source / "val" / "val_annotations.txt", self.layout)
        ]
        test = ((source / "val" / "images" / name, ids[wnid]) for name, wnid, *_ in annotated)
        return Listing(numbered(self._train(source, ids)), numbered(test), tuple(ids))

    def _train(self, source: Path, ids: dict[str, int]) -> Iterator[tuple[Path, int]]:
        for wnid, label in ids.items():
            folder = source / "train" / wnid / "images"
            # A folder that is not there is named through the file that all such folders have.
            found = sorted(folder.glob("*.JPEG")) or [folder / f"{wnid}_0.JPEG"]
            yield from ((path, label) for path in found)

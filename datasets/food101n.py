"""Food-101N from its folder, with Food-101's test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import DataError, Dataset, Field, Listing
from bench.data.layouts import numbered, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = "class_name"
"""What the first line of the lists begins with; some copies of ``classes.txt`` lack it."""


class Food101N(Dataset):
    """310,009 images of 101 dishes from the web, about 20 % wrong; tested on Food-101's own test.

    Training uses every image that ``imagelist.tsv`` names, the verification labels are not read.
    """

    name = "food101n"
    paper = "Lee et al., CleanNet, CVPR 2018, arXiv 1711.07131"
    official_size = (310_009, 25_250)
    truth = False
    layout = """\
a folder with
  Food-101N_release/meta/classes.txt      the 101 class names
  Food-101N_release/meta/imagelist.tsv    <class>/<image>.jpg a line, after a header
  Food-101N_release/images/<class>/*.jpg
  food-101/meta/test.txt                  <class>/<image> a line, without suffix
  food-101/images/<class>/*.jpg"""
    size: Annotated[int, Field(ge=8)] = 256

    def list_files(self, source: Path) -> Listing:
        """Images in the order of the lists."""
        noisy, clean = source / "Food-101N_release", source / "food-101"
        names = [
            line.strip()
            for line in read_lines(noisy / "meta" / "classes.txt", self.layout)
            if not line.startswith(HEADER)
        ]
        ids = {name: label for label, name in enumerate(names)}
        train = self._lines(noisy, noisy / "meta" / "imagelist.tsv", ids, "")
        test = self._lines(clean, clean / "meta" / "test.txt", ids, ".jpg")
        return Listing(numbered(train), numbered(test), tuple(ids))

    def _lines(
        self, folder: Path, listed: Path, ids: dict[str, int], suffix: str
    ) -> Iterator[tuple[Path, int]]:
        for number, line in enumerate(read_lines(listed, self.layout), start=1):
            if line.startswith(HEADER):
                continue
            name, _, _ = line.strip().partition("/")
            if name not in ids:
                raise DataError(f"{listed}:{number}: {name!r} is not in classes.txt")
            yield folder / "images" / f"{line.strip()}{suffix}", ids[name]

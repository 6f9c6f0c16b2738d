"""Mini-WebVision from WebVision's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import DataError, Dataset, Field, Listing
from bench.data.layouts import numbered, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

N_CLASSES = 50


class WebVisionMini(Dataset):
    """The first 50 classes of WebVision 1.0, as Google's image search gave them; about 20 % wrong.

    Testing uses WebVision's own validation images of these classes. The subset is that of
    MentorNet (Jiang et al., ICML 2018), which DivideMix and its successors use.
    """

    name = "webvision-mini"
    paper = "Li et al., WebVision Database, 2017, arXiv 1708.02862"
    class_names = tuple(f"class {label}" for label in range(N_CLASSES))
    official_size = (65_944, 2_500)
    truth = False
    layout = """\
a folder with
  info/train_filelist_google.txt  path such as google/q0001/x.jpg and label, all 1,000 classes
  info/val_filelist.txt           file name and label
  google/q0001/*.jpg ...
  val_images_256/*.jpg"""
    size: Annotated[int, Field(ge=8)] = 256

    def list_files(self, source: Path) -> Listing:
        """Lines of the first 50 classes, in the order of the lists."""
        train = self._lines(source, "train_filelist_google.txt", source)
        test = self._lines(source, "val_filelist.txt", source / "val_images_256")
        return Listing(numbered(train), numbered(test), self.class_names)

    def _lines(self, source: Path, name: str, folder: Path) -> Iterator[tuple[Path, int]]:
        listed = source / "info" / name
        for number, line in enumerate(read_lines(listed, self.layout), start=1):
            path, _, label = line.strip().rpartition(" ")
            if not path or not label.isdigit():
                raise DataError(f"{listed}:{number}: {line!r} is no path and label")
            if int(label) < N_CLASSES:
                yield folder / path, int(label)

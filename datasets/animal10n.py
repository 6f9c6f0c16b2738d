"""ANIMAL-10N from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import DataError, Dataset, Field, Listing
from bench.data.layouts import numbered

if TYPE_CHECKING:
    from pathlib import Path

    from bench.api import ImageFile


class Animal10N(Dataset):
    """55,000 images of five pairs of animals that people confuse; about 8 % labels are wrong.

    The first character of a file name is its class; positions follow the sorted names. Whether
    the training labels are true nobody knows; those of the test images were verified.
    """

    name = "animal10n"
    paper = "Song et al., SELFIE, ICML 2019"
    class_names = (
        *("cat", "lynx", "wolf", "coyote", "cheetah"),
        *("jaguar", "chimpanzee", "orangutan", "hamster", "guinea pig"),
    )
    official_size = (50_000, 5_000)
    truth = False
    layout = """\
a folder with
  training/<label>_<id>.jpg       50,000 images, the label is one digit
  testing/<label>_<id>.jpg         5,000 images"""
    size: Annotated[int, Field(ge=8)] = 64

    def list_files(self, source: Path) -> Listing:
        """Whatever images lie in the two folders."""
        return Listing(
            self._files(source / "training"), self._files(source / "testing"), self.class_names
        )

    def _files(self, folder: Path) -> list[ImageFile]:
        files = sorted(folder.glob("*_*.jpg"))
        if not files:
            raise DataError(f"{folder} holds no <label>_<id>.jpg; the layout is:\n{self.layout}")
        for path in files:
            if path.name[1] != "_" or not path.name[0].isdigit():
                raise DataError(f"{path}: its name begins with no label 0 to 9 and an underscore")
        return numbered((path, int(path.name[0])) for path in files)

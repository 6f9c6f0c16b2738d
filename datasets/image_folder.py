"""Any tree of images: a user's own data in one line of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from bench.api import DataError, Dataset, Field, Split

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
TESTS = ("test", "val", "valid", "validation")
"""Names of a test folder beside ``train``, the first that is there."""


class ImageFolder(Dataset):
    """``{image-folder: {path: ~/photos, size: 32}}``: one folder a class, images of any size.

    Either ``train/<class>/…`` and ``test/<class>/…`` (or ``val``), or ``<class>/…``, of which
    ``test_share`` of each class become the test set, drawn once with a fixed seed. Images may lie
    deeper inside their class. They become RGB, their shorter side ``size``, the centre is cut out.

    ``truth: false``, the default, says that some training labels may be wrong: the noise ``real``
    then uses them as they are. With ``truth: true`` wrong labels can be drawn on top. Test labels
    are taken as true. A change of the files is noticed, and they are read again.
    """

    name = "image-folder"
    paper = "the user's own"
    bundled = True
    example = {"path": "photos"}  # noqa: RUF012
    path: str = ""
    size: Annotated[int, Field(ge=4, le=1024)] = 32
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    truth: bool = False  # type: ignore[misc] # a parameter here

    def describe(self) -> str:
        """The folder's name."""
        return f"image-folder {Path(self.path).name}"

    def origin(self) -> Sequence[Path]:
        """The folder."""
        return (self._root(),)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits."""
        root = self._root()
        test_folder = next((root / name for name in TESTS if (root / name).is_dir()), None)
        if (root / "train").is_dir() and test_folder is not None:
            names = _classes(root / "train")
            others = sorted(set(_classes(test_folder)) - set(names))
            if others:
                raise DataError(f"{test_folder / others[0]} is a class without training images")
            train = self._read(_images(root / "train", names))
            test = self._read(_images(test_folder, names))
            return train, test, names
        names = _classes(root)
        everything = self._read(_images(root, names))
        held = held_out(str(root), everything.labels, names, self.test_share)
        return _rows(everything, ~held), _rows(everything, held), names

    def _root(self) -> Path:
        if not self.path:
            raise DataError("image-folder needs a path: {image-folder: {path: ~/photos, size: 32}}")
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise DataError(f"{root} is no folder; image-folder needs one folder a class")
        return root.resolve()

    def _read(self, files: list[tuple[Path, int]]) -> Split:
        from tqdm import tqdm

        from bench.data.layouts import square

        bar = tqdm([path for path, _ in files], desc=self.describe(), unit="image", disable=None)
        images = np.stack([square(path, self.size) for path in bar])
        labels = np.array([label for _, label in files], dtype=np.int64)
        return Split(images, labels, np.arange(len(labels)))


def _classes(root: Path) -> tuple[str, ...]:
    names = [path.name for path in root.iterdir() if path.is_dir() and path.name[0] not in "._"]
    if len(names) < 2:
        raise DataError(f"{root} has {len(names)} class folders; a classifier needs two")
    return tuple(sorted(names))


def _images(root: Path, names: tuple[str, ...]) -> list[tuple[Path, int]]:
    found = []
    for label, name in enumerate(names):
        inside = (root / name).rglob("*")
        images = sorted(path for path in inside if path.suffix.lower() in SUFFIXES)
        if not images:
            raise DataError(f"{root / name} holds no images ({', '.join(sorted(SUFFIXES))})")
        found += [(path, label) for path in images]
    return found


def held_out(where: str, labels: np.ndarray, names: tuple[str, ...], share: float) -> np.ndarray:
    """A stratified choice ``(n,)`` bool that depends on nothing but the labels.

    Raises:
        DataError: a class has one sample, which cannot be both trained and tested on.
    """
    held = np.zeros(len(labels), dtype=bool)
    rng = np.random.default_rng(0)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        if len(members) < 2:
            raise DataError(
                f"{where}: class {names[label]!r} has 1 sample; it needs two or more, to train "
                f"and to test on"
            )
        chosen = min(len(members) - 1, max(1, round(share * len(members))))
        held[members[:chosen]] = True
    return held


def _rows(split: Split, chosen: np.ndarray) -> Split:
    return Split(split.inputs[chosen], split.labels[chosen], split.index[chosen])

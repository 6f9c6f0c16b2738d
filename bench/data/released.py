"""Released label files, kept in ``DATA_DIR/labels`` where noises find them."""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.artefacts import LABELS
from bench.data.label_files import LabelFile, read_labels
from bench.errors import DataError

if TYPE_CHECKING:
    from bench.registry import Registry


@dataclass(frozen=True)
class Kept:
    """A label file in its place."""

    path: Path
    content: LabelFile

    def describe(self) -> str:
        """Where it lies, what it holds, and its hash."""
        columns = self.content.columns
        n = len(next(iter(columns.values())))
        return (
            f"kept {self.path}: {n:,} labels each of {', '.join(columns)}, "
            f"sha256 {self.content.sha256}"
        )


def official_files(registry: Registry) -> dict[str, str]:
    """Short name -> official file name of every label file that a noise says it reads."""
    usable = [info for info in registry.all("noise") if not info.error]
    return {short: file for info in usable for short, file in info.declared["files"].items()}


def keep(file: Path, data_dir: Path, name: str = "") -> Kept:
    """Check a label file and copy it to ``DATA_DIR/labels``, whole or not at all.

    Args:
        file: where it lies now.
        data_dir: where data sets and labels are kept.
        name: what it is called there; its own name by default.

    Raises:
        DataError: it holds no labels, or the folder cannot be written.
    """
    if not file.is_file():
        raise DataError(f"{file} is no file; give the path of a csv, json, npy or pt file")
    content = read_labels(file)
    place = data_dir / LABELS / (name or file.name)
    partial = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, partial)
        os.replace(partial, place)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"cannot write to {place.parent} ({error.strerror}); choose another folder with "
            f"--data-dir or LIPBENCH_DATA_DIR"
        ) from None
    return Kept(place, content)

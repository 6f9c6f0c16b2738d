"""Data sets to import, made small, and the real ones where they are at hand."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.api import DataInfo
from bench.data.importer import import_tree
from bench.errors import DataError
from bench.registry import Registry, discover

PLUGINS = '''
from urllib.error import URLError

from bench.api import Dataset


class Pets(Dataset):
    """Declares nothing."""

    name = "pets"


class Shapes(Dataset):
    """Declares its classes and sizes."""

    name = "shapes"
    class_names = ("star", "circle", "square")
    official_size = (100, 50)

    def build(self, raw):
        raw.mkdir(parents=True)
        (raw / "shapes.tar.part").write_bytes(b"half of it")
        raise URLError("no route\\n  to host")
'''

MakeTree = Callable[..., Path]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The shipped plugins, ``pets`` without declared classes, and ``shapes`` with them."""
    file = tmp_path_factory.mktemp("plugins") / "plugins_of_data_tests.py"
    file.write_text(PLUGINS)
    return discover([file])


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where prepared sets go; not there yet."""
    return tmp_path / "data"


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Writes one random 4x4 image for each path, RGB unless told otherwise."""

    def make(*paths: str, mode: str = "RGB", name: str = "copy") -> Path:
        rng = np.random.default_rng(len(paths))
        for path in paths:
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            shape = (4, 4, 3) if mode == "RGB" else (4, 4)
            Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(file)
        return tmp_path / name

    return make


@pytest.fixture
def pets(make_tree: MakeTree) -> Path:
    """Two classes, two training images and one test image each, names without positions."""
    return make_tree(
        *("train/cat/cat_b.png", "train/cat/cat_a.png"),
        *("train/dog/dog_a.png", "train/dog/dog_b.png"),
        *("test/cat/cat_c.png", "test/dog/dog_c.png"),
    )


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """Packs a folder into a zip, under an optional top folder."""

    def pack(folder: Path, top: str = "") -> Path:
        target = tmp_path / "copy.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, top + file.relative_to(folder).as_posix())
        return target

    return pack


@pytest.fixture
def bring(data_dir: Path, registry: Registry) -> Callable[..., DataInfo]:
    """Imports a copy: ``bring(name, source, replace=False)``."""

    def bring_in(name: str, source: Path, *, replace: bool = False) -> DataInfo:
        return import_tree(name, source, data_dir, registry, replace=replace)

    return bring_in


@pytest.fixture
def refused(bring: Callable[..., DataInfo], data_dir: Path) -> Callable[..., str]:
    """The message of a refused import, which left nothing at all behind."""

    def message(name: str, source: Path) -> str:
        with pytest.raises(DataError) as caught:
            bring(name, source)
        assert not data_dir.exists()
        return str(caught.value)

    return message

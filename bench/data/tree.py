"""An offline copy of a data set: which images a folder or a zip holds, and where.

A copy is ``train/<class>/*`` and ``test/<class>/*``, perhaps inside one top folder. Its layout is
checked before a single image is read, and nothing is ever unpacked to disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.data.arrays import PARTS
from bench.data.swap import JUNK
from bench.data.zips import open_zip
from bench.errors import DataError

log = logging.getLogger(__name__)

LAYOUT = "train/<class>/* and test/<class>/*, directly or inside one top folder"


@dataclass(frozen=True)
class ImageFile:
    """One file of a copy.

    Attributes:
        part: ``train`` or ``test``.
        class_name: the folder it lies in.
        name: file name with its suffix.
        where: how messages call it.
        read: gives its bytes; raises ``DataError``.
    """

    part: str
    class_name: str
    name: str
    where: str
    read: Callable[[], bytes]

    @property
    def stem(self) -> str:
        """File name without its last suffix."""
        return Path(self.name).stem


@contextmanager
def open_tree(source: Path) -> Iterator[list[ImageFile]]:
    """The files of a copy, readable while the block lasts.

    Args:
        source: a folder or a zip.

    Raises:
        DataError: there is no such path, the zip is damaged or unsafe, or the layout is another.
    """
    if source.is_dir():
        yield _files(source, _in_folder(source))
    elif source.is_file():
        with open_zip(source) as entries:
            yield _files(source, entries)
    else:
        raise DataError(
            f"{source} does not exist; give the path of a folder or a zip that holds {LAYOUT}"
        )


def _in_folder(source: Path) -> dict[str, Callable[[], bytes]]:
    """Paths below ``source`` as far as the layout goes; one that ends in / was not entered."""
    base = source
    if not any((source / part).is_dir() for part in PARTS):
        inner = [path for path in _children(source) if path.is_dir() and not _is_junk(path.name)]
        base = inner[0] if len(inner) == 1 else source
    found: dict[str, Callable[[], bytes]] = {}

    def add(path: Path, depth: int) -> None:
        relative = path.relative_to(source).as_posix()
        if not path.is_dir():
            found[relative] = partial(_read, path)
        elif depth and not _is_junk(path.name):
            for child in _children(path):
                add(child, depth - 1)
        else:
            found[f"{relative}/"] = partial(_read, path)

    for top in _children(base):
        add(top, 2 if top.name in PARTS else 0)
    return found


def _children(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); nothing was imported") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); nothing was imported") from None


def _files(source: Path, found: Mapping[str, Callable[[], bytes]]) -> list[ImageFile]:
    """The found paths in the layout's terms, sorted by path."""
    paths = {path: path for path in found if not any(map(_is_junk, path.split("/")))}
    if not paths:
        raise DataError(f"{source} is empty; it must hold {LAYOUT}")
    tops = {path.partition("/")[0] for path in paths if "/" in path}
    if len(tops) == 1 and not tops & set(PARTS):
        paths = {inner: path for path in paths if (inner := path.partition("/")[2])}
        tops = {path.partition("/")[0] for path in paths if "/" in path}
    _check_tops(source, paths, tops)
    return [
        _file(source, inner, paths[inner], found[paths[inner]])
        for inner in sorted(paths)
        if inner.partition("/")[0] in PARTS
    ]


def _check_tops(source: Path, paths: Mapping[str, str], tops: set[str]) -> None:
    for part in PARTS:
        if part not in tops:
            there = ", ".join(sorted(paths if not tops else {f"{top}/" for top in tops})[:5])
            raise DataError(
                f"{source} has no images under {part}/ (found: {there}); it must hold {LAYOUT}"
            )
    beside = sorted(tops - set(PARTS))
    if beside:
        log.warning("%s: %s/ is ignored; only train/ and test/ are read", source, beside[0])


def _file(source: Path, inner: str, path: str, read: Callable[[], bytes]) -> ImageFile:
    where = f"{source}: {path}"
    parts = inner.split("/")
    if len(parts) == 2:
        raise DataError(f"{where} lies in no class folder; move it to {parts[0]}/<class>/")
    if len(parts) != 3 or not parts[2]:
        raise DataError(
            f"{where} lies too deep; images go directly into {parts[0]}/{parts[1]}/, "
            f"without folders of their own"
        )
    part, class_name, name = parts
    return ImageFile(part, class_name, name, where, read)


def _is_junk(name: str) -> bool:
    """What file managers and macOS archives leave behind."""
    return name.lower() in JUNK or name == "__MACOSX" or name.startswith("._")

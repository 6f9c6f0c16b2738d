"""Zips from somewhere else: opened for reading in memory, refused when they are not plain.

Nothing is unpacked to disk. An entry that could land elsewhere is refused all the same: a zip that
holds one was not made by packing a data set.
"""

from __future__ import annotations

import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.data.swap import one_line
from bench.errors import DataError

MAX_UNPACKED = 64 << 30
"""Bytes that a zip may claim to hold: more than any image set this harness can train on."""
MAX_ENTRY = 1 << 28
"""Bytes that one file may claim to hold."""
MAX_RATIO = 200
"""Bytes unpacked for each byte of the zip, judged above ``RATIO_FROM``; images reach about 1."""
RATIO_FROM = 1 << 30

PACK_AGAIN = "nothing was imported; pack the folders train and test again into a plain zip"


@contextmanager
def open_zip(source: Path) -> Iterator[dict[str, Callable[[], bytes]]]:
    """How to read each file of a zip, by its path with ``/``; readable while the block lasts.

    Raises:
        DataError: damaged, locked with a password, too large, or with entries that are not plain
            files inside the zip. Reading an entry that turns out to be damaged raises it too.
    """
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{source} is no zip, or it is damaged or cut short ({one_line(error)}); copy or "
            f"download it again, or give a folder instead"
        ) from None
    with archive:
        entries = archive.infolist()
        _check_size(source, entries)
        found: dict[str, Callable[[], bytes]] = {}
        for entry in entries:
            path = _path(source, entry)
            if entry.is_dir():
                continue
            if path in found:
                raise DataError(f"{source} holds {path} twice; {PACK_AGAIN}")
            found[path] = partial(_read, archive, entry, source)
        yield found


def _check_size(source: Path, entries: list[zipfile.ZipInfo]) -> None:
    claimed = sum(entry.file_size for entry in entries)
    # Entries may overlap, so that only the zip's own size says what was really packed.
    packed = max(1, source.stat().st_size)
    if claimed > MAX_UNPACKED or (claimed > RATIO_FROM and claimed / packed > MAX_RATIO):
        raise DataError(
            f"{source} has {packed / 2**20:.1f} MiB and claims to unpack to "
            f"{claimed / 2**30:.1f} GiB, which no set of images does; if it is genuine, unpack it "
            f"and give the folder instead"
        )
    for entry in entries:
        if entry.file_size > MAX_ENTRY:
            raise DataError(
                f"{source}: {entry.filename} claims to unpack to {entry.file_size / 2**20:.0f} "
                f"MiB, too much for an image; {PACK_AGAIN}"
            )


def _path(source: Path, entry: zipfile.ZipInfo) -> str:
    """The entry's path in parts joined with ``/``; some packers write backslashes."""
    name = entry.filename.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise DataError(
            f"{source}: the entry {entry.filename!r} points outside its folder; {PACK_AGAIN}"
        )
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a special file"
        raise DataError(f"{source}: {entry.filename!r} is {what}, no plain file; {PACK_AGAIN}")
    if entry.flag_bits & 1:
        raise DataError(f"{source}: {entry.filename!r} is locked with a password; {PACK_AGAIN}")
    return "/".join(part for part in parts if part not in ("", "."))


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: Path) -> bytes:
    try:
        return archive.read(entry)
    except (
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
        *(OSError, EOFError, RuntimeError, ValueError),
    ) as error:
        raise DataError(
            f"{source}: {entry.filename} cannot be unpacked ({one_line(error)}); the zip is "
            f"damaged, copy or download it again"
        ) from None

"""Folders that appear whole or not at all, whoever else writes them and wherever it stops."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import DataError

OLD = "-old"
"""Behind the name of a scratch folder: what lay in the place before the swap."""
SCRATCH = re.compile(rf"\.(?P<name>.+)-[0-9a-f]{{32}}(?P<old>{OLD})?")
JUNK = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
"""What file managers leave behind, in lower case; never data, never worth keeping."""


@dataclass(frozen=True)
class Contents:
    """What a folder of this kind may hold.

    Attributes:
        written: names that are written anew each time.
        kept: names that outlive a replacement.
    """

    written: frozenset[str]
    kept: frozenset[str]


@contextmanager
def staged(place: Path, contents: Contents, same: Callable[[], bool]) -> Iterator[Path]:
    """A fresh folder beside ``place``, which takes that place when the block ends well.

    Args:
        place: where the folder shall be; what was there is replaced.
        contents: anything else in ``place`` was put there by somebody and is not deleted.
        same: asked while no other writer can interfere; True leaves ``place`` as it is.

    Raises:
        DataError: the disk is full or read-only, or ``place`` holds something else.
    """
    refuse_foreign(place, contents)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _clear_away(place.parent, contents)
        with scratch(place.parent, place.name) as stage:
            yield stage
            with _place_lock(place):
                if not same():
                    refuse_foreign(place, contents)
                    _swap(stage, place, contents)
    except OSError as error:
        raise _unwritable(place.parent, error) from None


@contextmanager
def scratch(parent: Path, name: str) -> Iterator[Path]:
    """A fresh hidden folder in ``parent``, removed when the block ends.

    A lock beside it says that its writer lives, to every machine that shares the disk.
    """
    # Not tempfile.mkdtemp, whose folders nobody but their owner may read.
    work = parent / f".{name}-{uuid.uuid4().hex}"
    lock = _writer_lock(work)
    with lock:
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.unlink(lock.lock_file)


def refuse_foreign(place: Path, contents: Contents) -> None:
    """Raise ``DataError`` when ``place`` holds something that a swap would delete."""
    try:
        found = sorted(entry.name for entry in place.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        # The path that is a file may as well be the parent.
        problem = place if place.exists() else place.parent
        raise DataError(
            f"{problem} is a file where a folder is needed; move it away, or choose another "
            f"folder with --data-dir or LIPBENCH_DATA_DIR"
        ) from None
    except OSError as error:
        raise _unwritable(place, error) from None
    known = contents.written | contents.kept
    foreign = [name for name in found if name not in known and name.lower() not in JUNK]
    if foreign:
        raise DataError(
            f"{place} holds {foreign[0]!r}, which LIPBench did not write and will not delete; "
            f"move that folder elsewhere, or choose another with --data-dir or LIPBENCH_DATA_DIR"
        )


def one_line(error: BaseException) -> str:
    """An error's message without line breaks, or its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def _clear_away(parent: Path, contents: Contents) -> None:
    """Remove what killed writers left in ``parent``, and put back what they had set aside."""
    for path in list(parent.iterdir()):
        found = SCRATCH.fullmatch(path.name)
        if found is None or not path.is_dir():
            continue
        lock = _writer_lock(path.with_name(path.name.removesuffix(OLD)))
        with contextlib.suppress(Timeout, OSError), lock.acquire(timeout=0):
            if found["old"]:
                place = parent / found["name"]
                with _place_lock(place):
                    _put_back(path, place, contents)
            shutil.rmtree(path, ignore_errors=True)
            os.unlink(lock.lock_file)


def _put_back(aside: Path, place: Path, contents: Contents) -> None:
    """Finish a swap that was killed: all of the old folder, or what outlives its replacement."""
    if not place.exists():
        os.rename(aside, place)
        return
    for name in contents.kept:
        if not (place / name).exists():
            with contextlib.suppress(FileNotFoundError):
                os.rename(aside / name, place / name)


def _writer_lock(work: Path) -> FileLock:
    """Held by the writer of a scratch folder as long as it lives."""
    return FileLock(work.with_name(f"{work.name}.lock"))


def _place_lock(place: Path) -> FileLock:
    """Held while a place is looked at and swapped."""
    return FileLock(place.parent / f".{place.name}.lock")


def _swap(stage: Path, place: Path, contents: Contents) -> None:
    aside = stage.with_name(stage.name + OLD)
    try:
        os.rename(place, aside)
    except FileNotFoundError:
        os.rename(stage, place)
        return
    try:
        os.rename(stage, place)
    except OSError:
        os.rename(aside, place)
        raise
    for name in contents.kept:
        with contextlib.suppress(OSError):
            os.rename(aside / name, place / name)
    shutil.rmtree(aside, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot write to {path} ({error.strerror or one_line(error)}); choose another with "
        f"--data-dir or LIPBENCH_DATA_DIR"
    )

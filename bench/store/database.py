"""Opening a results database: one writer at a time, any number of readers, no surprises."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from sqlite_utils import Database

from bench.errors import StoreError
from bench.store.faults import LOCAL, explained, refuse_network
from bench.store.schema import migrations

log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 30_000
MAGIC = b"SQLite format 3\x00"


@contextmanager
def open_writer(path: Path) -> Iterator[Database]:
    """The database for the one process that may write it, migrated to this version's schema.

    Raises:
        StoreError: another process writes it (with its pid), it is no database, a newer one, it
            lies on a network file system, or it cannot be written.
    """
    _check_file(path)
    refuse_network(path)
    with _only_writer(path):
        db = _connect(path)
        try:
            _check_version(db, path)
            _migrate(db)
            yield db
        except sqlite3.DatabaseError as error:
            raise explained(path, error) from error
        finally:
            db.close()


def _migrate(db: Database) -> None:
    """All pending steps or none: between two of them a database is of no version."""
    if migrations.pending(db):
        with db.atomic():
            migrations.apply(db)


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, whatever it is asked.

    A database of an older version is read from a copy in memory that is brought up to date there;
    the file stays as it is until a run writes it.

    Raises:
        StoreError: the file does not exist, is no database, or was written by a newer version.
    """
    if not path.exists():
        raise StoreError(f"there is no database {path} yet; python -m bench run digits makes one")
    _check_file(path)
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        connection = _try_reader(uri)
    except sqlite3.OperationalError:
        # A read-only folder cannot hold the files of write-ahead logging; nobody writes there.
        connection = _try_reader(uri + "&immutable=1")
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is damaged ({error}); restore it from a copy") from None
    _check_version(Database(connection), path)
    if migrations.pending(Database(connection)):
        log.info("%s is of an older version: it is read as if it were of this one", path)
        connection = _brought_up_to_date(connection)
    connection.row_factory = sqlite3.Row
    return connection


def _brought_up_to_date(old: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:")
    old.backup(memory)
    old.close()
    migrations.apply(Database(memory))
    memory.execute("PRAGMA query_only = ON")
    return memory


@contextmanager
def peek(path: Path) -> Iterator[sqlite3.Connection]:
    """A reader of a database that may not exist yet: then an empty one of this version."""
    if path.exists():
        connection = open_reader(path)
    else:
        empty = Database(memory=True)
        migrations.apply(empty)
        connection = empty.conn
    try:
        yield connection
    finally:
        connection.close()


def _try_reader(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def _connect(path: Path) -> Database:
    try:
        db = Database(sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000))
        db.execute("PRAGMA foreign_keys = ON")
        db.enable_wal()
        db.execute("PRAGMA synchronous = NORMAL")
        mode = db.journal_mode
    except sqlite3.Error as error:
        raise explained(path, error) from None
    if mode != "wal":
        db.close()
        raise StoreError(
            f"{path} cannot have write-ahead logging where it lies (it has {mode}); {LOCAL}"
        )
    return db


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"{path} is a folder; --db takes the path of a database file")
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise StoreError(f"cannot read {path} ({error.strerror})") from None
    if head and head != MAGIC:
        raise StoreError(f"{path} is not a SQLite database; choose another with --db")


def _check_version(db: Database, path: Path) -> None:
    try:
        applied = {migration.name for migration in migrations.applied(db)}
        foreign = not applied and bool(db.table_names())
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} is damaged ({error})") from None
    known = {migration.name for migration in migrations.pending(Database(memory=True))}
    newer = sorted(applied - known)
    if newer:
        raise StoreError(
            f"{path} was written by a newer LIPBench (it has {newer[-1]}); update this one, "
            f"or choose another database with --db"
        )
    if foreign:
        raise StoreError(f"{path} is a SQLite database, but not of LIPBench; choose another: --db")


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path, timeout=0)
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"{path} is being written by {_holder(lock_path)}; wait for it, or choose another "
            f"database with --db"
        ) from None
    except OSError as error:
        raise StoreError(
            f"cannot write to the folder of {path} ({error.strerror}); choose another with --db "
            f"or LIPBENCH_DB"
        ) from None
    note = _note(lock_path)
    try:
        with contextlib.suppress(OSError):
            note.write_text(
                json.dumps(
                    {"pid": os.getpid(), "since": datetime.now(UTC).isoformat("T", "seconds")}
                )
            )
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _note(lock_path: Path) -> Path:
    return lock_path.with_name(lock_path.name + "-holder")


def _holder(lock_path: Path) -> str:
    try:
        note = json.loads(_note(lock_path).read_text())
        return f"another run (pid {note['pid']}, since {note['since']})"
    except (OSError, ValueError, KeyError):
        return "another run"

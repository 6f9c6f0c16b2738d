"""What goes wrong around a database file, said with its cause and what to do."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from bench.errors import StoreError

MOUNTS = Path("/proc/mounts")
LOCKS = Path("/proc/locks")
NETWORK = {
    *("nfs", "nfs3", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda"),
    *("ceph", "lustre", "gpfs", "beegfs", "beegfs_nodev", "glusterfs", "orangefs", "pvfs2"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "davfs"),
}
"""File systems whose files several machines may change: memory is not shared between them, which
write-ahead logging needs (sqlite.org/wal.html)."""


def network_file_system(path: Path) -> str | None:
    """The type of the network file system that a path lies on.

    None for a local one, and where the system does not list its mounts.
    """
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place = path.resolve()
    best, kind = -1, ""
    for line in lines:
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = Path(words[1].replace("\\040", " ").replace("\\011", "\t"))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), words[2]
    return kind if kind in NETWORK else None


def refuse_network(path: Path) -> None:
    """Raise ``StoreError`` where a database would lie on a network file system."""
    kind = network_file_system(path)
    if kind is not None:
        raise StoreError(
            f"{path} is on a network file system ({kind}), where write-ahead logging can damage a "
            f"database; {LOCAL}"
        )


LOCAL = (
    "write to a local disk, for example --db /tmp/results.db (or LIPBENCH_DB), and copy the file "
    "when the run has ended; python -m bench db merge joins several"
)


def explained(path: Path, error: sqlite3.Error) -> StoreError:
    """An error of SQLite while a database was written, as one that says what to do."""
    name = getattr(error, "sqlite_errorname", "") or ""
    kept = "what was committed before is safe"
    if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR"):
        return StoreError(
            f"{path} cannot grow ({error}): the disk or the quota is full, or the disk fails; "
            f"{kept}. Make room and type the same command again, or choose another disk with --db"
        )
    if name.startswith("SQLITE_BUSY"):
        return StoreError(
            f"{path} is locked by {_holders(path)}; close it and type the same command again, or "
            f"choose another database with --db"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return StoreError(
            f"{path} cannot be written ({error}); give yourself the right to write it and its "
            f"folder, or choose another with --db"
        )
    return StoreError(f"{path}: {error}; check it with: python -m bench db check --db {path}")


def _holders(path: Path) -> str:
    """Programs that hold a lock on the file or its shared memory, where the system tells."""
    wanted = set()
    for suffix in ("", "-shm", "-wal"):
        try:
            wanted.add(path.with_name(path.name + suffix).stat().st_ino)
        except OSError:
            continue
    try:
        lines = LOCKS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    pids = set()
    for line in lines:
        # 1: POSIX  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
        words = line.split()
        if len(words) < 6 or not words[4].isdigit() or words[5].count(":") != 2:
            continue
        if int(words[5].rpartition(":")[2]) in wanted:
            pids.add(int(words[4]))
    names = [f"{_program(pid)} (pid {pid})" for pid in sorted(pids - {os.getpid()})]
    return " and ".join(names) or "another program"


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a program"

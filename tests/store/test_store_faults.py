"""Disks that are full, files that cannot be written, locks of others, network file systems.

All of it in real processes on real files; the database is checked afterwards.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import MakeDatabase, done, ended

from bench.errors import StoreError
from bench.records import Outcome
from bench.store import database, faults, reader
from bench.store.check import problems
from bench.store.database import open_reader, open_writer
from bench.training_spec import TrainingSpec

PAST = Path(__file__).parent / "schemas" / "m006.sqlite"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A database of four trainings."""
    path = Path(shutil.copy(PAST, tmp_path / "some.db"))
    with open_writer(path):
        pass
    return path


def python(
    code: str, *arguments: str | Path, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def counts(path: Path) -> int:
    """Protocols of a database that is sound."""
    with closing(open_reader(path)) as connection:
        assert problems(connection) == []
        return int(connection.execute("SELECT count(*) FROM protocols").fetchone()[0])


WRITE = """
import sys
from pathlib import Path
from bench.errors import BenchError
from bench.store.database import open_writer

def write(path, most=400):
    done = 0
    try:
        with open_writer(path) as db:
            for number in range(most):
                with db.atomic():
                    db.execute(
                        "INSERT INTO protocols VALUES (?, ?)", [f"p{number}", "x" * 20_000]
                    )
                done += 1
    except BenchError as error:
        print(error)
    print("committed", done)
"""

LIMITED = (
    WRITE
    + """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
write(Path(sys.argv[1]))
"""
)


def committed(output: str) -> int:
    """How many transactions the process saw through."""
    return int(output.rpartition("committed ")[2])


def test_a_file_that_may_not_grow_keeps_all_that_was_committed(small: Path) -> None:
    before = counts(small)
    found = python(LIMITED, small)
    assert "cannot grow" in found.stdout, found.stderr
    assert "type the same command again" in found.stdout
    assert 0 < committed(found.stdout) < 400
    assert counts(small) == before + committed(found.stdout)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk; the limit on files is tested besides")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here; the limit on files is tested besides")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_keeps_all_that_was_committed(tiny_disk: Path) -> None:
    path = Path(shutil.copy(PAST, tiny_disk / "some.db"))
    found = python(WRITE + "\nwrite(Path(sys.argv[1]))", path)
    assert "disk or the quota is full" in found.stdout, found.stderr
    assert 0 < committed(found.stdout) < 400
    # Room elsewhere: what was committed may lie in the log of the database still.
    for name in os.listdir(tiny_disk):
        shutil.copy(tiny_disk / name, tiny_disk.parent / name)
    with open_writer(tiny_disk.parent / "some.db") as db:
        assert problems(db.conn) == []
        (kept,) = db.execute(
            "SELECT count(*) FROM protocols WHERE protocol_sha LIKE 'p%'"
        ).fetchone()
    assert kept == committed(found.stdout)


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A database in a folder, both without the right to write, and outside private folders."""
    folder = Path(tempfile.mkdtemp())
    path = Path(shutil.copy(PAST, folder / "some.db"))
    path.chmod(0o444)
    folder.chmod(0o555)
    yield path
    folder.chmod(0o755)
    shutil.rmtree(folder)


AS_NOBODY = (
    WRITE
    + """
import os
from bench.store.check import problems
from bench.store.database import open_reader
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
path = Path(sys.argv[1])
write(path, 1)
connection = open_reader(path)
print("problems", problems(connection))
print("trainings", connection.execute("SELECT count(*) FROM trainings").fetchone()[0])
"""
)


def test_a_read_only_database_is_read_and_says_why_it_is_not_written(unwritable: Path) -> None:
    before = unwritable.read_bytes()
    found = python(AS_NOBODY, unwritable)
    assert "cannot write to the folder of" in found.stdout, found.stderr
    assert "committed 0" in found.stdout
    assert "problems []\ntrainings 4" in found.stdout
    assert unwritable.read_bytes() == before
    assert os.listdir(unwritable.parent) == ["some.db"]


def test_a_read_only_file_in_a_folder_that_may_be_written_says_so(unwritable: Path) -> None:
    unwritable.parent.chmod(0o777)
    before = unwritable.read_bytes()
    found = python(AS_NOBODY, unwritable)
    assert "cannot be written" in found.stdout, found.stderr
    assert "give yourself the right" in found.stdout
    assert unwritable.read_bytes() == before


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(small: Path) -> Iterator[tuple[Path, int]]:
    """A database that another program (no run of ours) is writing, and its pid."""
    command = [sys.executable, "-c", HOLD, str(small)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield small, process.pid
    process.communicate("")


def test_a_database_that_another_program_locks_names_it(
    held: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pid = held
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 100)
    known = rf"locked by python\S* \(pid {pid}\)" if faults.LOCKS.exists() else "locked by"
    with pytest.raises(StoreError, match=known), open_writer(path) as db:
        db.execute("INSERT INTO protocols VALUES ('p', '{}')")


def test_a_database_that_another_program_locks_is_still_read(held: tuple[Path, int]) -> None:
    with closing(open_reader(held[0])) as connection:
        assert len(reader.boards(connection)) == 1


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of which the system says that it is on another machine."""
    mounts = tmp_path / "mounts"
    place = tmp_path / "far away"
    place.mkdir()
    shown = str(place).replace(" ", "\\040")
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nserver:/home {shown} nfs4 rw,vers=4.2 0 0\n"
        f"tmpfs {shown}/near tmpfs rw 0 0\n"
    )
    monkeypatch.setattr(faults, "MOUNTS", mounts)
    return place


def test_a_database_on_a_network_file_system_is_refused_with_the_remedy(network: Path) -> None:
    with pytest.raises(StoreError, match=r"nfs4.*write to a local disk.*--db.*merge"):
        open_writer(network / "some.db").__enter__()
    assert list(network.iterdir()) == []


def test_a_local_disk_below_or_beside_a_network_file_system_is_local(network: Path) -> None:
    (network / "near").mkdir()
    for place in (network / "near", network.parent):
        with open_writer(place / "some.db"):
            pass


def test_a_database_on_a_network_file_system_can_be_merged_from(network: Path) -> None:
    path = Path(shutil.copy(PAST, network / "some.db"))
    with closing(open_reader(path)) as connection:
        assert len(reader.boards(connection)) == 1


def test_a_place_without_write_ahead_logging_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect

    def without_shared_memory(path: object, **options: float) -> sqlite3.Connection:
        # SQLite has this driver for file systems whose locks do not work.
        return real(f"file:{path}?vfs=unix-none", uri=True, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(database.sqlite3, "connect", without_shared_memory)
    with (
        pytest.raises(StoreError, match=r"cannot have write-ahead logging.*local disk"),
        open_writer(tmp_path / "some.db"),
    ):
        pass


def test_a_clock_that_was_set_back_does_not_change_which_attempt_counts(
    make_database: MakeDatabase,
) -> None:
    def tried_again(spec: TrainingSpec) -> list[Outcome]:
        first = replace(done(spec), started_at="2030-01-01T00:00:00+00:00", wall_s=1.0)
        failed = ended(spec, "oom", started_at="2029-01-01T00:00:00+00:00")
        last = replace(done(spec), started_at="2001-01-01T00:00:00+00:00", wall_s=7.0)
        return [first, failed, last]

    path = make_database(tried_again, seeds=1)
    with closing(open_reader(path)) as connection:
        assert problems(connection) == []
        assert set(reader.planned(connection, _board(connection))["status"]) == {"done"}
        from bench.store.runs import Wanted, listed

        shown = listed(connection, _board(connection), Wanted(), 50)
    assert set(shown["wall_s"]) == {7.0}


def _board(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT board FROM boards").fetchone()[0])

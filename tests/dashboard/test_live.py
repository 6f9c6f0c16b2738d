"""The page of coverage while another process fills its database."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bench.engines.heartbeat import Beat, Underway
from bench.engines.protocol import Workplace
from bench.store.database import open_reader, open_writer

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]


@pytest.fixture
def copied(holes: Path, tmp_path: Path) -> Path:
    """A database of this test's own."""
    path = tmp_path / "copied.db"
    shutil.copy(holes, path)
    return path


@pytest.fixture
def beat(copied: Path) -> Beat:
    """A run of this process that fills it."""
    connection = open_reader(copied)
    (board,) = connection.execute("SELECT board FROM boards").fetchone()
    connection.close()
    now = datetime.now(UTC)
    since = (now - timedelta(minutes=20)).isoformat("T", "milliseconds")
    return Beat(
        pid=os.getpid(),
        host=socket.gethostname(),
        started_at=(now - timedelta(hours=2)).isoformat("T", "milliseconds"),
        updated_at=now.isoformat("T", "milliseconds"),
        suite="tiny.yaml",
        budget="",
        board=board,
        total=30,
        done=9,
        failed=1,
        share=0.25,
        jobs=2,
        running=(
            Underway("digits · <b>clean</b> · gce · seed 2", "k1", 3, 12, since),
            Underway("digits · clean · ce · seed 1", "k2", 0, 12, since),
        ),
    )


@pytest.fixture
def put(copied: Path) -> Callable[[Beat], None]:
    """``put(beat)`` where the page looks for it."""

    def write(beat: Beat) -> None:
        place = Workplace.beside(copied).progress
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(asdict(beat)))

    return write


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def bars(at: AppTest) -> list[tuple[int, str]]:
    return [(bar.proto.value, bar.proto.text) for bar in at.get("progress") if bar.proto.text]


def test_nothing_is_said_where_nothing_runs(visit: Visit, said: Said, copied: Path) -> None:
    text = said(visit(copied, "coverage"))
    assert "Running now" not in text
    assert "stopped without finishing" not in text


def test_a_run_shows_progress_speed_and_what_its_workers_have(
    visit: Visit, said: Said, copied: Path, beat: Beat, put: Callable[[Beat], None]
) -> None:
    put(beat)
    at = visit(copied, "coverage")
    assert "Running now" in said(at)
    found = metrics(at)
    assert found["Failed in this run"] == "1"
    assert found["Time left"] == "about 6.0 h"
    assert found["At a time"] == "2"
    assert found["A minute"] == "–"
    assert bars(at) == [
        (25, "10 of 30 trainings of this run"),
        (25, r"digits · \<b\>clean\</b\> · gce · seed 2: epoch 3 of 12, for 20 min"),
        (0, "digits · clean · ce · seed 1: epoch 0 of 12, for 20 min"),
    ]
    latest = next(d.value for d in at.dataframe if "ended" in d.value)
    assert len(latest) == 10
    assert set(latest["status"]) <= {"done", "diverged"}


def test_the_first_moments_of_a_run_claim_nothing(
    visit: Visit, copied: Path, beat: Beat, put: Callable[[Beat], None]
) -> None:
    put(replace(beat, done=0, failed=0, share=0.0))
    assert metrics(visit(copied, "coverage"))["Time left"] == "not known yet"


def test_many_workers_are_counted(
    visit: Visit, said: Said, copied: Path, beat: Beat, put: Callable[[Beat], None]
) -> None:
    put(replace(beat, jobs=20, running=beat.running * 10))
    at = visit(copied, "coverage")
    assert len(bars(at)) == 9
    assert "and 12 more" in said(at)


def test_a_run_of_another_board_is_named(
    visit: Visit, said: Said, copied: Path, beat: Beat, put: Callable[[Beat], None]
) -> None:
    put(replace(beat, board="another", suite="*zoo*", budget="short"))
    text = said(visit(copied, "coverage"))
    assert r"A run of **\*zoo\*, budget short** fills another board" in text
    assert "Running now" not in text


def test_a_run_that_fell_silent_says_how_to_go_on(
    visit: Visit, said: Said, copied: Path, beat: Beat, put: Callable[[Beat], None]
) -> None:
    long_ago = (datetime.now(UTC) - timedelta(minutes=9)).isoformat("T", "milliseconds")
    put(replace(beat, updated_at=long_ago, budget="short"))
    at = visit(copied, "coverage")
    assert "stopped without finishing" in said(at)
    assert "after 10 of 30 trainings" in said(at)
    assert f"python -m bench run tiny.yaml --budget short --db {copied}" in at.code[0].value
    assert "Running now" not in said(at)


def test_a_dead_process_of_this_machine_is_seen_sooner(
    visit: Visit, said: Said, copied: Path, beat: Beat, put: Callable[[Beat], None]
) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    lately = (datetime.now(UTC) - timedelta(seconds=10)).isoformat("T", "milliseconds")
    put(replace(beat, updated_at=lately, pid=process.pid))
    assert "stopped without finishing" in said(visit(copied, "coverage"))
    put(replace(beat, updated_at=lately, pid=process.pid, host="another machine"))
    assert "Running now" in said(visit(copied, "coverage"))


def test_whoever_holds_the_lock_without_a_run_is_named(
    visit: Visit, said: Said, copied: Path
) -> None:
    with open_writer(copied):
        text = said(visit(copied, "coverage"))
    assert f"Process {os.getpid()} has had this database open for writing" in text
    note = copied.with_name(copied.name + ".lock-holder")
    for content in ("", "[]", '{"pid": "x"}', '{"pid": 999999999, "since": "then"}'):
        note.write_text(content)
        assert "open for writing" not in said(visit(copied, "coverage"))


def test_a_damaged_heartbeat_is_as_none(
    visit: Visit, said: Said, copied: Path, beat: Beat, put: Callable[[Beat], None]
) -> None:
    put(beat)
    Workplace.beside(copied).progress.write_text('{"pid": 1, "running": [{}]}')
    text = said(visit(copied, "coverage"))
    assert "Running now" not in text
    assert "could not be drawn" not in text

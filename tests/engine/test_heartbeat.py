"""What a run says of itself while it runs, and what is left of it when it was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.engines import heartbeat
from bench.engines.heartbeat import Beat, Pulse, Underway
from bench.engines.protocol import Workplace
from bench.store.database import open_writer

SUITE = """
suite: beating
datasets: [digits]
noises: [{symmetric: {rate: 0.4}}]
methods: [ce, elr]
refiners: [off]
seeds: SEEDS
protocol: {backbone: {small-cnn: {width: 4}}, epochs: 6, batch_size: 64}
"""

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def training(number: int, cost: float = 1.0, epochs: int = 10) -> Any:
    return SimpleNamespace(
        key=f"key{number}", name=f"training {number}", cost=cost, protocol={"epochs": epochs}
    )


def outcome(*problems: str) -> Any:
    return SimpleNamespace(problems=problems)


@pytest.fixture
def beat() -> Beat:
    """A run of this process."""
    return Beat(
        pid=os.getpid(),
        host=heartbeat.socket.gethostname(),
        started_at=NOW.isoformat(),
        updated_at=NOW.isoformat(),
        suite="digits",
        budget="short",
        board="b",
        total=4,
        done=1,
        failed=1,
        share=0.5,
        jobs=2,
        running=(Underway("digits · ce", "k", 1, 3, NOW.isoformat()),),
    )


@pytest.fixture
def dead_pid() -> int:
    """Of a process that ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_workers_hold_the_first_trainings_that_are_not_finished(tmp_path: Path) -> None:
    trainings = [training(number) for number in range(4)]
    place = tmp_path / "runs" / "progress.json"
    pulse = Pulse(place, ("digits", "short", "board"), trainings, jobs=2)

    def running() -> list[tuple[str, int]]:
        pulse._write()
        beat = heartbeat.read(place)
        assert beat is not None
        return [(row.key, row.epoch) for row in beat.running]

    try:
        assert running() == [("key0", 0), ("key1", 0)]
        pulse.epoch(trainings[0], 5)
        assert running() == [("key0", 5), ("key1", 0)]
        # The next training begins before the last is committed.
        pulse.epoch(trainings[2], 1)
        assert running() == [("key0", 5), ("key1", 0), ("key2", 1)]
        pulse.finished(trainings[1], outcome())
        assert running() == [("key0", 5), ("key2", 1)]
        pulse.finished(trainings[2], outcome("it diverged"))
        assert running() == [("key0", 5), ("key3", 0)]
        pulse.finished(trainings[0], outcome())
        pulse.finished(trainings[3], outcome())
        assert running() == []
        beat = heartbeat.read(place)
        assert beat is not None
        assert (beat.total, beat.done, beat.failed, beat.share) == (4, 3, 1, 1.0)
    finally:
        pulse.close()
    assert list(place.parent.iterdir()) == []


def test_share_of_the_work_weighs_costs(tmp_path: Path) -> None:
    trainings = [training(0, cost=1), training(1, cost=3)]
    pulse = Pulse(tmp_path / "progress.json", ("digits", "", "board"), trainings, jobs=1)
    try:
        pulse.finished(trainings[0], outcome())
        pulse.epoch(trainings[1], 5)
        assert pulse._said().share == pytest.approx((1 + 1.5) / 4)
    finally:
        pulse.close()


def test_it_beats_by_itself(tmp_path: Path) -> None:
    place = tmp_path / "progress.json"
    pulse = Pulse(place, ("digits", "", "board"), [training(0)], jobs=4)
    try:
        first = heartbeat.read(place)
        assert first is not None
        assert first.jobs == 1
        deadline = time.monotonic() + 20
        while (now := heartbeat.read(place)) == first and time.monotonic() < deadline:
            time.sleep(0.1)
        assert now is not None
        assert now.updated_at > first.updated_at
    finally:
        pulse.close()


def test_a_place_that_cannot_be_written_disturbs_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    trainings = [training(0)]
    pulse = Pulse(tmp_path / "runs" / "progress.json", ("digits", "", "b"), trainings, jobs=1)
    pulse.epoch(trainings[0], 1)
    pulse.finished(trainings[0], outcome())
    pulse.close()


def test_what_is_written_is_read(tmp_path: Path, beat: Beat) -> None:
    place = tmp_path / "progress.json"
    place.write_text(json.dumps(heartbeat.asdict(beat)))
    assert heartbeat.read(place) == beat


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"pid": 1}',
        "\x00",
        '"text"',
        '{"started_at": "2026-01-02", "updated_at": "2026-01-02T03:04:05"}',
    ],
)
def test_a_file_that_is_no_beat_is_none(tmp_path: Path, text: str) -> None:
    place = tmp_path / "progress.json"
    assert heartbeat.read(place) is None
    place.write_text(text)
    assert heartbeat.read(place) is None


def test_a_run_is_dead_when_it_was_silent_for_long(beat: Beat) -> None:
    assert not beat.stopped(NOW + timedelta(seconds=29))
    assert beat.stopped(NOW + timedelta(seconds=31))


def test_a_run_of_this_machine_is_dead_without_its_process(beat: Beat, dead_pid: int) -> None:
    gone = replace(beat, pid=dead_pid)
    assert not gone.stopped(NOW + timedelta(seconds=2))
    assert gone.stopped(NOW + timedelta(seconds=6))
    elsewhere = replace(gone, host="another machine")
    assert not elsewhere.stopped(NOW + timedelta(seconds=6))


def start(suite: Path, db: Path, data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "bench", "run", str(suite), "--db", str(db)),
            *("--data-dir", str(data_dir), "--jobs", "2", "--threads", "1", "--device", "cpu"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(
    place: Path, process: subprocess.Popen[str], enough: Callable[[Beat], bool]
) -> list[Beat]:
    """All beats until one is enough."""
    seen: list[Beat] = []
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        beat = heartbeat.read(place)
        if beat is not None and (not seen or beat != seen[-1]):
            seen.append(beat)
            if enough(beat):
                return seen
        time.sleep(0.02)
    raise AssertionError(f"the run said no more than {seen}")


def write_suite(folder: Path, seeds: int) -> Path:
    file = folder / "beating.yaml"
    file.write_text(SUITE.replace("SEEDS", str(seeds)))
    return file


def test_a_run_of_two_workers_beats_advances_and_leaves_no_file(
    tmp_path: Path, data_dir: Path
) -> None:
    db, suite = tmp_path / "some.db", write_suite(tmp_path, seeds=3)
    place = Workplace.beside(db).progress
    process = start(suite, db, data_dir)
    seen = wait_for(place, process, lambda beat: beat.done >= 2)
    first, last = seen[0], seen[-1]
    assert first.pid == process.pid
    assert (first.suite, first.budget, first.total, first.jobs) == (str(suite), "", 6, 2)
    assert not last.stopped(datetime.now(UTC))
    assert [beat.share for beat in seen] == sorted(beat.share for beat in seen)
    assert last.share > first.share
    # Seeds of one cell may be trained together: two slots hold six trainings at most.
    names = [[row.key for row in beat.running] for beat in seen]
    assert all(
        len(now) == len(set(now)) <= beat.total for now, beat in zip(names, seen, strict=True)
    )
    assert any(row.epoch for beat in seen for row in beat.running)
    assert {row.epochs for beat in seen for row in beat.running} == {6}
    process.communicate(timeout=240)
    assert process.returncode == 0
    assert not place.exists()


def test_ctrl_c_leaves_no_file(tmp_path: Path, data_dir: Path) -> None:
    db = tmp_path / "some.db"
    process = start(write_suite(tmp_path, seeds=40), db, data_dir)
    place = Workplace.beside(db).progress
    wait_for(place, process, lambda beat: any(row.epoch for row in beat.running))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not place.exists()


def test_a_killed_run_is_seen_to_be_dead_and_the_next_one_cleans_up(
    tmp_path: Path, data_dir: Path
) -> None:
    db = tmp_path / "some.db"
    suite = write_suite(tmp_path, seeds=2)
    place = Workplace.beside(db).progress
    process = start(suite, db, data_dir)
    wait_for(place, process, lambda beat: any(row.epoch for row in beat.running))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    left = heartbeat.read(place)
    assert left is not None
    assert left.stopped(datetime.now(UTC) + timedelta(seconds=heartbeat.GONE_S + 1))
    with open_writer(db):
        assert place.exists()  # only a run may remove it
    process = start(suite, db, data_dir)
    process.communicate(timeout=240)
    assert process.returncode == 0
    assert not place.exists()

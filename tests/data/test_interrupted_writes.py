"""Writers that are killed: what they leave, and who clears it away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.data.swap import Contents, scratch, staged

CONTENTS = Contents(written=frozenset({"text"}), kept=frozenset({"noise"}))

WRITER = """
import os, sys, time
from pathlib import Path
from bench.data import swap

CONTENTS = swap.Contents(written=frozenset({"text"}), kept=frozenset({"noise"}))
place, stop = Path(sys.argv[1]), sys.argv[2]

def wait():
    print("here", flush=True)
    time.sleep(600)

rename = os.rename
def stopping(source, target):
    rename(source, target)
    if {"aside": str(target).endswith("-old"), "swapped": Path(target) == place}.get(stop):
        wait()
os.rename = stopping

with swap.staged(place, CONTENTS, lambda: False) as stage:
    (stage / "text").write_text("half")
    if stop == "stage":
        wait()
    (stage / "text").write_text("new")
"""
"""Writes ``text`` into a place, and stops for ever at one point of it."""


def stopped(place: Path, at: str) -> subprocess.Popen[str]:
    """A writer that has come to that point."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place), at], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process


def killed(place: Path, at: str) -> None:
    """A writer that was killed at that point."""
    process = stopped(place, at)
    process.send_signal(signal.SIGKILL)
    process.wait()


def write(place: Path, text: str) -> None:
    with staged(place, CONTENTS, lambda: False) as stage:
        (stage / "text").write_text(text)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a text and a noise artefact that is to be kept."""
    place = tmp_path / "data" / "pets"
    write(place, "old")
    (place / "noise").mkdir()
    (place / "noise" / "kept").write_text("labels")
    return place


@pytest.mark.parametrize("at", ["stage", "aside", "swapped"])
def test_the_next_writer_clears_away_what_a_killed_one_left(at: str, place: Path) -> None:
    killed(place, at)
    write(place, "newest")
    assert (place / "text").read_text() == "newest"
    assert (place / "noise" / "kept").read_text() == "labels"
    assert {path.name for path in place.parent.iterdir()} <= {"pets", ".pets.lock"}


def test_a_writer_of_another_folder_clears_away_too(place: Path) -> None:
    killed(place, "aside")
    assert not place.exists()
    write(place.with_name("plants"), "green")
    assert (place / "text").read_text() == "old"
    assert (place / "noise" / "kept").read_text() == "labels"


def test_a_folder_killed_half_way_is_never_in_its_place(tmp_path: Path) -> None:
    place = tmp_path / "data" / "pets"
    killed(place, "stage")
    assert not place.exists()


def test_what_a_live_writer_is_at_is_left_alone(place: Path) -> None:
    process = stopped(place, "stage")
    try:
        write(place.with_name("plants"), "green")
        stages = [path for path in place.parent.glob(".pets-*") if path.is_dir()]
        assert [(stage / "text").read_text() for stage in stages] == ["half"]
    finally:
        process.kill()
        process.wait()


def test_scratch_is_gone_afterwards_and_somebodys_hidden_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / ".config-of-mine").mkdir()
    with scratch(tmp_path, "pets") as work:
        (work / "file").write_text("x")
        assert work.parent == tmp_path
    assert os.listdir(tmp_path) == [".config-of-mine"]

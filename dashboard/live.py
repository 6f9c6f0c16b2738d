"""A run that fills this database now: how far it is, how fast, and what it is doing."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from bench.engines import heartbeat
from bench.engines.heartbeat import Beat
from bench.engines.protocol import Workplace
from bench.estimate import duration
from bench.store import recent
from bench.store.database import open_reader
from dashboard import states
from dashboard.data import Board
from dashboard.exports import Shown, show_table
from dashboard.words import count, moment, plain, run_command

EVERY_S = 2
WINDOW = timedelta(minutes=5)
MOST_RUNNING, MOST_LATEST = 8, 10
LEAST_SHARE = 0.01
"""Of the work that must be done before the rest is estimated from it."""


@dataclass(frozen=True)
class Writer:
    """The process that holds the database's lock, as it noted itself."""

    pid: int
    since: str


def writer_of(board: Board) -> Writer | None:
    """Who holds the lock; None where nobody does, or nobody that this machine knows of."""
    note = board.path.with_name(board.path.name + ".lock-holder")
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        writer = Writer(int(said["pid"]), str(said["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # The note names no machine. A process that is not here may be another machine's or dead, and
    # only the heartbeat can tell.
    return writer if heartbeat.is_alive(writer.pid) else None


def show(board: Board) -> None:
    """The section; nothing where no run is on."""
    going = is_going(board)
    st.fragment(_section, run_every=EVERY_S if going else None)(board, going)


def is_going(board: Board) -> bool:
    """Whether a run fills the database now."""
    beat = _beat(board)
    return writer_of(board) is not None if beat is None else not beat.stopped(datetime.now(UTC))


def _beat(board: Board) -> Beat | None:
    return heartbeat.read(Workplace.beside(board.path).progress)


def _section(board: Board, was_going: bool) -> None:
    """Drawn again every few seconds while a run is on; the whole page when it ends."""
    now = datetime.now(UTC)
    beat, writer = _beat(board), writer_of(board)
    if was_going and not is_going(board):
        st.rerun()
    if beat is None:
        if writer is not None:
            st.info(
                f"Process {writer.pid} has had this database open for writing since "
                f"{moment(writer.since)}, and trains nothing at the moment.",
                icon=":material/edit_note:",
            )
        return
    if beat.stopped(now):
        _stopped(board, beat)
    elif beat.board != board.key:
        st.info(
            f"A run of **{_named(beat)}** fills another board of this database: "
            f"{beat.done + beat.failed:,} of {count(beat.total, 'training')}.",
            icon=":material/directions_run:",
        )
    else:
        with st.container(border=True, key="live"), states.guarded("live progress"):
            _progress(board, beat, now)


def _named(beat: Beat) -> str:
    budget = f", budget {beat.budget}" if beat.budget else ""
    return plain(f"{beat.suite}{budget}")


def _stopped(board: Board, beat: Beat) -> None:
    left = beat.total - beat.done - beat.failed
    if left <= 0:
        return
    st.warning(
        f"A run of **{_named(beat)}** stopped without finishing: its last sign of life was "
        f"{moment(beat.updated_at)}, after {beat.done + beat.failed:,} of "
        f"{count(beat.total, 'training')}. What finished is kept. This goes on where it stopped:",
        icon=":material/heart_broken:",
    )
    st.code(run_command(beat.suite, beat.budget, board.path), language="bash", wrap_lines=True)


def _progress(board: Board, beat: Beat, now: datetime) -> None:
    ended = beat.done + beat.failed
    elapsed = max(0.0, (now - datetime.fromisoformat(beat.started_at)).total_seconds())
    with closing(open_reader(board.path)) as connection:
        since = max(now - WINDOW, datetime.fromisoformat(beat.started_at))
        lately = recent.ended_since(connection, board.key, since)
        latest = recent.latest(connection, board.key, MOST_LATEST)
    minutes = max(1.0, (now - since).total_seconds()) / 60
    st.subheader("Running now")
    st.progress(beat.share, text=f"{ended:,} of {count(beat.total, 'training')} of this run")
    with st.container(horizontal=True, gap="medium"):
        for label, value, meaning in (
            ("Failed in this run", f"{beat.failed:,}", "Trainings, or a refiner of theirs."),
            (
                "A minute",
                f"{lately / minutes:.1f}" if lately else "–",
                "Trainings that ended, over the last five minutes or since the start.",
            ),
            ("Time left", _left(beat.share, elapsed), "From the work done so far, by cost."),
            ("Running for", duration(elapsed), f"Process {beat.pid} on {plain(beat.host)}."),
            ("At a time", f"{beat.jobs:,}", "Trainings side by side."),
        ):
            st.metric(label, value, help=meaning, width="content")
    for row in beat.running[:MOST_RUNNING]:
        began = max(0.0, (now - datetime.fromisoformat(row.since)).total_seconds())
        st.progress(
            min(1.0, row.epoch / max(1, row.epochs)),
            text=f"{plain(row.name)}: epoch {row.epoch} of {row.epochs}, for {duration(began)}",
        )
    if len(beat.running) > MOST_RUNNING:
        st.caption(f"and {len(beat.running) - MOST_RUNNING:,} more")
    if len(latest):
        st.markdown("**Latest results**")
        show_table(_latest(latest, now), "Latest results")


def _left(share: float, elapsed: float) -> str:
    if share < LEAST_SHARE:
        return "not known yet"
    return f"about {duration(elapsed * (1 - share) / share)}"


def _latest(rows: pd.DataFrame, now: datetime) -> Shown:
    ago = [_ago(text, now) for text in rows["ended_at"]]
    frame = rows[["method", "noise", "dataset", "seed", "status"]].assign(
        seconds=rows["wall_s"].map("{:.1f}".format), ended=ago
    )
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    columns = {
        "method": text("method", pinned=True, help="The method and parameters that differ."),
        "noise": text("noise", help="As the suite shows it."),
        "dataset": text("data set", help="As the suite shows it."),
        "seed": number("seed", help="Of the training."),
        "status": text("status", help="How it ended."),
        "seconds": text("seconds", help="It took, with its evaluations."),
        "ended": text("ended", help="How long ago it ended."),
    }
    return Shown(frame, columns)


def _ago(text: str, now: datetime) -> str:
    try:
        seconds = (now - datetime.fromisoformat(text)).total_seconds()
    except ValueError:
        return text
    return f"{duration(max(0.0, seconds))} ago"

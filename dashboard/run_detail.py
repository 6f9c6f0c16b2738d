"""Everything about one training."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from bench.store.runs import GAIN_OF, MISSING
from dashboard import run_panels, states
from dashboard.data import Board
from dashboard.exports import show_table
from dashboard.run_tables import (
    MIB,
    attempts_table,
    evaluations_table,
    is_oracle,
    selections_table,
    settings_table,
)
from dashboard.runs_data import Run, read_log, with_database
from dashboard.words import count, moment, percent, plain, points

BADGES: dict[str, tuple[Literal["green", "gray"], str]] = {
    "done": ("green", ":material/check:"),
    MISSING: ("gray", ":material/schedule:"),
}
FAILED: tuple[Literal["red"], str] = ("red", ":material/error:")


def show(board: Board, run: Run) -> None:
    """The run: figures, curves, refiners, and how it was made."""
    _header(run)
    if run.details["epochs"]:
        run_panels.show(board, run)
    elif run.status == "done":
        st.caption("This run has no measurements of single epochs.")
    if run.details["evaluations"]:
        st.subheader("Refiners")
        with states.guarded("table of refiners"):
            show_table(evaluations_table(run), f"Refiners of run {run.short}", height="content")
        st.caption("All on the same last weights. Off is the run as it is.")
    if run.details["selections"]:
        _selections(run)
    _made(board, run)


def _header(run: Run) -> None:
    st.subheader(plain(f"{run.method} · {run.noise}"))
    colour, icon = BADGES.get(run.status, FAILED)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(plain(run.status), color=colour, icon=icon)
        st.markdown(
            f"{plain(run.dataset)} · seed **{run.seed}** · key {plain(run.short)}",
            width="content",
        )
    attempt = run.attempt
    if attempt is None:
        st.markdown("This training was planned and is not run yet. This command runs it:")
        return
    if attempt["error"]:
        st.error(plain(attempt["error"]), icon=":material/error:")
    if run.details["conflicts"]:
        st.warning(
            "Another machine had other results for this training; these are ours. Both are listed "
            "by `python -m bench db conflicts`.",
            icon=":material/difference:",
        )
    with states.guarded("figures"), st.container(horizontal=True, gap="medium"):
        for label, value, help in _figures(run):
            st.metric(label, value, help=help, width=140)
    st.caption(plain(_cost(attempt)))


def _figures(run: Run) -> list[tuple[str, str, str]]:
    """Label, value and meaning of what is known."""
    attempt = run.attempt or {}
    last = run.selected("last")
    gain = run.gain(GAIN_OF)
    epochs = run.details["epochs"]
    validation = epochs[-1]["noisy_val_accuracy"] if epochs else None
    rate = run.details["realised_rate"]
    found = [
        (
            "Test accuracy",
            None if last is None else f"{percent(last)} %",
            "After the last epoch, refiner off.",
        ),
        (
            f"Gain of {GAIN_OF}",
            None if gain is None else f"{points(gain)} pts",
            "In percentage points of test accuracy over off, from the same weights.",
        ),
        (
            "Noisy validation",
            None if validation is None else f"{percent(validation)} %",
            "Of the last epoch, on held-out samples with their given labels.",
        ),
        (
            "Wrong labels",
            None if rate is None else f"{percent(rate)} %",
            "Share of the training labels that are wrong, as drawn.",
        ),
        ("Time", f"{attempt['wall_s']:,.1f} s", "From start to end of the try that counts."),
    ]
    return [(label, value, help) for label, value, help in found if value is not None]


def _cost(attempt: dict[str, Any]) -> str:
    """What the run took, and where, in one line."""
    memory = attempt["peak_memory_bytes"]
    parts = [
        f"{attempt['device']} {attempt['precision']}".strip(),
        count(attempt["threads"], "thread"),
        "" if memory is None else f"peak memory {memory / MIB:,.0f} MiB",
        f"{attempt['n_parameters']:,} parameters" if attempt["n_parameters"] else "",
        f"{attempt['samples']:,} training samples processed" if attempt["samples"] else "",
        f"started {moment(str(attempt['started_at']))}",
    ]
    return " · ".join(filter(None, parts))


def _selections(run: Run) -> None:
    st.subheader("Accuracy at other epochs")
    oracle = any(is_oracle(str(row["selector"])) for row in run.details["selections"]) and (
        st.toggle(
            "Show the oracle",
            key="oracle_run",
            help="Adds the best test epoch. It uses test labels, so it is never ranked.",
            bind="query-params",
        )
    )
    with states.guarded("table of epochs"):
        show_table(
            selections_table(run, oracle=bool(oracle)),
            f"Epochs of run {run.short}",
            height="content",
            width="content",
        )


def _made(board: Board, run: Run) -> None:
    """How the run was made, and how to make it again."""
    st.subheader("How it was made")
    commands, tries, config, environment, log = st.tabs(
        ["Commands", "Tries", "Configuration", "Environment", "Log"],
        key="made",
        bind="query-params",
    )
    with commands, states.guarded("commands"):
        _commands(board, run)
    with tries, states.guarded("tries"):
        _attempts(run)
    with config, states.guarded("configuration"):
        spec = run.details["spec"]
        show_table(
            settings_table(spec, "As the training was specified; part of what its key is made of."),
            f"Configuration of run {run.short}",
        )
        with st.expander("As JSON", icon=":material/data_object:"):
            st.json(spec)
    with environment, states.guarded("environment"):
        _environment(run)
    with log, states.guarded("log"):
        _log(board, run)


def _commands(board: Board, run: Run) -> None:
    st.markdown("Everything about this run, in a terminal:")
    st.code(
        with_database(f"python -m bench show {run.short}", board.path),
        language="bash",
        wrap_lines=True,
    )
    command = str(run.details["command"])
    if not command.startswith("python "):
        st.markdown(f"Nothing repeats it: {plain(command)}.")
        return
    st.markdown("The training again, on the same labels and seed:")
    st.code(with_database(command, board.path), language="bash", wrap_lines=True)


def _attempts(run: Run) -> None:
    attempts = run.details["attempts"]
    if not attempts:
        st.caption("There was no try yet.")
        return
    show_table(attempts_table(attempts), f"Tries of run {run.short}", height="content")
    for attempt in attempts:
        if attempt["traceback"]:
            with st.expander(
                f"Traceback of try {attempt['attempt']}",
                expanded=attempt is attempts[-1] and run.status != "done",
                icon=":material/error:",
            ):
                st.code(attempt["traceback"], language=None, wrap_lines=True)


def _environment(run: Run) -> None:
    attempt = run.attempt
    if attempt is None:
        st.caption("It was not run anywhere yet.")
        return
    found = run.details["environment"]
    if not found:
        st.caption("The try that counts ended before its environment was known.")
    elif found["git_dirty"]:
        st.caption(
            "The code had changes that were not committed, so its commit does not say all of it."
        )
    settings = {
        "device": attempt["device"],
        "precision": attempt["precision"],
        "threads": attempt["threads"],
        "started": moment(str(attempt["started_at"])),
        **found,
    }
    show_table(
        settings_table(settings, "Of the machine and its packages when the run was made."),
        f"Environment of run {run.short}",
        height="content",
    )


def _log(board: Board, run: Run) -> None:
    attempts = run.details["attempts"]
    found = read_log(board.path, str(attempts[-1]["log"]) if attempts else "")
    if found.place:
        st.caption(f"Of the latest try: {plain(found.place)}")
    if found.text is None:
        st.markdown(plain(found.reason))
        return
    if found.is_cut:
        st.caption("Its last 64 KiB are shown.")
    if found.text.strip():
        st.code(found.text, language=None, wrap_lines=True, height=420)
    else:
        st.markdown("The log is empty: nothing was said while it ran.")

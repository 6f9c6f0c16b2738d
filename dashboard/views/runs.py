"""Single trainings: which there are, everything about one, and what differs between some."""

from __future__ import annotations

import streamlit as st

from bench.errors import StoreError
from dashboard import run_comparison, run_detail, run_list, states
from dashboard.data import Board
from dashboard.runs_data import Run, read_run
from dashboard.words import count, plain

MOST = 8
"""Runs that are compared at once: more lines cannot be told apart."""

LISTED = "runs_listed"
"""Key of whether the list is open."""


def show(board: Board) -> None:
    """The page."""
    if not board.done:
        states.nothing_done(board)
    # The list stands above and follows what is chosen below, so its place is taken first.
    above = st.container()
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        keys = _chosen()
    # A link to a run opens on the run. Once the list is open, choosing a row must not shut it.
    if not keys:
        st.session_state[LISTED] = True
    opened = st.session_state.setdefault(LISTED, False)
    with (
        above,
        st.expander("All runs", expanded=bool(opened), icon=":material/list:"),
        states.guarded("list"),
    ):
        run_list.show(board)
    runs = _read(board, keys[:MOST])
    if len(keys) > MOST:
        st.info(
            f"{count(len(keys), 'run')} are chosen; the first {MOST} are compared, because more "
            "lines cannot be told apart.",
            icon=":material/info:",
        )
    if len(runs) == 1:
        with states.guarded("run"):
            if runs[0].on_board:
                with row:
                    _link_to_cell(runs[0])
            run_detail.show(board, runs[0])
    elif runs:
        with states.guarded("comparison"):
            run_comparison.show(board, runs)


def _link_to_cell(run: Run) -> None:
    st.button(
        "List its cell",
        on_click=_list_cell,
        args=[run.method, run.noise, run.dataset],
        icon=":material/filter_alt:",
        help="Filters the list above to the runs of this method, noise and data set: all seeds.",
    )


def _list_cell(method: str, noise: str, dataset: str) -> None:
    st.session_state[LISTED] = True
    run_list.filter_to(method, noise, dataset)


def _chosen() -> list[str]:
    """What to show, by a field that a reader without a mouse can fill."""
    st.text_input(
        "Runs to show",
        key=run_list.RUN,
        placeholder="keys, such as 3f2a91b0, 7c11aa02; or select rows of the list",
        help="One key shows everything about that run; two or more, with commas between them, "
        "compare the runs. The first digits of a key are enough.",
        icon=":material/directions_run:",
        bind="query-params",
    )
    keys = run_list.chosen_keys()
    if keys:
        st.button("Show none", on_click=_forget, icon=":material/close:")
    return keys


def _forget() -> None:
    st.session_state[run_list.RUN] = ""


def _read(board: Board, keys: list[str]) -> list[Run]:
    """The runs there are; a key that names none, or several, is said."""
    found: dict[str, Run] = {}
    for key in keys:
        try:
            run = read_run(board, key)
        except StoreError as error:
            st.warning(plain(error), icon=":material/link_off:")
            continue
        found[run.key] = run
        if not run.on_board:
            st.info(
                f"This board does not ask for run {plain(run.short)}; it is of another board, or "
                "of an earlier plan.",
                icon=":material/info:",
            )
    return list(found.values())

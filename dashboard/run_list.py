"""The list of runs: filtered and cut to a page by the database, its choices all in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from bench.store.runs import ALL_STATUSES, Choices, Wanted
from dashboard import states
from dashboard.controls import choose, choose_many
from dashboard.data import Board
from dashboard.exports import show_table
from dashboard.run_tables import runs_table
from dashboard.runs_data import read_choices, read_count, read_page
from dashboard.words import count

PAGE = 100
"""Runs on one page of the list."""

ROWS_PX = 318
"""Height of the list: eight rows, so that what is chosen is near."""

ORDERS = {
    "in the order of the plan": "plan",
    "latest first": "latest",
    "lowest accuracy first": "lowest",
    "highest accuracy first": "highest",
    "longest first": "longest",
}

RUN, TABLE, PAGES, SEEN = "run", "runs_table", "list_page", "runs_seen"
"""Keys of the chosen runs (in the URL), of the table, of its pages (in the URL), and of the filter
as it was last seen."""

METHODS, NOISES, DATASETS, SEEDS, STATUS, FIND = FILTERS = (
    *("methods", "noises", "datasets"),
    *("seeds", "status", "find"),
)
"""Keys of the filter, which are its names in the URL."""


def chosen_keys() -> list[str]:
    """Digits of keys that are chosen, in the order in which they were."""
    text = str(st.session_state.get(RUN) or "")
    found = [word.lower() for word in text.replace(",", " ").split()]
    return list(dict.fromkeys(found))


def show(board: Board) -> None:
    """Filter, table, and the pages of it."""
    found = read_choices(board)
    wanted = _filter(found)
    _back_to_first_page(wanted)
    number = read_count(board, wanted)
    if not number:
        st.info(
            "No run matches this filter."
            if not wanted.is_everything
            else "The plan of this board holds no training.",
            icon=":material/filter_alt_off:",
        )
        if not wanted.is_everything:
            st.button("Clear the filter", on_click=_clear, icon=":material/filter_alt_off:")
        return
    pages = -(-number // PAGE)
    page = st.session_state.get(PAGES, 1)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if pages > 1:
            page = st.pagination(pages, key=PAGES, bind="query-params")
        first = (page - 1) * PAGE
        last = min(first + PAGE, number)
        words = (
            count(number, "run") if pages == 1 else f"Runs {first + 1:,} to {last:,} of {number:,}"
        )
        kept = "" if wanted.is_everything else " that match" if number > 1 else " that matches"
        st.caption(f"{words}{kept}.", width="content")
    rows = read_page(board, wanted, PAGE, first if pages > 1 else 0)
    keys = list(rows["short"])
    _follow(keys)
    with states.guarded("list of runs"):
        show_table(
            runs_table(rows, with_dataset=len(found.datasets) > 1),
            "Runs",
            csv=rows,
            key=TABLE,
            on_select=partial(_choose, keys),
            selection_mode="multi-row",
            height=min(ROWS_PX, 35 * len(rows) + 38),
            alt="Runs that match the filter; select rows to see them below",
        )


def _filter(found: Choices) -> Wanted:
    """The controls; an option that is not offered in this board leaves the URL by itself."""
    left, middle, right = st.columns(3)
    with left:
        methods = choose_many("Methods", found.methods, METHODS, every="all methods")
        seeds = choose_many("Seeds", [str(seed) for seed in found.seeds], SEEDS, every="all seeds")
    with middle:
        noises = choose_many("Noises", found.noises, NOISES, every="all noises")
        statuses = choose_many(
            "Status",
            ALL_STATUSES,
            STATUS,
            every="every status",
            help="How the last try ended; missing: planned and not run yet.",
        )
    datasets: list[str] = []
    with right:
        if len(found.datasets) > 1:
            datasets = choose_many("Data sets", found.datasets, DATASETS, every="all data sets")
        text = st.text_input(
            "Find",
            key=FIND,
            placeholder="3f2a91, or out of memory",
            help="First digits of a key, or part of an error.",
            icon=":material/search:",
            bind="query-params",
        )
        order = choose("Order", list(ORDERS), "order", folded=True)
    return Wanted(
        methods=_narrowed(methods, found.methods),
        datasets=_narrowed(datasets, found.datasets),
        noises=_narrowed(noises, found.noises),
        seeds=tuple(map(int, _narrowed(seeds, [str(seed) for seed in found.seeds]))),
        statuses=_narrowed(statuses, ALL_STATUSES),
        text=str(text or "").strip(),
        order=ORDERS[order],
    )


def _narrowed(chosen: Sequence[str], options: Sequence[str]) -> tuple[str, ...]:
    """Nothing where everything is chosen, so that the database need not compare."""
    return () if set(chosen) == set(options) else tuple(chosen)


def _back_to_first_page(wanted: Wanted) -> None:
    """Another filter starts at its first page; a link opens on the page that it names."""
    if st.session_state.setdefault(SEEN, wanted) != wanted:
        st.session_state[SEEN] = wanted
        if st.session_state.get(PAGES, 1) != 1:
            st.session_state[PAGES] = 1


def _clear() -> None:
    _set({})


def filter_to(method: str, noise: str, dataset: str) -> None:
    """List all runs of one cell, and no other."""
    _set({METHODS: [method], NOISES: [noise], DATASETS: [dataset]})


def _set(wanted: Mapping[str, list[str]]) -> None:
    for key in FILTERS:
        if key in st.session_state:  # the control of data sets is not shown where there is one
            st.session_state[key] = "" if key == FIND else wanted.get(key, [])


def _follow(keys: list[str]) -> None:
    """Select the rows of the runs that the URL names."""
    chosen = chosen_keys()
    rows = [row for row, key in enumerate(keys) if any(_same(key, other) for other in chosen)]
    state = st.session_state.get(TABLE) or {"selection": {"rows": []}}
    if sorted(state["selection"]["rows"]) != rows:
        st.session_state[TABLE] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def _choose(keys: list[str]) -> None:
    """Put the selected rows into the URL; runs that are not on this page of the list stay."""
    rows = st.session_state[TABLE]["selection"]["rows"]
    selected = [keys[row] for row in rows if row < len(keys)]
    chosen = chosen_keys()
    kept = [
        key
        for key in chosen
        if any(_same(key, other) for other in selected) or not any(_same(key, k) for k in keys)
    ]
    added = [key for key in selected if not any(_same(key, other) for other in kept)]
    st.session_state[RUN] = ",".join([*kept, *added])


def _same(key: str, other: str) -> bool:
    """Whether two keys of any length name one run."""
    return key.startswith(other) or other.startswith(key)

"""The dashboard: ``streamlit run dashboard/app.py``, with the database in LIPBENCH_DB."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from bench.errors import StoreError
from dashboard import data, states
from dashboard.ahead import AHEAD
from dashboard.data import Board
from dashboard.views import analysis, coverage, gains, leaderboard, methods, noise, published, runs
from dashboard.words import count, moment, plain

# Address -> title, icon and what shows the page.
PAGES: dict[str, tuple[str, str, Callable[[Board], None]]] = {
    "leaderboard": ("Leaderboard", ":material/leaderboard:", leaderboard.show),
    "gains": ("Gains of LIP", ":material/exposure:", gains.show),
    "methods": ("Methods", ":material/menu_book:", methods.show),
    "runs": ("Runs", ":material/directions_run:", runs.show),
    "noise": ("Data and noise", ":material/label:", noise.show),
    "analysis": ("Analysis", ":material/ssid_chart:", analysis.show),
    "published": ("Published", ":material/library_books:", published.show),
    "coverage": ("Coverage", ":material/checklist:", coverage.show),
}

HERE = Path(__file__).parent
REFRESH_S = 4
OPENED = "opened"
"""In the state of a browser's session once it was shown a page."""
SIDEBAR_PX = 256


def main() -> None:
    """Build the frame that all pages share, and show one."""
    # A picture of our own: Streamlit's icons as page_icon are fetched from the internet.
    st.set_page_config(
        page_title="LIPBench",
        page_icon=str(HERE / "icon.svg"),
        layout="wide",
        initial_sidebar_state=SIDEBAR_PX,
    )
    st.logo(str(HERE / "logo.svg"), size="large", icon_image=str(HERE / "icon.svg"))
    path = data.database()
    try:
        found = data.boards(path)
        board = _choose_board(found) if found else None
        reason: Exception | None = None
    except (StoreError, sqlite3.Error, pd.errors.DatabaseError) as error:
        found, board, reason = [], None, error
    pages = [
        st.Page(
            partial(_show, path, board, reason, show),
            title=title,
            icon=icon,
            url_path=address,
            default=address == "leaderboard",
        )
        for address, (title, icon, show) in PAGES.items()
    ]
    page = st.navigation(pages)
    with st.sidebar:
        _watch(path, data.stamp(path))
    page.run()


def _show(
    path: Path, board: Board | None, reason: Exception | None, show: Callable[[Board], None]
) -> None:
    if reason is not None:
        if path.exists():
            states.unreadable(path, reason)
        else:
            states.no_database(path)
    elif board is None:
        states.no_boards(path)
    else:
        _heading(board)
        _content(board, show)


@st.fragment
def _content(board: Board, show: Callable[[Board], None]) -> None:
    """What a choice on the page makes anew; what surrounds it stays."""
    with AHEAD.page(), states.guarded("page"):
        show(board)


def _choose_board(found: list[Board]) -> Board:
    """The board of the URL, else the latest; the URL then names it, so that links last."""
    wanted = st.query_params.get("board", "")
    keys = {board.short: board for board in found}
    if "board_choice" not in st.session_state and wanted in keys:
        st.session_state["board_choice"] = wanted
    twins = pd.Series([board.name for board in found]).duplicated(keep=False)
    names = {
        board.short: f"{board.name} · {board.short}" if twin else board.name
        for board, twin in zip(found, twins, strict=True)
    }
    with st.sidebar:
        chosen = st.selectbox(
            "Board",
            list(keys),
            format_func=names.__getitem__,
            key="board_choice",
            help="Suite, budget and data sets. Only results of one board, under one protocol, are "
            "ranked together.",
        )
    board = keys[chosen]
    if wanted and wanted not in keys:
        st.warning(
            f"This link names board {plain(wanted)}, which is not in this database; the latest "
            "one is shown instead.",
            icon=":material/link_off:",
        )
    if wanted != chosen:
        st.query_params["board"] = chosen
    _about(board)
    return board


def _about(board: Board) -> None:
    suite = board.suite_spec()
    protocol = suite.get("protocol", {})
    optimiser, backbone = protocol.get("optimiser", {}), protocol.get("backbone", {})
    seeds = count(len(suite.get("seeds") or []), "seed")
    facts = [
        f"{backbone.get('name')}, {protocol.get('epochs')} epochs, {seeds}",
        f"{optimiser.get('name')}, rate {optimiser.get('lr')}, batch {protocol.get('batch_size')}",
        f"{100 * protocol.get('noisy_validation', 0):g} % held out as noisy validation",
    ]
    with st.sidebar:
        st.caption("  \n".join(plain(fact) for fact in facts))
        st.caption(f"Read from {plain(board.path.name)}, which is never written here.")


def _heading(board: Board) -> None:
    st.header(plain(board.title))
    parts = [
        f"suite **{plain(board.suite)}**",
        f"budget **{plain(board.budget)}**" if board.budget else "",
        f"data **{plain(board.data)}**",
        f"**{board.done:,} of {count(board.planned, 'training')}** done",
        f":orange[**{board.failed:,} failed**]" if board.failed else "",
        f"planned {moment(board.planned_at)}",
    ]
    st.markdown(" · ".join(filter(None, parts)))
    if 0 < board.done < board.planned:
        st.progress(board.done / board.planned)


@st.fragment(run_every=REFRESH_S)
def _watch(path: Path, seen: int) -> None:
    """Show new results as they are committed, while a suite runs."""
    if data.stamp(path) != seen:
        st.rerun()


if __name__ == "__main__":
    is_first = not st.session_state.get(OPENED)
    st.session_state[OPENED] = True
    with AHEAD.page(is_first=is_first):
        main()

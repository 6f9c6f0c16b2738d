"""Links from one page to a view of another."""

from __future__ import annotations

import streamlit as st

from dashboard.data import Board


def show_link(board: Board, address: str, label: str, **query: str | list[str]) -> None:
    """A link that opens another page on the same board.

    Args:
        board: whose pages.
        address: of the page, as ``app.PAGES`` has it.
        label: Markdown.
        query: its filters, as they are called in the URL.
    """
    # Streamlit knows a page by its address alone; the function is never called.
    page = st.Page(_nothing, title=address, url_path=address)
    st.page_link(
        page,
        label=label,
        icon=":material/arrow_forward:",
        query_params={"board": board.short, **query},
    )


def _nothing() -> None:
    """Stands for a page."""

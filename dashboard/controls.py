"""Choices that live in the URL, so that a view can be shared by copying the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import streamlit as st

from bench.report.ink import DARK, LIGHT, Ink
from dashboard.words import plain

MANY = 10
"""More options than this fold into a list that can be searched."""

FOLDED_PX = 230


def choose(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    help: str | None = None,
    folded: bool = False,
) -> str:
    """One of the options, the first unless the URL or the reader says otherwise.

    Args:
        label: over the control.
        options: what there is; the first is the default.
        key: of the control, and its name in the URL.
        help: shown on hover.
        folded: a short list that opens, for a choice that is rarely made.
    """
    if folded or len(options) > MANY:
        found: str = st.selectbox(
            label,
            options,
            key=key,
            help=help,
            bind="query-params",
            width=FOLDED_PX if folded else "stretch",
        )
        return found
    chosen = st.segmented_control(
        label,
        options,
        default=options[0],
        required=True,
        format_func=plain,
        key=key,
        help=help,
        wrap=True,
        bind="query-params",
    )
    return chosen or options[0]


def choose_many(
    label: str, options: Sequence[str], key: str, *, help: str | None = None, every: str = "all"
) -> list[str]:
    """Some of the options; none chosen means all of them, so that the URL stays short.

    Args:
        label: over the control.
        options: what there is.
        key: of the control, and its name in the URL.
        help: shown on hover.
        every: what the empty control says.
    """
    chosen: list[str] = st.multiselect(
        label,
        options,
        key=key,
        help=help,
        placeholder=every,
        bind="query-params",
    )
    return chosen or list(options)


def fold(
    label: str, key: str, icon: str, show: Callable[[], None], *, opened: bool = False
) -> None:
    """A part that is made when the reader opens it.

    A table that nobody looks at costs the server and the browser as much as one that is read.

    Args:
        label: what is inside, shown always.
        key: of the part, and its name in the URL.
        icon: before the label.
        show: what fills it.
        opened: open unless the reader closes it.
    """
    part = st.expander(label, expanded=opened, key=key, icon=icon, bind="query-params")
    if part.open:
        with part:
            show()


def place() -> AbstractContextManager[object]:
    """Where something stands or not: what follows keeps its position on the page.

    A browser draws everything anew that moves up or down by an element, tables and charts as well.
    """
    return st.container()


def ink() -> Ink:
    """Colours for the page as the reader sees it."""
    return DARK if st.context.theme.type == "dark" else LIGHT

"""Published figures beside ours, each with its protocol, and a verdict by stated rules."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.stats.published import NOT_COMPARABLE, OFF, REPRODUCED, RULES, VERDICTS
from dashboard import states
from dashboard.controls import choose, fold
from dashboard.data import Board
from dashboard.exports import Shown, show_table
from dashboard.tables import published_table
from dashboard.words import count, headings, import_command, plain

ALL = "all"


def show(board: Board) -> None:
    """The page."""
    known = board.published()
    if not board.done:
        states.nothing_done(board)
    elif known.empty:
        _no_figures(board)
    else:
        beside = board.beside()
        if beside.empty:
            st.subheader("Nothing to stand beside")
            st.markdown(
                "No published figure is known for this board's methods, data sets and noises."
            )
        else:
            st.markdown(_verdict(beside))
            _table(_filtered(beside), beside)
    _rules()
    if not known.empty:
        _every(known)


def _no_figures(board: Board) -> None:
    st.subheader("No published figures yet")
    st.markdown("This database holds none. The next run adds those that are shipped, or now:")
    st.code(import_command(board.path), language="bash")


def _verdict(beside: pd.DataFrame) -> str:
    counts = beside["verdict"].value_counts()
    compared = int(counts.get(REPRODUCED, 0) + counts.get(OFF, 0))
    rest = int(counts.get(NOT_COMPARABLE, 0))
    if not compared:
        text = f"None of {count(rest, 'published figure')} here may be compared with ours"
    else:
        text = (
            f"**{count(compared, 'published figure')}** may be compared with ours: "
            f"**{int(counts.get(REPRODUCED, 0))} reproduced**, **{int(counts.get(OFF, 0))} off**"
        )
        if rest:
            text += f". {count(rest, 'other')} {'is' if rest == 1 else 'are'} not comparable"
    flagged = int((~beside["verified"]).sum())
    if flagged:
        text += f"; {flagged} of all {'is' if flagged == 1 else 'are'} unverified"
    return text + "."


def _filtered(beside: pd.DataFrame) -> pd.DataFrame:
    """The rows that the reader asks for."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        present = [name for name in VERDICTS if name in set(beside["verdict"])]
        verdict = choose(
            "Verdict", [ALL, *present], "verdict", help="By the rules at the end of the page."
        )
        method = choose(
            "Method",
            [ALL, *dict.fromkeys(beside["method"])],
            "published_method",
            help="Our method.",
            folded=True,
        )
        noise = choose(
            "Published noise",
            [ALL, *dict.fromkeys(beside["published_noise"])],
            "published_noise",
            help="In the words of the tables.",
            folded=True,
        )
        verified = st.toggle(
            "Verified only",
            key="verified",
            help="Leaves out figures that were recalled and not seen in their source.",
            bind="query-params",
        )
    kept = beside
    for column, wanted in {
        "verdict": verdict,
        "method": method,
        "published_noise": noise,
    }.items():
        if wanted != ALL:
            kept = kept[kept[column] == wanted]
    return kept[kept["verified"]] if verified else kept


def _table(kept: pd.DataFrame, beside: pd.DataFrame) -> None:
    if kept.empty:
        st.markdown("No figure is left by these filters.")
        return
    blocks = list(dict.fromkeys(zip(beside["dataset"], beside["noise"], strict=True)))
    names = dict(zip(blocks, headings(blocks), strict=True))
    with st.container(key="published"), states.guarded("table"):
        last = kept["verdict"] == NOT_COMPARABLE
        ordered = pd.concat([kept[~last], kept[last]])
        flat = ordered.assign(reasons=ordered["reasons"].map("; ".join))
        show_table(published_table(ordered, names), "Published figures beside ours", csv=flat)
    st.caption(
        f"{count(len(kept), 'figure')} of {len(beside):,}. Test accuracy in %, refiner off; ± is "
        "the standard deviation over runs. Every figure stands for itself, and none enters a "
        "ranking."
    )


def _rules() -> None:
    st.subheader("How a verdict is reached")
    st.markdown("\n".join(f"- {plain(rule)}" for rule in RULES))


def _every(known: pd.DataFrame) -> None:
    label = f"All {count(len(known), 'published figure')} of this database"
    fold(label, "every", ":material/library_books:", lambda: _figures(known))


def _figures(known: pd.DataFrame) -> None:
    with states.guarded("table"):
        names = ["method", "dataset", "noise", "rate", "accuracy", "std", "backbone", "epochs"]
        number, text = st.column_config.NumberColumn, st.column_config.TextColumn
        columns = {
            "method": text("method", help="In the words of the source, as all texts here."),
            "dataset": text("data set", help="That the figure is on."),
            "noise": text("noise", help="Of the labels."),
            "rate": text("rate", help="Of the noise, as the source counts it."),
            "accuracy": number("accuracy", format="%.2f", help="Test accuracy in %."),
            "std": number(
                "std", format="%.2f", help="Standard deviation over runs, if it has one."
            ),
            "backbone": text("backbone", help="The network that was trained."),
            "epochs": text("epochs", help="Of training, as the source says."),
            "reported": text("reported", help="Which epoch was reported, over how many runs."),
            "source": text("source", width="medium", help="Where the figure was read."),
            "verification": text(
                "verification", help="Where it was seen, or that it was recalled."
            ),
        }
        shown = known[[*names, "reported", "source", "verification"]]
        show_table(Shown(shown, columns), "All published figures", csv=known)

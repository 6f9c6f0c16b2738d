"""Methods ranked inside one board, with every cell, every hole and every caveat in sight."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.report import standing_charts as charts
from dashboard import states
from dashboard.controls import choose, ink
from dashboard.data import HEADLINE, OFF, ORACLE, Board, Snapshot
from dashboard.standing import FAILED, LEFT_OUT, MISSING, NO_VALUE, Standing
from dashboard.tables import standings_table
from dashboard.words import count, headings, listing, plain, run_command

SELECTORS = {
    HEADLINE: "last epoch",
    "last10": "last 10 epochs",
    "best-noisy-val": "best on noisy validation",
}
"""Rules that look at no test label, in words."""

ALL = "all"
FEW_SEEDS = 3


def show(board: Board) -> None:
    """The page."""
    found = board.read()
    if not board.done:
        states.nothing_done(board)
        states.failures(board, found.planned, opened=True)
        states.left_out(found.excluded)
        return
    refiner, selector, with_oracle = _controls(board, found)
    standing = board.standing(refiner, selector)
    oracle = _oracle(board) if with_oracle else None
    st.markdown(_who_leads(standing))
    with st.container(key="standings"), states.guarded("table"):
        declared = {
            str(row["method"]): [*row["knows"], *row["uses"]]
            for row in found.methods.to_dict("records")
        }
        shown = standings_table(standing, declared, oracle)
        st.dataframe(
            shown.frame,
            column_config=shown.columns,
            hide_index=True,
            height="content",
            placeholder="missing",
        )
    _caveats(standing, refiner, selector, with_oracle=with_oracle)
    _holes(board, standing)
    if len(standing.cells):
        with states.guarded("chart"):
            _chart(standing, found, refiner, selector)
    _methods(found)
    states.failures(board, found.planned)
    states.refused(found.results)
    states.left_out(found.excluded)


def _controls(board: Board, found: Snapshot) -> tuple[str, str, bool]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        refiner = choose(
            "Refiner",
            board.refiners() or [OFF],
            "refiner",
            help="A plug-in on the trained classifier head. On and off come from the same trained "
            "weights; off is the method as it is.",
        )
        if refiner != OFF:
            return refiner, HEADLINE, False
        known = set(found.selections["selector"])
        offered = {words: name for name, words in SELECTORS.items() if name in known}
        selector = HEADLINE
        if len(offered) > 1:
            words = choose(
                "Accuracy at",
                list(offered),
                "epoch",
                help="Which epoch speaks for a training. None of these rules sees a test label.",
                folded=True,
            )
            selector = offered[words]
        oracle = ORACLE in known and st.toggle(
            "Show the oracle",
            key="oracle",
            help="Adds the accuracy at the best test epoch. It uses test labels, so it is never "
            "ranked; it shows what choosing the epoch better could give at most.",
            bind="query-params",
        )
    return refiner, selector, bool(oracle)


def _oracle(board: Board) -> dict[str, float]:
    table = board.standing(OFF, ORACLE).ranked
    return dict(zip(table["method"], table["mean"], strict=True))


def _who_leads(standing: Standing) -> str:
    ranked = standing.ranked
    if ranked.empty:
        return "No method has a result in every column yet, so none is ranked."
    best = ranked[ranked["rank"] == ranked["rank"].min()]
    first = best.iloc[0]
    columns = count(len(standing.blocks) - len(standing.silent), "noise column")
    if len(best) > 1:
        return (
            f"{listing(best['method'])} share the lead with an average rank of "
            f"**{first['rank']:.2f}** over {columns}."
        )
    text = (
        f"**{plain(first['method'])}** leads with an average rank of **{first['rank']:.2f}** over "
        f"{columns} and a mean accuracy of **{100 * first['mean']:.2f} %**"
    )
    if len(ranked) > 1:
        second = ranked.iloc[1]
        text += f"; next is {plain(second['method'])}, rank {second['rank']:.2f}"
    return text + "."


def _caveats(standing: Standing, refiner: str, selector: str, *, with_oracle: bool) -> None:
    epoch = SELECTORS[selector] if refiner == OFF else "last epoch"
    text = (
        f"Test accuracy in %, {epoch}; ± is half of a 95 % interval, over seeds in the noise "
        "columns and over those columns in the mean. The best of each column is bold. Hover over "
        "a heading for its meaning, click it to sort."
    )
    if with_oracle:
        text += " The oracle chose its epochs by test labels: it is no result, and is not ranked."
    st.caption(text)
    if standing.least_seeds < FEW_SEEDS and len(standing.cells):
        seeds = count(standing.least_seeds, "seed")
        which = (
            "Every cell has" if standing.most_seeds == standing.least_seeds else "Some cells have"
        )
        more = "no interval can be given" if standing.least_seeds == 1 else "intervals are wide"
        st.info(
            f"{which} only {seeds}: {more} there, and differences say little. "
            "Three seeds or more are needed to compare.",
            icon=":material/casino:",
        )
    if 0 < len(standing.silent) < len(standing.blocks):
        names = headings(standing.blocks)
        waiting = [n for n, b in zip(names, standing.blocks, strict=True) if b in standing.silent]
        st.info(
            f"No method has a result under {listing(waiting)} yet: ranks and means are over the "
            "other columns.",
            icon=":material/hourglass_top:",
        )


def _holes(board: Board, standing: Standing) -> None:
    """Which cells are empty, why, and the command that fills them."""
    holes = standing.holes
    short = int((standing.cells["planned"] - standing.cells["seeds"]).sum())
    if holes.empty and not short:
        return
    names = dict(zip(standing.blocks, headings(standing.blocks), strict=True))
    words = {
        MISSING: "not run yet",
        FAILED: "failed",
        LEFT_OUT: "left out by the plan",
        NO_VALUE: "without a value",
    }
    parts = []
    for why, text in words.items():
        rows = holes[holes["why"] == why].to_dict("records")
        if rows:
            cells = [f"{row['method']} · {names[(row['dataset'], row['noise'])]}" for row in rows]
            parts.append(f"{len(rows)} {text}: {listing(cells)}")
    sentences = []
    if parts:
        total = len(standing.cells) + len(holes)
        sentences.append(
            f"**{len(holes)} of {count(total, 'cell')} {_are(len(holes))} empty** "
            f"({'; '.join(parts)}). A method with an empty cell is listed without a rank, "
            "because a mean over fewer cells compares with nothing."
        )
    if short:
        sentences.append(
            f"{count(short, 'training')} of cells that have a result {_are(short)} missing too: "
            "their means are over fewer seeds than planned, shown as (2/3)."
        )
    waiting = board.planned - board.done - board.failed
    if waiting:
        sentences.append(f"This runs the {count(waiting, 'training')} that wait:")
    with st.container(border=True):
        st.markdown(" ".join(sentences))
        if waiting:
            st.code(run_command(board.suite, board.budget, board.path), language="bash")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _chart(standing: Standing, found: Snapshot, refiner: str, selector: str) -> None:
    st.subheader("How far apart are they?")
    blocks = [block for block in standing.blocks if block not in standing.silent]
    names = dict(zip(headings(standing.blocks), standing.blocks, strict=True))
    offered = [name for name, block in names.items() if block in blocks]
    options = [ALL, *offered] if len(offered) > 1 else offered
    chosen = choose("Noise", options, "noise")
    if chosen == ALL:
        means = standing.ranked[["method", "mean", "low", "high"]]
        parts = _parts(standing.cells, standing).assign(value=lambda f: f["mean"])
        part, said = "noise", "noise columns; the thin marks are those columns"
        if means.empty:
            st.caption("No method is ranked yet, so there is no mean to draw; choose one noise.")
            return
    else:
        dataset, noise = names[chosen]
        rows = standing.cells
        rows = rows[(rows["dataset"] == dataset) & (rows["noise"] == noise)]
        means = rows.sort_values("mean", ascending=False)[["method", "mean", "low", "high"]]
        seeds = _runs(found, refiner, selector)
        seeds = seeds[(seeds["dataset"] == dataset) & (seeds["noise"] == noise)]
        parts = seeds.assign(value=seeds["test_accuracy"])
        part, said = "seed", "seeds; the thin marks are those seeds"
    parts = parts[parts["method"].isin(means["method"])]
    scaled = means.assign(**{c: 100 * means[c] for c in ("mean", "low", "high")})
    st.altair_chart(
        charts.standings(
            scaled,
            parts[["method", part]].assign(value=100 * parts["value"]),
            part,
            "test accuracy, %",
            ink(),
        ),
        alt=f"Mean test accuracy of every method with its 95 % interval, {plain(chosen)}",
    )
    st.caption(
        f"Dot and bar: mean and 95 % interval over {said}. Methods meet the same data and the same "
        "wrong labels, so one may win every time although the bars overlap; ranks see that."
    )


def _methods(found: Snapshot) -> None:
    with st.expander("What the methods are", icon=":material/menu_book:"):
        st.dataframe(
            found.methods[["method", "summary", "paper", "train_s"]],
            hide_index=True,
            column_config={
                "summary": st.column_config.TextColumn(width="large"),
                "paper": st.column_config.TextColumn(width="medium"),
                "train_s": st.column_config.NumberColumn(
                    "seconds", format="%.1f", help="Mean training time, as measured here."
                ),
            },
        )


def _parts(cells: pd.DataFrame, standing: Standing) -> pd.DataFrame:
    names = dict(zip(standing.blocks, headings(standing.blocks), strict=True))
    keys = zip(cells["dataset"], cells["noise"], strict=True)
    return cells.assign(noise=[names[key] for key in keys])


def _runs(found: Snapshot, refiner: str, selector: str) -> pd.DataFrame:
    if selector != HEADLINE:
        return found.selections[found.selections["selector"] == selector]
    kept = found.results[found.results["refiner"] == refiner]
    return kept[kept["test_accuracy"].notna()]

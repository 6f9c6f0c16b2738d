"""Methods ranked inside one board, with every cell, every hole and every caveat in sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest

import pandas as pd
import streamlit as st

from bench.report.ink import Ink
from bench.stats.costs import costs_of
from bench.stats.frame import BLOCK
from bench.stats.remarks import remarks
from dashboard import live, rankings, states
from dashboard.ahead import AHEAD
from dashboard.controls import choose, fold, ink, place
from dashboard.data import ALL_CELLS, COMMON_CELLS, HEADLINE, OFF, ORACLE, Board, Ranking
from dashboard.exports import Shown, show_table
from dashboard.filters import choose_cells
from dashboard.kept import kept
from dashboard.links import show_link
from dashboard.standing import FAILED, LEFT_OUT, MISSING, NO_VALUE, Standing
from dashboard.standings_table import (
    EACH_DATA_SET,
    EACH_NOISE,
    NO_COLUMNS,
    standings_table,
)
from dashboard.wanted import Wanted
from dashboard.words import count, headings, listing, plain, run_command

SELECTORS = {
    HEADLINE: "last epoch",
    "last10": "last 10 epochs",
    "best-noisy-val": "best on noisy validation",
}
"""Rules that look at no test label, in words."""

HOLES = {"with holes": ALL_CELLS, "common cells only": COMMON_CELLS}
"""What to do about missing cells, in words; filling them in is not among it."""

MOST_COLUMNS = 24
"""With more noise columns than this the table begins with one column a data set."""

MOST_AHEAD = 64
"""Rankings that are worked out ahead."""

MOST_ROWS, ROW_PX = 24, 35
"""A longer table scrolls."""


def show(board: Board) -> None:
    """The page."""
    if not board.done:
        states.nothing_done(board)
        states.failures(board, opened=True)
        states.left_out(board.excluded())
        return
    chosen = _controls(board)
    filtered = choose_cells(board, board.cells())
    if filtered.is_nothing:
        states.nothing_left()
        return
    ranking = chosen.ranking(filtered.wanted)
    standing = board.standing(ranking)
    filtered.show()
    st.markdown(_who_leads(standing))
    costs = costs_of(board.methods())
    with st.container(key="standings"), states.guarded("table"):
        show_table(
            _table(board, ranking, chosen.columns, chosen.oracle),
            f"Leaderboard of {board.suite}",
            csv=lambda: _tidy(standing),
            height="content" if len(standing.table) <= MOST_ROWS else MOST_ROWS * ROW_PX,
            placeholder="missing",
        )
    with place():
        _caveats(standing, chosen)
    with place():
        _holes(board, standing, chosen.holes)
    if len(standing.cells):
        rankings.show(board, ranking, costs)
    if board.failed:
        states.failures(board)
    states.refused(board)
    states.left_out(board.excluded())
    if not live.is_going(board):  # whose processors a run needs more
        AHEAD.wish(_ahead(board, chosen, filtered.wanted, ink()))


def _ahead(
    board: Board, chosen: Chosen, wanted: Wanted, colours: Ink
) -> Iterator[Callable[[], object]]:
    """What is made of rankings one click away, in parts that keep no page waiting."""
    for ranking in _asked_next(board, chosen, wanted)[:MOST_AHEAD]:
        yield partial(board.standing, ranking)
        yield partial(board.strengths, ranking)
        yield partial(_table, board, ranking, chosen.columns, chosen.oracle)
        yield partial(rankings.ahead, board, ranking, colours)


def _asked_next(board: Board, chosen: Chosen, wanted: Wanted) -> list[Ranking]:
    """Rankings one click away, in turn: other refiners, and the first choice in a filter."""
    others = [replace(chosen, refiner=name) for name in board.refiners() if name != chosen.refiner]
    kinds = [[other.ranking(wanted) for other in others]]
    if wanted.is_everything:
        cells = board.cells()
        noises, datasets = (list(cells[axis].cat.categories) for axis in ("noise", "dataset"))
        for parts in (
            [Wanted(noises=(name,)) for name in noises if len(noises) > 1],
            [Wanted(datasets=(name,)) for name in datasets if len(datasets) > 1],
        ):
            kinds.append([chosen.ranking(part) for part in parts])
    return [one for turn in zip_longest(*kinds) for one in turn if one is not None]


@dataclass(frozen=True)
class Chosen:
    """What the controls of the page say."""

    refiner: str
    selector: str
    holes: str
    columns: str
    oracle: bool

    def ranking(self, wanted: Wanted) -> Ranking:
        """What is ranked; only off is measured at other epochs than the last."""
        selector = self.selector if self.refiner == OFF else HEADLINE
        return Ranking(self.refiner, selector, self.holes, wanted)


def _controls(board: Board) -> Chosen:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        refiner = choose(
            "Refiner",
            board.refiners() or [OFF],
            "refiner",
            help="A plug-in on the trained classifier head. On and off come from the same trained "
            "weights; off is the method as it is.",
        )
        selector, oracle = HEADLINE, False
        if refiner == OFF:
            known = set(board.selectors())
            offered = {words: name for name, words in SELECTORS.items() if name in known}
            if len(offered) > 1:
                words = choose(
                    "Accuracy at",
                    list(offered),
                    "epoch",
                    help="Which epoch speaks for a training. None of these rules sees a test "
                    "label.",
                    folded=True,
                )
                selector = offered.get(words, HEADLINE)
        holes = choose(
            "Missing cells",
            list(HOLES),
            "holes",
            help="With holes: every noise column counts, and a method that lacks one is listed "
            "without a rank. Common cells only: ranks are over the columns that every method has. "
            "Nothing is ever filled in.",
            folded=True,
        )
        columns = choose(
            "Columns",
            _column_choices(board),
            "columns",
            help="What stands beside the ranking: each noise, or the mean over the noises of each "
            "data set.",
            folded=True,
        )
        if refiner == OFF and ORACLE in known:
            oracle = st.toggle(
                "Show the oracle",
                key="oracle",
                help="Adds the accuracy at the best test epoch. It uses test labels, so it is "
                "never ranked; it shows what choosing the epoch better could give at most.",
                bind="query-params",
            )
    return Chosen(refiner, selector, HOLES.get(holes, ALL_CELLS), columns, bool(oracle))


def _column_choices(board: Board) -> list[str]:
    """Many columns begin folded into data sets."""
    cells = board.cells()
    blocks, datasets = cells.groupby(BLOCK, observed=True).ngroups, cells["dataset"].nunique()
    every = [EACH_NOISE, EACH_DATA_SET, NO_COLUMNS]
    if blocks <= MOST_COLUMNS:
        return every
    return [EACH_DATA_SET, EACH_NOISE, NO_COLUMNS] if datasets > 1 else [NO_COLUMNS, EACH_NOISE]


@kept(128)
def _table(board: Board, ranking: Ranking, columns: str, with_oracle: bool) -> Shown:
    methods = board.methods()
    declared = {
        str(row["method"]): [*row["knows"], *row["uses"]] for row in methods.to_dict("records")
    }
    oracle = None
    if with_oracle:
        best = board.standing(ranking._replace(refiner=OFF, selector=ORACLE)).ranked
        oracle = dict(zip(best["method"], best["mean"], strict=True))
    standing, strengths = board.standing(ranking), board.strengths(ranking)
    return standings_table(standing, strengths, declared, costs_of(methods), columns, oracle)


def _tidy(standing: Standing) -> pd.DataFrame:
    """Every cell with its method's place, for the CSV: shares, not percent."""
    ranks = standing.table[["method", "rank", "mean", "low", "high"]]
    renamed = ranks.rename(
        columns={"mean": "method_mean", "low": "method_low", "high": "method_high"}
    )
    return standing.cells.drop(columns="planned").merge(renamed, on="method", how="left")


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


def _caveats(standing: Standing, chosen: Chosen) -> None:
    epoch = SELECTORS[chosen.selector] if chosen.refiner == OFF else "last epoch"
    text = (
        f"Test accuracy in %, {epoch}; ± is half of a 95 % interval, over seeds in the noise "
        "columns and over those columns in the mean. The best of each column is bold. Methods that "
        "share a letter are not told apart by Nemenyi's test. Hover over a heading for its "
        "meaning, click it to sort."
    )
    if chosen.holes == COMMON_CELLS:
        text += (
            f" Ranks and means are over the {count(len(standing.counted), 'column')} of "
            f"{len(standing.blocks)} that every method has."
        )
    if chosen.oracle:
        text += " The oracle chose its epochs by test labels: it is no result, and is not ranked."
    st.caption(text)
    said = remarks(standing.cells, standing.ranks)
    if said:
        st.info(" ".join(said), icon=":material/casino:")
    if 0 < len(standing.silent) < len(standing.blocks):
        names = headings(standing.blocks)
        waiting = [n for n, b in zip(names, standing.blocks, strict=True) if b in standing.silent]
        st.info(
            f"No method has a result under {listing(waiting)} yet: ranks and means are over the "
            "other columns.",
            icon=":material/hourglass_top:",
        )


def _holes(board: Board, standing: Standing, rule: str) -> None:
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
            f"({'; '.join(parts)}). "
            + (
                "Ranks are over the columns that every method has."
                if rule == COMMON_CELLS
                else "A method with an empty cell is listed without a rank, because a mean over "
                "fewer cells compares with nothing."
            )
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
        if len(holes):
            fold(
                "Exactly which cells are empty",
                "empty",
                ":material/grid_off:",
                lambda: _empty_cells(holes),
            )
            show_link(board, "coverage", "How to fill each of them", state="missing")


def _empty_cells(holes: pd.DataFrame) -> None:
    text = st.column_config.TextColumn
    columns = {
        "dataset": text("data set"),
        "why": text("why", help="Not run yet, failed, left out, or without a value."),
    }
    show_table(Shown(holes[["method", "dataset", "noise", "why"]], columns), "Empty cells")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"

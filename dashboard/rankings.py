"""Who differs from whom: a section of the leaderboard, one chart at a time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from bench.report import cost_chart, rank_charts, standing_charts
from bench.report.ink import Chart, Ink
from bench.stats import pairs, ranks
from dashboard import states
from dashboard.controls import choose, ink
from dashboard.data import Board, Ranking
from dashboard.exports import Shown, show_chart, show_table, specification
from dashboard.kept import kept
from dashboard.snapshot import Snapshot, standing_of
from dashboard.standing import Standing
from dashboard.words import count, headings, plain

ALL = "all"
CRITICAL, STRENGTH, WINS, MEANS, COST = (
    *("Critical difference", "Strength", "Wins", "Accuracy", "Accuracy against cost"),
)
SIGNIFICANT = 0.05


def show(board: Board, ranking: Ranking, costs: pd.DataFrame) -> None:
    """The section.

    Args:
        board: whose methods.
        ranking: what the table above is of.
        costs: method, cost (relative to the cheapest reference), as ``costs_of`` has it.
    """
    standing = board.standing(ranking)
    st.subheader("Who differs from whom?")
    drawn = {
        CRITICAL: lambda: _critical(board, ranking),
        STRENGTH: lambda: _strength(board, ranking),
        WINS: lambda: _wins(standing.ranks),
        MEANS: lambda: _means(board, ranking),
        COST: lambda: _cost(standing, costs),
    }
    chosen = choose(
        "Chart",
        list(drawn),
        "chart",
        help="Five ways to look at one ranking: average ranks with what a test tells apart; odds "
        "of winning; every pair; means with intervals; and what accuracy costs.",
    )
    with states.guarded("chart"):
        drawn.get(chosen, drawn[CRITICAL])()


def friedman_words(table: pd.DataFrame) -> str:
    """Whether ranks differ at all, in words."""
    found = ranks.friedman(table)
    if math.isnan(found.f_p):
        return (
            f"Friedman's test needs three ranked methods and two noise columns; there are "
            f"{count(found.n_methods, 'method')} and {count(found.n_blocks, 'column')}."
        )
    said = "differ" if found.f_p < SIGNIFICANT else "do not differ significantly"
    f = "∞" if math.isinf(found.f_statistic) else f"{found.f_statistic:.2f}"
    return (
        f"Average ranks **{said}** (Friedman χ² = {found.statistic:.2f}, p {_p(found.p)}; "
        f"F = {f}, p {_p(found.f_p)}; {found.n_methods} methods, {found.n_blocks} noise columns)."
    )


class _Critical(NamedTuple):
    """What the diagram is drawn from.

    Attributes:
        average: average ranks, best first.
        difference: the critical one; NaN where there is none.
        groups: methods that are not told apart.
    """

    average: pd.Series
    difference: float
    groups: list[list[str]]


def _differences(table: pd.DataFrame) -> _Critical:
    average = ranks.average_ranks(table)
    difference = ranks.critical_difference(table.shape[1], len(table))
    groups = [[str(name) for name in group] for group in ranks.cliques(average, difference)]
    return _Critical(average.sort_values(kind="stable"), difference, groups)


def ahead(board: Board, ranking: Ranking, ink: Ink) -> None:
    """Put the chart that a reader meets first together before anybody asks."""
    if _can_differ(board.standing(ranking).ranks):
        _critical_specification(board.snapshot, ranking, ink)


def _can_differ(table: pd.DataFrame) -> bool:
    return table.shape[1] >= 2 and not table.empty


def _critical_chart(snapshot: Snapshot, ranking: Ranking, ink: Ink) -> Chart:
    found = _differences(standing_of(snapshot, ranking).ranks)
    return rank_charts.critical_difference_chart(*found, ink)


@kept(128)
def _critical_specification(snapshot: Snapshot, ranking: Ranking, ink: Ink) -> dict[str, Any]:
    """Its many layers take longer to put together than the ranks."""
    return specification(_critical_chart(snapshot, ranking, ink))


def _critical(board: Board, ranking: Ranking) -> None:
    table = board.standing(ranking).ranks
    if not _can_differ(table):
        st.caption("Two ranked methods or more are needed for this.")
        return
    found = _differences(table)
    st.markdown(friedman_words(table))
    show_chart(
        lambda ink: _critical_chart(board.snapshot, ranking, ink),
        "Critical difference",
        alt="Average rank of every method; bars join those that Nemenyi's test does not tell apart",
        csv=found.average.rename("average_rank").reset_index(),
        ready=_critical_specification(board.snapshot, ranking, ink()),
    )
    st.caption(
        f"Methods at their average rank, 1 is best. A black bar joins methods whose ranks differ "
        f"by less than the critical difference of Nemenyi's test ({found.difference:.2f} at 0.05): "
        "they are not told apart. The test corrects for all pairs and is cautious; the pairs below "
        "are Wilcoxon's."
    )
    _pairs(table)


def _pairs(table: pd.DataFrame) -> None:
    if not st.toggle(
        "Every pair of methods: Wilcoxon's test",
        key="pairs",
        help="The signed-rank test over noise columns for every two methods, corrected by Holm.",
        bind="query-params",
    ):
        return
    found = pairs.wilcoxon_pairs(table)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    shown = found.assign(difference=100 * found["difference"])
    columns = {
        "method": text("method", pinned=True, help="The one of the better average rank."),
        "other": text("other", help="The one of the worse average rank."),
        "wins": number("wins", help="Noise columns in which the first is better."),
        "ties": number("ties", help="Columns in which both are equal."),
        "losses": number("losses", help="Columns in which the first is worse."),
        "difference": number(
            "difference",
            format="%+.2f",
            help="Mean difference of accuracy over columns, in percentage points.",
        ),
        "p": number("p", format="%.4f", help="Wilcoxon signed-rank test over columns, two-sided."),
        "p_holm": number(
            "p, Holm", format="%.4f", help="Corrected over all pairs by Holm's method."
        ),
    }
    show_table(Shown(shown, columns), "Pairs of methods", csv=found)
    told = int((found["p_holm"] < SIGNIFICANT).sum())
    if found["p"].isna().all():
        st.caption("Below six noise columns no such test can reach 0.05, so none is made.")
    else:
        st.caption(
            f"{told} of {count(len(found), 'pair')} differ significantly after Holm's correction."
        )


def _strength(board: Board, ranking: Ranking) -> None:
    table = board.standing(ranking).ranks
    if not _can_differ(table):
        st.caption("Two ranked methods or more are needed for this.")
        return
    found = board.strengths(ranking)
    show_chart(
        lambda ink: rank_charts.strength_chart(found, ink),
        "Strength",
        alt="Bradley-Terry strength of every method with its 95 % interval",
        csv=found,
    )
    st.caption(
        "Bradley–Terry: a method 400 points above another is expected to win ten noise columns for "
        "each that it loses. Every column weighs the same; intervals are a bootstrap over columns. "
        "One imaginary column in which all tie keeps a method that always wins finite."
    )


def _wins(table: pd.DataFrame) -> None:
    if not _can_differ(table):
        st.caption("Two ranked methods or more are needed for this.")
        return
    order = ranks.average_ranks(table).sort_values(kind="stable").index
    matrix = pairs.win_matrix(table[order])
    frame = rank_charts.win_frame(matrix.wins, matrix.ties, matrix.losses)
    show_chart(
        lambda ink: rank_charts.win_chart(frame, ink),
        "Wins",
        alt="In how many noise columns each method is better than each other",
        csv=frame,
    )
    st.caption(
        f"A row against a column: blue where it wins more of the "
        f"{count(len(table), 'noise column')}, orange where it loses more. Hover for wins, ties "
        "and losses."
    )


def _cost(standing: Standing, costs: pd.DataFrame) -> None:
    frame = standing.ranked[["method", "mean", "low", "high"]].merge(costs, on="method")
    frame = frame[frame["cost"].notna() & (frame["cost"] > 0)]
    if frame.empty:
        st.caption("No ranked method has a measured time yet.")
        return
    title = str(frame["unit"].iloc[0])
    frame = frame.assign(**{c: 100 * frame[c] for c in ("mean", "low", "high")})
    show_chart(
        lambda ink: cost_chart.cost_chart(frame, title, ink),
        "Accuracy against cost",
        alt="Mean accuracy of every method against its training time, with the frontier",
        csv=frame.assign(frontier=cost_chart.frontier(frame)),
    )
    st.caption(
        "On the line are the methods that no cheaper one beats; the others cost more than a better "
        "one. Times are measured, on the machines that ran this board."
    )


def _means(board: Board, ranking: Ranking) -> None:
    standing = board.standing(ranking)
    scores = ranking.wanted.of(board.scores(ranking.refiner, ranking.selector))
    names = dict(zip(headings(standing.blocks), standing.blocks, strict=True))
    offered = [name for name, block in names.items() if block not in standing.silent]
    options = [ALL, *offered] if len(offered) > 1 else offered
    if not options:
        return
    chosen = choose("Noise", options, "noise")
    if chosen == ALL:
        means = standing.ranked[["method", "mean", "low", "high"]]
        cells = standing.cells
        keys = list(zip(cells["dataset"], cells["noise"], strict=True))
        places = {block: name for name, block in names.items()}
        parts = cells.assign(noise=[places[key] for key in keys], value=cells["mean"])
        parts = parts[[key in set(standing.counted) for key in keys]]
        part, said = "noise", "noise columns; the thin marks are those columns"
        if means.empty:
            st.caption("No method is ranked yet, so there is no mean to draw; choose one noise.")
            return
    else:
        dataset, noise = names.get(chosen, standing.blocks[0])
        rows = standing.cells
        rows = rows[(rows["dataset"] == dataset) & (rows["noise"] == noise)]
        means = rows.sort_values("mean", ascending=False)[["method", "mean", "low", "high"]]
        seeds = scores[(scores["dataset"] == dataset) & (scores["noise"] == noise)]
        parts = seeds[seeds["test_accuracy"].notna()].astype({"method": str})
        parts = parts.assign(value=parts["test_accuracy"])
        part, said = "seed", "seeds; the thin marks are those seeds"
    parts = parts[parts["method"].isin(means["method"])]
    scaled = means.assign(**{c: 100 * means[c] for c in ("mean", "low", "high")})
    marks = parts[["method", part]].assign(value=100 * parts["value"])
    show_chart(
        lambda ink: standing_charts.standings(scaled, marks, part, "test accuracy, %", ink),
        "Accuracy",
        alt=f"Mean test accuracy of every method with its 95 % interval, {plain(chosen)}",
        csv=scaled,
    )
    st.caption(
        f"Dot and bar: mean and 95 % interval over {said}. Methods meet the same data and the same "
        "wrong labels, so one may win every time although the bars overlap; ranks see that."
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"

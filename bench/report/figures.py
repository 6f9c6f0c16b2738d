"""The charts of a report: what each shows in words, and how to draw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from bench.report import cost_chart, gain_charts, rank_charts, slope_charts, standing_charts
from bench.report.forest import forest, forest_frame
from bench.report.standing import Block, Standing, headings
from bench.report.tables import counted
from bench.stats import ranks
from bench.stats.attribution import Attribution
from bench.stats.costs import costs_of
from bench.stats.gains import association
from bench.stats.noise import by_block
from bench.stats.pairs import win_matrix
from bench.stats.spearman import Association

MANY, CLOSE_PX = 16, 28
"""With more methods than this, the rows of a chart are this high."""


@dataclass(frozen=True)
class Drawing:
    """A chart that is drawn when it is asked for.

    Attributes:
        title: heads it.
        alt: says it to who cannot see it.
        draw: makes the Altair chart.
        caption: what to read from it.
    """

    title: str
    alt: str
    draw: Callable[[], Any]
    caption: str


def standing_drawings(standing: Standing, methods: pd.DataFrame) -> Iterator[Drawing]:
    """Accuracy, and accuracy against cost.

    Args:
        standing: the ranking.
        methods: method, train_s.
    """
    if standing.ranked.empty:
        return
    yield Drawing(
        "Accuracy",
        "Mean test accuracy of every ranked method with its 95 % interval",
        lambda: _accuracy(standing),
        "Dot and bar: mean and 95 % bootstrap interval over the columns; the thin marks are those "
        "columns. Methods meet the same data and the same wrong labels, so one may win every time "
        "although the bars overlap; ranks see that.",
    )
    costs = _costs(standing, methods)
    if len(costs):
        yield Drawing(
            "Accuracy against cost",
            "Mean accuracy of every ranked method against its training time, with the frontier",
            lambda: cost_chart.cost_chart(costs, str(costs["unit"].iloc[0])),
            "On the line are the methods that no cheaper one beats; the others cost more than a "
            "better one. Times are measured, on the machines that ran this board.",
        )


def difference_drawings(standing: Standing) -> Iterator[Drawing]:
    """Critical difference, strength and wins; nothing below two ranked methods."""
    if not standing.compared:
        return
    yield Drawing(
        "Critical difference",
        "Average rank of every method; bars join those that Nemenyi's test does not tell apart",
        lambda: rank_charts.critical_difference_chart(
            ranks.average_ranks(standing.ranks), standing.critical_difference, standing.cliques
        ),
        "Methods at their average rank, 1 is best. A black bar joins methods whose ranks differ by "
        f"less than the critical difference of Nemenyi's test "
        f"({standing.critical_difference:.2f} at 0.05): they are not told apart.",
    )
    yield Drawing(
        "Strength",
        "Bradley-Terry strength of every method with its 95 % interval",
        lambda: rank_charts.strength_chart(standing.strengths),
        "A method 400 points above another is expected to win ten columns for each that it loses. "
        "Intervals are a bootstrap over columns; one imaginary column in which all tie keeps a "
        "method that always wins finite.",
    )
    yield Drawing(
        "Wins",
        "In how many columns each method is better than each other",
        lambda: _wins(standing.ranks),
        "A row against a column: blue where it wins more, orange where it loses more.",
    )


def gain_drawings(frame: pd.DataFrame, labels: pd.DataFrame, refiner: str) -> Iterator[Drawing]:
    """Where one refiner helps and where it harms.

    Args:
        frame: as ``gain_charts.gain_frame`` gives it.
        labels: as ``store.audit.labels`` gives them, for the noise rates.
        refiner: whose gains.
    """
    yield Drawing(
        f"Gain of {refiner}, cell by cell",
        f"Gain of {refiner} in every cell, in percentage points",
        lambda: gain_charts.heat_map(frame),
        "Orange is harm, blue is gain, equally strong at equal size; in percentage points, mean "
        "over seeds. Dashed: no pair of on and off.",
    )
    yield Drawing(
        f"From off to {refiner}",
        f"Accuracy of every method without and with {refiner}",
        lambda: slope_charts.slope_chart(slope_charts.slope_frame(frame)),
        "From the same trained weights; thick lines are a method's mean over its cells, thin ones "
        "its cells where they are few. Dashed orange lines fall: harm.",
    )
    rated = with_rates(frame, labels)
    if rated["rate"].notna().any():
        yield Drawing(
            f"Gain of {refiner} against the noise rate",
            f"Gain of {refiner} against the share of wrong labels, a mark a cell",
            lambda: slope_charts.gain_against_rate(rated),
            "A mark is a cell, the line the mean at each rate. "
            + associated(association(rated, "rate"), "with the share of wrong labels"),
        )
    yield Drawing(
        f"Gain of {refiner} against accuracy",
        f"Gain of {refiner} against the accuracy without it, a mark a cell",
        lambda: gain_charts.gain_against_off(frame),
        "A mark is a cell; on the left are the cells that were poor without it. "
        + associated(association(frame, "off"), "with the accuracy without it"),
    )


def forest_drawing(found: Attribution, variant: str) -> Drawing:
    """One LIP variant beside the controls, family by family."""
    frame = forest_frame(found, variant)
    return Drawing(
        f"Whose the gains of {variant} are",
        f"Mean gain of {variant} and of the controls with 95 % intervals, a row a family",
        lambda: forest(frame),
        f"Circle: {variant}; other shapes: controls, on the trainings that both have. Bars are "
        "95 % bootstrap intervals over cells; the verdict looks at their difference, cell by cell.",
    )


def with_rates(frame: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The frame with ``rate``: wrong labels in %, as drawn, or as asked for where nobody knows."""
    known: Mapping[Block, float] = {
        (row["dataset"], row["noise"]): 100
        * (row["nominal"] if math.isnan(row["realised"]) else row["realised"])
        for row in by_block(labels).to_dict("records")
    }
    places = zip(frame["dataset"], frame["noise"], strict=True)
    return frame.assign(rate=[known.get(place, math.nan) for place in places])


def associated(found: Association, what: str) -> str:
    """What Spearman's correlation says, in a sentence."""
    if math.isnan(found.rho):
        return f"Too few cells, or all alike, to say whether gains go {what}."
    text = f"Spearman's ρ of gain {what} is {found.rho:+.2f}"
    if not math.isnan(found.low):
        text += (
            f" (95 % interval {found.low:+.2f} to {found.high:+.2f}, {counted(found.n, 'cell')})"
        )
    return f"{text}; cells share data, so take it as a description."


def _accuracy(standing: Standing) -> Any:
    scaled = standing.ranked[["method", "mean", "low", "high"]]
    scaled = scaled.assign(**{name: 100 * scaled[name] for name in ("mean", "low", "high")})
    names = dict(zip(standing.blocks, headings(standing.blocks), strict=True))
    cells = standing.cells[standing.cells["method"].isin(scaled["method"])]
    places = list(zip(cells["dataset"], cells["noise"], strict=True))
    counted_in = set(standing.counted)
    parts = cells.assign(noise=[names[p] for p in places], value=100 * cells["mean"])
    parts = parts.loc[[place in counted_in for place in places], ["method", "noise", "value"]]
    chart = standing_charts.standings(scaled, parts, "noise", "test accuracy, %")
    return chart.properties(height=alt.Step(CLOSE_PX)) if len(scaled) > MANY else chart


def _costs(standing: Standing, methods: pd.DataFrame) -> pd.DataFrame:
    frame = standing.ranked[["method", "mean", "low", "high"]].merge(costs_of(methods), on="method")
    frame = frame[frame["cost"].notna() & (frame["cost"] > 0)]
    return frame.assign(**{name: 100 * frame[name] for name in ("mean", "low", "high")})


def _wins(table: pd.DataFrame) -> Any:
    order = ranks.average_ranks(table).sort_values(kind="stable").index
    found = win_matrix(table[order])
    return rank_charts.win_chart(rank_charts.win_frame(found.wins, found.ties, found.losses))

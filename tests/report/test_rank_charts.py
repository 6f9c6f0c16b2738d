"""Charts of ranks, strengths, wins and costs: what they hold, and that Vega draws them."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report import cost_chart, rank_charts, standing_charts
from bench.report.ink import DARK, LIGHT, Ink
from bench.report.pictures import picture
from bench.stats import pairs, ranks
from bench.stats.bradley_terry import strengths

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<script>alert(1)</script>", "a'b\"c", "datum.rank", "x\\y {z} & co", "~[x].y"]
"""Names that are code to SVG, to Vega's expressions and to its paths of fields."""


def table_of(values: list[list[float]], names: list[str] | None = None) -> pd.DataFrame:
    """Accuracies, a row a block and a column a method."""
    blocks = pd.MultiIndex.from_tuples(
        [("digits", f"n{i}") for i in range(len(values))], names=["dataset", "noise"]
    )
    names = names or [f"m{i}" for i in range(len(values[0]))]
    return pd.DataFrame(values, index=blocks, columns=pd.Index(names, name="method"))


def random_table(methods: int, blocks: int, names: list[str] | None = None) -> pd.DataFrame:
    """The later a method, the better it is on average."""
    random = np.random.default_rng(methods + 100 * blocks)
    values = 0.5 + 0.3 * np.arange(methods) / methods + 0.1 * random.random((blocks, methods))
    return table_of(values.tolist(), names)


CASES = {
    "two methods": random_table(2, 3),
    "five methods": random_table(5, 6),
    "all tied": table_of([[0.5] * 4] * 3),
    "one block": random_table(4, 1),
    "60 methods": random_table(60, 20),
    "hostile names": random_table(5, 4, HOSTILE),
}


def drawn(chart: Any) -> ElementTree.Element:
    """The chart as Vega draws it; an error of Vega raises here."""
    return ElementTree.fromstring(picture(chart, "svg"))  # noqa: S314


def words(tree: ElementTree.Element) -> list[str]:
    """All texts of a picture."""
    return ["".join(text.itertext()) for text in tree.iter(f"{SVG}text")]


def marks(tree: ElementTree.Element, kind: str) -> int:
    """How many marks of a kind are drawn: rule, symbol, rect, text, ..."""
    groups = [
        group
        for group in tree.iter(f"{SVG}g")
        if f"mark-{kind} role-mark" in group.get("class", "")
    ]
    return sum(len(group) for group in groups)


def rows_with(spec: dict[str, Any], *columns: str) -> list[dict[str, Any]]:
    """The data set of a specification that has exactly these columns."""
    (found,) = [rows for rows in spec["datasets"].values() if rows and {*rows[0]} == {*columns}]
    return list(found)


def diagram(table: pd.DataFrame, ink: Ink = LIGHT) -> Any:
    """The critical-difference diagram of a table, as the pages make it."""
    average = ranks.average_ranks(table)
    difference = ranks.critical_difference(table.shape[1], len(table))
    groups = ranks.cliques(average, difference)
    return rank_charts.critical_difference_chart(average, difference, groups, ink)


BAR = st.tuples(st.floats(0, 20), st.floats(0, 20)).map(lambda pair: (min(pair), max(pair)))


@given(st.lists(BAR, max_size=30))
def test_bars_that_meet_never_share_a_level(bars: list[tuple[float, float]]) -> None:
    levels = rank_charts.bar_levels(bars)
    for i, (low, high) in enumerate(bars):
        for j, (start, stop) in enumerate(bars[:i]):
            assert levels[i] != levels[j] or high < start or low > stop


@given(st.lists(BAR, max_size=30))
def test_a_bar_lies_at_the_lowest_level_that_is_free(bars: list[tuple[float, float]]) -> None:
    levels = rank_charts.bar_levels(bars)
    for i, (low, high) in enumerate(bars):
        for level in range(levels[i]):
            below = [bars[j] for j in range(i) if levels[j] == level]
            assert any(high >= start and low <= stop for start, stop in below)


def test_bars_that_touch_in_a_point_lie_above_each_other() -> None:
    assert rank_charts.bar_levels([(1, 2), (2, 3), (2.5, 4), (5, 6)]) == [0, 1, 0, 0]


@pytest.mark.parametrize("case", CASES)
def test_the_diagram_names_every_method_once_at_its_rank(case: str) -> None:
    table = CASES[case]
    rows = rows_with(
        diagram(table).to_dict(), "method", "rank", "y", "edge", "side", "label", "axis"
    )
    assert {row["method"]: row["rank"] for row in rows} == ranks.average_ranks(table).to_dict()
    assert len(rows) == table.shape[1]


@pytest.mark.parametrize("case", CASES)
def test_no_two_labels_of_the_diagram_share_a_line(case: str) -> None:
    rows = rows_with(
        diagram(CASES[case]).to_dict(), "method", "rank", "y", "edge", "side", "label", "axis"
    )
    assert len({(row["side"], round(row["y"], 6)) for row in rows}) == len(rows)


@pytest.mark.parametrize("case", CASES)
def test_bars_of_the_diagram_are_the_cliques(case: str) -> None:
    table = CASES[case]
    average = ranks.average_ranks(table)
    groups = ranks.cliques(average, ranks.critical_difference(table.shape[1], len(table)))
    spec = diagram(table).to_dict()
    found = [rows for rows in spec["datasets"].values() if rows and "methods" in rows[0]]
    bars = found[0] if found else []
    assert [bar["methods"] for bar in bars] == [", ".join(group) for group in groups]
    for bar, group in zip(bars, groups, strict=True):
        inside = average[list(group)]
        assert bar["from"] < inside.min() <= inside.max() < bar["to"]


@pytest.mark.parametrize("case", CASES)
def test_the_ruler_is_as_long_as_the_critical_difference(case: str) -> None:
    table = CASES[case]
    (ruler,) = rows_with(diagram(table).to_dict(), "from", "to", "text", "y")
    expected = ranks.critical_difference(table.shape[1], len(table))
    assert ruler["to"] - ruler["from"] == pytest.approx(expected)
    assert ruler["text"] == f"CD = {expected:.2f}"


@pytest.mark.parametrize("case", CASES)
def test_the_ruler_lies_inside_the_diagram(case: str) -> None:
    spec = diagram(CASES[case]).to_dict()
    (ruler,) = rows_with(spec, "from", "to", "text", "y")
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert low < ruler["from"] < ruler["to"] < high


def test_all_layers_of_the_diagram_share_one_scale() -> None:
    spec = diagram(CASES["five methods"]).to_dict()
    axes = [layer["encoding"][c] for layer in spec["layer"] for c in ("x", "y")]
    assert {repr(axis.get("axis")) for axis in axes} == {"None"}
    assert len({repr(axis["scale"]["domain"]) for axis in axes}) == 2


def test_a_single_method_has_no_ruler_and_no_bar() -> None:
    spec = diagram(table_of([[0.5], [0.6]])).to_dict()
    assert not [rows for rows in spec["datasets"].values() if "text" in rows[0] and "to" in rows[0]]


@pytest.mark.parametrize("ink", [LIGHT, DARK])
@pytest.mark.parametrize("case", [*CASES, "one method"])
def test_vega_draws_the_diagram_with_every_name(case: str, ink: Ink) -> None:
    table = CASES.get(case, table_of([[0.5], [0.6]]))
    tree = drawn(diagram(table, ink))
    shown = words(tree)
    assert all(any(str(name) in text for text in shown) for name in table.columns)
    assert marks(tree, "symbol") == table.shape[1]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.0, 3.0, [1, 1.5, 2, 2.5, 3]),
        (1.0, 1.0, [1]),
        (1.2, 1.4, []),
        (1.0, 13.0, list(range(1, 14))),
        (1.0, 60.0, [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]),
    ],
)
def test_ticks_are_round_ranks_and_few(low: float, high: float, expected: list[float]) -> None:
    assert [tick["rank"] for tick in rank_charts._ticks(low, high)] == expected


@pytest.mark.parametrize("case", CASES)
def test_vega_draws_every_strength(case: str) -> None:
    found = strengths(CASES[case], resamples=50)
    tree = drawn(rank_charts.strength_chart(found))
    assert marks(tree, "symbol") == len(found)
    assert marks(tree, "rule") == int(found["low"].notna().sum())


def test_a_strength_without_an_interval_has_no_line() -> None:
    found = pd.DataFrame(
        {"method": ["a", "b"], "strength": [1100.0, 900.0], "low": [math.nan, 850.0]}
    ).assign(high=[math.nan, 950.0])
    assert marks(drawn(rank_charts.strength_chart(found)), "rule") == 1


def wins_of(table: pd.DataFrame) -> pd.DataFrame:
    """Wins of a table as a frame."""
    found = pairs.win_matrix(table)
    return rank_charts.win_frame(found.wins, found.ties, found.losses)


def test_wins_are_told_of_every_pair_but_of_none_with_itself() -> None:
    frame = wins_of(table_of([[0.9, 0.5, 0.5], [0.8, 0.9, 0.1]]))
    assert frame.to_dict("split")["data"] == [
        ["m0", "m1", 1, 0, 1, 50.0],
        ["m0", "m2", 2, 0, 0, 100.0],
        ["m1", "m0", 1, 0, 1, 50.0],
        ["m1", "m2", 1, 1, 0, 75.0],
        ["m2", "m0", 0, 0, 2, 0.0],
        ["m2", "m1", 0, 1, 1, 25.0],
    ]


@pytest.mark.parametrize("case", CASES)
def test_vega_draws_wins_with_figures_where_they_fit(case: str) -> None:
    k = CASES[case].shape[1]
    tree = drawn(rank_charts.win_chart(wins_of(CASES[case])))
    few = k <= rank_charts.MOST_FIGURES
    assert marks(tree, "rect") == k * (k - 1)
    assert marks(tree, "text") == (k * (k - 1) if few else 0)


def test_one_method_alone_wins_against_nobody() -> None:
    assert wins_of(table_of([[0.5]])).empty


COSTS = st.lists(
    st.tuples(st.integers(0, 6).map(float), st.integers(1, 6).map(float)), min_size=1, max_size=12
)


@given(COSTS)
def test_the_frontier_is_what_nothing_beats(points: list[tuple[float, float]]) -> None:
    frame = pd.DataFrame(points, columns=["mean", "cost"])
    expected = [
        not any(
            (other >= mean and price < cost) or (other > mean and price <= cost)
            for other, price in points
        )
        for mean, cost in points
    ]
    assert cost_chart.frontier(frame).tolist() == expected


@given(COSTS)
def test_along_the_frontier_more_cost_is_more_accuracy(points: list[tuple[float, float]]) -> None:
    frame = pd.DataFrame(points, columns=["mean", "cost"])
    on = frame[cost_chart.frontier(frame)].drop_duplicates().sort_values("cost")
    assert on["mean"].is_monotonic_increasing
    assert on["cost"].is_unique


def test_the_frontier_keeps_the_index_of_its_frame() -> None:
    frame = pd.DataFrame({"mean": [1.0, 2.0], "cost": [2.0, 1.0]}, index=[7, 3])
    assert cost_chart.frontier(frame).to_dict() == {7: False, 3: True}


def costs_of(n: int, names: list[str] | None = None) -> pd.DataFrame:
    """Methods whose accuracy and cost do not go together."""
    random = np.random.default_rng(n)
    mean = 60 + 30 * random.random(n)
    return pd.DataFrame(
        {
            "method": names or [f"m{i}" for i in range(n)],
            "mean": mean,
            "low": mean - 2,
            "high": mean + 2,
            "cost": np.exp(random.normal(size=n)),
        }
    )


COST_CASES = {
    "one": costs_of(1),
    "five": costs_of(5),
    "sixty": costs_of(60),
    "alike": costs_of(3).assign(mean=70.0, cost=1.0),
    "hostile": costs_of(5, HOSTILE),
    "without intervals": costs_of(4).assign(low=math.nan, high=math.nan),
}


@pytest.mark.parametrize("case", COST_CASES)
def test_vega_draws_every_cost_with_its_names(case: str) -> None:
    frame = COST_CASES[case]
    tree = drawn(cost_chart.cost_chart(frame, "training time, × ce"))
    named = frame["method"]
    if len(frame) > cost_chart.ALL_NAMED:
        named = named[cost_chart.frontier(frame)]
    assert marks(tree, "symbol") == len(frame)
    assert set(named) <= set(words(tree))


def test_of_many_methods_only_those_of_the_frontier_are_named() -> None:
    frame = COST_CASES["sixty"]
    shown = set(words(drawn(cost_chart.cost_chart(frame, "seconds"))))
    beaten = set(frame.loc[~cost_chart.frontier(frame), "method"])
    assert not shown & beaten


STANDINGS = {
    "one method": random_table(1, 3),
    **CASES,
}


@pytest.mark.parametrize("case", STANDINGS)
def test_vega_draws_every_mean_over_its_parts(case: str) -> None:
    table = 100 * STANDINGS[case]
    means = pd.DataFrame({"method": table.columns, "mean": table.mean().to_numpy()})
    means = means.assign(low=means["mean"] - 1, high=means["mean"] + 1)
    parts = table.melt(value_name="value").assign(noise="n")
    tree = drawn(standing_charts.standings(means, parts, "noise", "test accuracy, %"))
    assert marks(tree, "symbol") == len(means)
    assert marks(tree, "rect") == len(parts)


def test_a_mean_without_an_interval_is_still_drawn() -> None:
    means = pd.DataFrame({"method": ["ce"], "mean": [70.0], "low": [math.nan], "high": [math.nan]})
    parts = pd.DataFrame({"method": ["ce"], "seed": [0], "value": [70.0]})
    tree = drawn(standing_charts.standings(means, parts, "seed", "test accuracy, %"))
    assert marks(tree, "symbol") == 1
    assert "70.00" in words(tree)

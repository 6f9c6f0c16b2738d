"""One method: what it is, what it knows and costs, and every cell of it against the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from bench.api import KNOWLEDGE, USES
from bench.estimate import duration
from bench.report.coverage_charts import DONE, FAILED, LEFT_OUT, MISSING, NO_VALUE, PARTLY
from bench.report.method_charts import against_best
from bench.report.tables import BADGES
from bench.stats.frame import BLOCK
from bench.stats.one_method import beside_best, cost_ratio
from dashboard import method_data as data
from dashboard import states
from dashboard.controls import choose
from dashboard.data import OFF, Board
from dashboard.exports import show_chart, show_table
from dashboard.links import show_link
from dashboard.method_tables import cells_table, methods_table, parameters_table
from dashboard.papers import paper_markdown
from dashboard.words import count, fill_command, headings, listing, only_name, plain, points

FIRST, BASE = "lip", "ce"
SCROLL_PX, MANY_BLOCKS = 620, 30
MIB = 2**20

HOLES = {
    MISSING: "missing",
    PARTLY: "missing",
    FAILED: "failed",
    NO_VALUE: "without a value",
    DONE: "without a value",
    LEFT_OUT: "left out by the plan",
}
"""What to call a cell without a mean, by its state."""


def show(board: Board) -> None:
    """The page."""
    if not board.done:
        states.nothing_done(board)
    declared = data.read_declared(board)
    if declared.empty:
        st.markdown("The plan of this board holds no method.")
        return
    chosen = choose(
        "Method",
        list(declared["method"]),
        "about",
        help="Of this board; parameters that differ from the defaults are part of the name.",
    )
    method: dict[str, Any] = declared[declared["method"] == chosen].iloc[0].to_dict()
    costs = data.read_costs(board)
    st.subheader(plain(chosen))
    _what(method)
    _cost(method, costs)
    if board.done:
        _standing(board, method)
    with states.guarded("parameters"):
        _parameters(board, method)
    show_link(board, "runs", f"All runs of {plain(chosen)}, with their curves", method=chosen)
    with states.guarded("table"):
        _everyone(declared, costs)


def _what(method: Mapping[str, Any]) -> None:
    st.markdown(plain(method["summary"]))
    knows = [(BADGES.get(name, name), KNOWLEDGE.get(name, name)) for name in method["knows"]]
    uses = [(BADGES.get(name, name), USES.get(name, name)) for name in method["uses"]]
    marks = [f":orange-badge[told: {plain(short)}]" for short, _ in knows]
    marks += [f":blue-badge[uses: {plain(short)}]" for short, _ in uses]
    marks.append(f":gray-badge[family: {plain(method['family'])}]")
    told = " and ".join(plain(words) for _, words in knows) or "nothing beyond the given labels"
    sentences = [f"It is told {told}"]
    if uses:
        sentences.append(f"It {', and '.join(plain(words) for _, words in uses)}")
    elif method["n_networks"] == 0:
        sentences.append("It trains no network: it fits the features at once")
    else:
        sentences.append("It trains one network from scratch")
    if method["learns_from"] == "candidates":
        sentences.append("It learns from sets of candidate labels")
    if isinstance(method["predicts"], str) and method["predicts"] != "the network":
        sentences.append(f"It predicts by {plain(method['predicts'])}")
    st.markdown("  \n".join([" ".join(marks), ". ".join(sentences) + "."]))
    st.markdown(
        f"Paper: {paper_markdown(str(method['paper']))}"
        if method["paper"]
        else "No paper is named."
    )


def _cost(method: Mapping[str, Any], costs: pd.DataFrame) -> None:
    own = costs[costs["method"] == method["method"]]
    trainings = own["trainings"].sum()
    seconds = (own["train_s"] * own["trainings"]).sum() / trainings if trainings else math.nan
    ratio = cost_ratio(costs, str(method["method"]), BASE)
    memory, size = own["peak_memory_bytes"].max(), own["n_parameters"].max()
    with st.container(horizontal=True, gap="medium"):
        for label, value, meaning in (
            (
                "Declared cost",
                "–" if method["cost"] is None else f"{method['cost']:g} ×",
                "Forward-and-backward passes a sample and epoch; cross entropy is 1.",
            ),
            (
                "A training",
                "–" if math.isnan(seconds) else duration(seconds),
                "Mean training time, as measured on this board, without evaluations.",
            ),
            (
                f"Beside {BASE}",
                "–" if math.isnan(ratio) else f"{ratio:.1f} ×",
                f"Measured seconds over those of {BASE}, on the cells that both have here.",
            ),
            (
                "Peak memory",
                "–" if pd.isna(memory) else f"{memory / MIB:,.0f} MiB",
                "The most of any training here, of the whole process or of the accelerator.",
            ),
            (
                "Weights",
                "–" if pd.isna(size) else f"{size:,.0f}",
                f"Of {count(int(method['n_networks'] or 0), 'network')} together.",
            ),
        ):
            st.metric(label, value, help=meaning, width="content")


def _standing(board: Board, method: Mapping[str, Any]) -> None:
    """Every cell of the method against the best."""
    name = str(method["method"])
    every = data.read_states(board)
    blocks = every[every["state"] != LEFT_OUT][BLOCK].drop_duplicates()
    own = every[every["method"] == name][[*BLOCK, "state", "planned", "reason"]]
    cells = data.read_cells(board)
    rows = blocks.merge(own, on=BLOCK, how="left").merge(
        beside_best(_in_order(cells, every), name), on=BLOCK, how="left"
    )
    rows["state"] = rows["state"].fillna(LEFT_OUT)
    rows["state"] = rows["state"].where(rows["mean"].notna(), rows["state"].map(HOLES))
    names = headings(list(blocks.itertuples(index=False, name=None)))
    rows["block"] = names
    st.markdown(_verdict(rows))
    _holes(board, method, rows)
    with states.guarded("chart"):
        _chart(rows, cells, names, name)
    st.subheader("All its cells")
    found = data.read_gains(board, name)
    with states.guarded("table"):
        show_table(
            cells_table(rows, _gains(found, _refiners(found))), f"Cells of {name}", height="content"
        )
    st.caption(
        "Test accuracy in %, last epoch, refiner off. Gains are means over the seeds that have "
        "both, in percentage points."
    )


def _in_order(cells: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """Methods in the order of the plan, so that of several best ones the first is named."""
    place = {name: number for number, name in enumerate(dict.fromkeys(every["method"]))}
    return cells.iloc[cells["method"].map(place).argsort(kind="stable")]


def _verdict(rows: pd.DataFrame) -> str:
    have = rows[rows["mean"].notna()]
    columns = count(len(have), "column")
    if have.empty:
        return "It has no result in any column of this board."
    if have["of"].max() == 1:
        return f"No other method has a result in the {columns} that it has one in."
    best = int((have["behind"] == 0).sum())
    mean = float(have["behind"].mean())
    if best == len(have):
        text = f"**Best in all {columns}**"
    else:
        text = f"**Best in {best} of {columns}**" if best else f"**Best in none of {columns}**"
        text += f"; on average **{_behind(mean)}** behind the best"
        worst = have.loc[have["behind"].idxmin()]
        text += f", at most {_behind(worst['behind'])} ({plain(worst['block'])})"
    above = int((have["mean"] > have["median"]).sum())
    text += f". Above the median of all methods in {above} of {len(have)}"
    if len(have) < len(rows):
        lost = len(rows) - len(have)
        text += f". {count(lost, 'column')} without a result of it {_are(lost)} not counted"
    return text + "."


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _behind(difference: float) -> str:
    return f"{points(-difference).lstrip('+')} points"


def _holes(board: Board, method: Mapping[str, Any], rows: pd.DataFrame) -> None:
    """Its cells without a mean, by name, and the command that fills what can be filled."""
    empty = rows[rows["mean"].isna()]
    if empty.empty:
        return
    parts = []
    for why, group in empty.groupby("state", sort=False):
        parts.append(f"{len(group)} {why}: {listing(group['block'], 4)}")
    reasons = [reason for reason in dict.fromkeys(empty["reason"].dropna()) if reason]
    text = f"Columns without a result: {'; '.join(parts)}."
    if reasons:
        text += f" Left out because: {'; '.join(plain(reason) for reason in reasons)}."
    st.markdown(text)
    if (empty["state"] == HOLES[MISSING]).any():
        only = {"method": [only_name(str(method["method"]), str(method["name"]))]}
        command = fill_command(board.suite, board.budget, board.path, only)
        st.code(command, language="bash", wrap_lines=True)


def _chart(rows: pd.DataFrame, cells: pd.DataFrame, names: list[str], name: str) -> None:
    # Where the method has no value the others still stand, so that the hole is seen.
    groups = cells.groupby(BLOCK)["mean"]
    others = groups.agg(best="max", median="median").reset_index()
    leads = cells.loc[groups.idxmax(), [*BLOCK, "method"]].rename(columns={"method": "leader"})
    drawn = rows.drop(columns=["best", "median"]).merge(others, on=BLOCK, how="left")
    drawn = drawn.merge(leads, on=BLOCK, how="left")
    figures = {c: 100 * drawn[c] for c in ("mean", "low", "high", "best", "median")}
    drawn = drawn.assign(
        **figures,
        best_method=drawn["best_method"].fillna(drawn["leader"]),
        rank=[
            "" if math.isnan(r["mean"]) else f"{r['rank']:g} of {r['of']:.0f}"
            for r in drawn.to_dict("records")
        ],
        why=drawn["state"],
    )
    kept = drawn[["block", "mean", "low", "high", "best", "best_method", "median", "rank", "why"]]
    st.subheader("Against the best")
    box: dict[str, Any] = {"height": SCROLL_PX} if len(names) > MANY_BLOCKS else {}
    with st.container(key="against_best", **box):
        show_chart(
            lambda ink: against_best(kept, names, ink),
            f"{name} against the best",
            alt=f"Mean test accuracy of {plain(name)} in every column, with the best and the "
            "median of all methods",
            csv=kept,
        )
    st.caption(
        "Bar: 95 % interval over seeds; line: the way to the best. The best of each column was "
        "chosen after the fact among all methods, so a little of that way is luck."
    )


def _refiners(found: pd.DataFrame) -> list[str]:
    """LIP, and one more that the reader chooses."""
    names = [name for name in dict.fromkeys(found["refiner"]) if name != OFF]
    names.sort(key=lambda name: name != FIRST)
    if len(names) < 2:
        return names
    chosen = choose(
        "Gain of",
        names,
        "method_gain",
        help=f"The plug-in whose gain the table shows, beside {FIRST}'s.",
        folded=True,
    )
    return list(dict.fromkeys([names[0], chosen]))


def _gains(found: pd.DataFrame, names: list[str]) -> dict[str, dict[tuple[str, str], float]]:
    return {
        name: {
            (row["dataset"], row["noise"]): row["gain"]
            for row in found[found["refiner"] == name].to_dict("records")
        }
        for name in names
    }


def _parameters(board: Board, method: Mapping[str, Any]) -> None:
    name = str(method["method"])
    cells, suite = data.read_parameters(board, name)
    sha = plain(str(method["source_sha"])[:12])
    if not any(cells["params"]):
        st.caption(f"It has no parameters. Source {sha}.")
        return
    st.subheader("Parameters")
    show_table(parameters_table(cells, method, suite), f"Parameters of {name}")
    st.caption(f"Source {sha}: another source is another training.")


def _everyone(declared: pd.DataFrame, costs: pd.DataFrame) -> None:
    st.subheader("All methods of this board")
    weighted = costs.assign(total=costs["train_s"] * costs["trainings"])
    sums = weighted.groupby("method")[["total", "trainings"]].sum()
    seconds = (sums["total"] / sums["trainings"]).to_dict()
    show_table(
        methods_table(declared, {str(name): float(value) for name, value in seconds.items()}),
        "All methods",
    )

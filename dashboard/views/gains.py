"""What a plug-in gives and takes in every cell; harm is as loud as gain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from bench.report import gain_charts
from bench.stats.frame import CELL
from dashboard import attribution, gain_section, states
from dashboard.controls import choose
from dashboard.data import OFF, Board
from dashboard.exports import show_chart, show_table
from dashboard.filters import choose_cells
from dashboard.tables import gains_table
from dashboard.words import count, headings, percent, plain, points

FIRST = "lip"


def show(board: Board) -> None:
    """The page."""
    if not board.done:
        states.nothing_done(board)
        states.failures(board, opened=True)
        return
    refiners = [name for name in board.refiners() if name != OFF]
    if not refiners or all(board.gains(name).cells.empty for name in refiners):
        st.subheader("No gains yet")
        st.markdown(
            "A gain compares a refiner with **off** on the same trained weights; no training of "
            "this board has both."
        )
        states.refused(board)
        return
    refiners.sort(key=lambda name: name != FIRST)
    refiner = choose(
        "Refiner",
        refiners,
        "gain",
        help="The plug-in whose gain over off is shown; both come from the same trained weights.",
    )
    filtered = choose_cells(board, board.cells())
    if filtered.is_nothing:
        states.nothing_left()
        return
    filtered.show()
    found = board.gains(refiner, filtered.wanted)
    one = found.cells
    blocks, methods = _axes(filtered.wanted.of(board.cells()))
    frame = gain_charts.gain_frame(one, methods, blocks, headings(blocks))
    if one.empty:
        st.markdown(f"No evaluation of **{plain(refiner)}** has a value here yet.")
    else:
        st.markdown(_verdict(found.overall.iloc[0].to_dict(), frame))
        gain_section.show_cells(frame, refiner)
        st.caption(_legend(one, filtered.wanted.of(board.scores(refiner, with_k=True))))
        gain_section.show_methods(found.by_method, refiner)
        gain_section.show_where(board, frame, refiner)
    _all_refiners(board)
    attribution.show(board, refiner)
    if not one.empty:
        _curves(board, filtered.wanted.of(board.overall_gains()[0]), refiner)
    states.failures(board)
    states.refused(board)


def _all_refiners(board: Board) -> None:
    """Every refiner over all cells, with the oracle beside them if it is asked for."""
    st.subheader("All refiners")
    cells, overall = board.overall_gains()
    with_oracle = bool(board.results()["k"].notna().any()) and st.toggle(
        "Show the oracle",
        key="oracle_k",
        help="Adds what the best k of every training would gain. It uses test labels, so it is "
        "never ranked; it shows what choosing k better could give at most.",
        bind="query-params",
    )
    with states.guarded("table"):
        oracle = attribution.oracle(board) if with_oracle else None
        show_table(gains_table(overall, _worst(cells), oracle), "All refiners", csv=overall)
    text = (
        "Percentage points of test accuracy over off, from the same trained weights: seeds are "
        "averaged inside a cell, intervals and the test are over cells, without the filter. Cells "
        "share data, so they are less independent than the test takes them to be."
    )
    if with_oracle:
        text += " The oracle chose its k by test labels: it is no result, and is not ranked."
    st.caption(text)


def _axes(cells: pd.DataFrame) -> tuple[list[tuple[str, str]], list[str]]:
    pairs = zip(cells["dataset"], cells["noise"], strict=True)
    return list(dict.fromkeys(pairs)), [str(name) for name in dict.fromkeys(cells["method"])]


def _verdict(row: Mapping[Any, Any], frame: pd.DataFrame) -> str:
    """The answer in words, with the worst cell by name."""
    name = plain(row["refiner"])
    mean = points(row["gain"])
    cells = count(int(row["cells"]), "cell")
    text = f"**{name}**: **{mean} points** on average over {cells}"
    if math.isnan(row["low"]):
        text += ". Fewer than three cells: no interval, so nothing is shown either way."
    else:
        text += f", 95 % interval {points(row['low'])} to {points(row['high'])}. "
        if row["low"] > 0:
            text += "The interval is above 0: it **helps** on average."
        elif row["high"] < 0:
            text += "The interval is below 0: it **harms** on average."
        else:
            text += "The interval holds 0: neither help nor harm is shown on average."
    text += f" Better in {row['wins']}, unchanged in {row['ties']}, worse in {row['losses']}"
    worst = frame.loc[frame["gain"] == frame["gain"].min()].iloc[0]
    if worst["effect"] == "harm":
        text += (
            f"; at worst {points(worst['gain'] / 100)} ({plain(worst['method'])}, "
            f"{plain(worst['block'])})"
        )
    return text + "."


def _legend(cells: pd.DataFrame, results: pd.DataFrame) -> str:
    text = (
        "Orange is harm, blue is gain, equally strong at equal size; in percentage points, mean "
        "over seeds. Dashed: no pair of on and off."
    )
    seeds = int(cells["seeds"].min())
    if seeds < 3:
        text += f" Some cells have only {count(seeds, 'seed')}: a single cell says little there."
    with_k = results[results["k"].notna()]
    if len(with_k):
        whole = int((with_k["k"] == with_k["rank"]).sum())
        text += (
            f" The k that was taken is the full rank of the head in {whole} of "
            f"{count(len(with_k), 'training')}."
        )
    return text


def _worst(cells: pd.DataFrame) -> dict[str, str]:
    lowest = cells.loc[cells.groupby("refiner")["gain"].idxmin()]
    pairs = zip(lowest["dataset"], lowest["noise"], strict=True)
    every = list(dict.fromkeys(zip(cells["dataset"], cells["noise"], strict=True)))
    names = dict(zip(every, headings(every), strict=True))
    return {
        refiner: f"{method} · {names[pair]}"
        for refiner, method, pair in zip(lowest["refiner"], lowest["method"], pairs, strict=True)
    }


def _curves(board: Board, cells: pd.DataFrame, refiner: str) -> None:
    """Every k of one cell, for audit."""
    trained = board.scores(refiner, with_k=True)
    if trained["k"].isna().all():
        return
    st.subheader("Every k of one cell")
    every = list(dict.fromkeys(zip(cells["dataset"], cells["noise"], strict=True)))
    names = dict(zip(every, headings(every), strict=True))
    # The order must not hang on the chosen refiner: the first cell is not in the URL, and a link
    # has to open on the cell that was seen.
    most = cells.assign(gain=cells["gain"].abs()).sort_values(
        "gain", ascending=False, kind="stable"
    )
    options = {
        f"{row['method']} · {names[(row['dataset'], row['noise'])]}": row
        for row in most.drop_duplicates(CELL).to_dict("records")
    }
    chosen = st.selectbox(
        "Cell",
        list(options),
        key="cell",
        help="The cells that any refiner changed most come first.",
        bind="query-params",
    )
    row = options[chosen]
    with states.guarded("curve"):
        curves = board.curves(row["dataset"], row["noise"], row["method"], refiner)
        if curves.empty:
            st.caption("This refiner stored no curve for this cell.")
            return
        scaled = curves.assign(
            test_accuracy=100 * curves["test_accuracy"],
            noisy_val_accuracy=100 * curves["noisy_val_accuracy"],
        )
        left, right = st.columns(2)
        with left:
            st.markdown("**Test accuracy**, shown for audit")
            show_chart(
                lambda ink: gain_charts.k_curve(scaled, "test_accuracy", 100 * row["off"], ink),
                "Test accuracy at every k",
                csv=scaled,
                alt="Test accuracy against k; seeds thin, mean thick",
            )
        with right:
            st.markdown("**Noisy validation accuracy**, which may choose k")
            if scaled["noisy_val_accuracy"].isna().all():
                st.caption("This protocol holds no validation samples out.")
            else:
                show_chart(
                    lambda ink: gain_charts.k_curve(scaled, "noisy_val_accuracy", ink=ink),
                    "Noisy validation accuracy at every k",
                    csv=scaled,
                    alt="Noisy validation accuracy against k; seeds thin, mean thick",
                )
        same = trained[
            (trained["dataset"] == row["dataset"])
            & (trained["noise"] == row["noise"])
            & (trained["method"] == row["method"])
        ]
        whole = int((same["k"] == same["rank"]).sum())
        st.caption(
            f"Thin: seeds; thick: their mean; diamond: the k that was taken; dashed: off, "
            f"{percent(row['off'])} %. k was chosen without the test curve. In {whole} of "
            f"{count(len(same), 'training')} of this cell it is the full rank of the head."
        )

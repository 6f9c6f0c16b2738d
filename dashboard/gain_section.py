"""Where one refiner helps and where it harms: cells, rates, methods, with their significance."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from bench.report import gain_charts, slope_charts
from bench.stats.gains import association
from bench.stats.noise import by_block
from bench.stats.spearman import Association
from dashboard import states
from dashboard.controls import choose
from dashboard.data import Board
from dashboard.exports import Shown, show_chart, show_table
from dashboard.tables import figures, p_words, styled
from dashboard.words import count, percent, plain, points

SLOPE, RATE, OFF_ACCURACY = "Off to on", "Noise rate", "Accuracy without it"


def show_cells(frame: pd.DataFrame, refiner: str) -> None:
    """The heat map of all cells.

    Args:
        frame: as ``gain_charts.gain_frame`` gives it.
        refiner: whose gains these are.
    """
    with states.guarded("heat map"):
        show_chart(
            lambda ink: gain_charts.heat_map(frame, ink),
            "Gains in every cell",
            alt=f"Gain of {plain(refiner)} in every cell, in percentage points",
            csv=frame,
        )


def show_where(board: Board, frame: pd.DataFrame, refiner: str) -> None:
    """Gains from off to on, against the noise rate, and against the accuracy without it."""
    st.subheader("Where does it help?")
    drawn = {
        SLOPE: lambda: _slopes(frame, refiner),
        RATE: lambda: _rates(board, frame, refiner),
        OFF_ACCURACY: lambda: _off(frame, refiner),
    }
    chosen = choose(
        "Seen by",
        list(drawn),
        "where",
        help="Accuracy off and on; gain against the share of wrong labels; gain against the "
        "accuracy without the plug-in.",
    )
    with states.guarded("chart"):
        drawn.get(chosen, drawn[SLOPE])()


def _slopes(frame: pd.DataFrame, refiner: str) -> None:
    slopes = slope_charts.slope_frame(frame)
    show_chart(
        lambda ink: slope_charts.slope_chart(slopes, ink),
        "Off to on",
        alt=f"Accuracy of every method without and with {plain(refiner)}",
        csv=slopes,
    )
    few = "thick: a method's mean over its cells; thin: its cells"
    text = few if (slopes["level"] == "cell").any() else "a line is a method's mean over its cells"
    st.caption(f"From the same trained weights; {text}. Dashed orange lines fall: harm.")


def _rates(board: Board, frame: pd.DataFrame, refiner: str) -> None:
    labels = by_block(board.labels())
    rate = labels["realised"].fillna(labels["nominal"])
    keys = zip(labels["dataset"], labels["noise"], strict=True)
    of = dict(zip(keys, 100 * rate, strict=True))
    places = zip(frame["dataset"], frame["noise"], strict=True)
    rated = frame.assign(rate=[of.get(place, math.nan) for place in places])
    if rated["rate"].isna().all():
        st.caption("Nobody knows the share of wrong labels of these noises.")
        return
    show_chart(
        lambda ink: slope_charts.gain_against_rate(rated, ink),
        "Gain against noise rate",
        alt=f"Gain of {plain(refiner)} against the share of wrong labels, a mark a cell",
        csv=rated,
    )
    st.caption(
        "A mark is a cell, the line the mean at each rate. "
        + _associated(association(rated, "rate"), "with the share of wrong labels")
    )


def _off(frame: pd.DataFrame, refiner: str) -> None:
    show_chart(
        lambda ink: gain_charts.gain_against_off(frame, ink),
        "Gain against accuracy",
        alt=f"Gain of {plain(refiner)} against accuracy without it, a mark a cell",
        csv=frame,
    )
    st.caption(
        "A mark is a cell. On the left are the cells that were poor without it, above 0 those that "
        "it made better. " + _associated(association(frame, "off"), "with the accuracy without it")
    )


def _associated(found: Association, what: str) -> str:
    """What Spearman's correlation says, in a sentence."""
    if math.isnan(found.rho):
        return f"Too few cells, or all alike, to say whether gains go {what}."
    text = f"Spearman's ρ of gain {what} is {found.rho:+.2f}".replace("-", "−")
    if not math.isnan(found.low):
        interval = f"{found.low:+.2f} to {found.high:+.2f}".replace("-", "−")
        text += f" (95 % interval {interval}, {count(found.n, 'cell')})"
    return f"{text}; cells share data, so take it as a description."


def show_methods(by_method: pd.DataFrame, refiner: str) -> None:
    """A row a method, with the test over its cells.

    Args:
        by_method: ``bench.stats.gains.by_method`` of the refiner.
        refiner: whose gains these are.
    """
    st.subheader("By method")
    frame = by_method.sort_values("gain", ascending=False, kind="stable")
    order = ["method", "gain", "low", "high", "p_holm", "effect", "improvement", "wins", "ties"]
    shown = frame[[*order, "losses", "worst", "off", "cells"]].reset_index(drop=True)
    for column in ("gain", "low", "high", "worst"):
        shown[column] = figures(shown[column], points)
    shown["p_holm"] = figures(shown["p_holm"], p_words)
    shown["effect"] = figures(shown["effect"], "{:+.2f}".format)
    shown["improvement"] = figures(shown["improvement"], "{:.0%}".format)
    shown["off"] = figures(shown["off"], percent)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns = {
        "method": text("method", pinned=True, help="The method and parameters that differ."),
        "gain": number("gain", help="Mean of its cells' gains over off, in percentage points."),
        "low": number("from", help="Lower end of the 95 % bootstrap interval over its cells."),
        "high": number("to", help="Upper end of that interval."),
        "p_holm": number(
            "p, Holm",
            help="Wilcoxon signed-rank test over the method's cells, two-sided, corrected by Holm "
            "over the methods. None below six cells, where no such test can reach 0.05.",
        ),
        "effect": number(
            "effect",
            help="Matched-pairs rank-biserial correlation: 1 where every cell gains, −1 where "
            "every cell loses.",
        ),
        "improvement": number(
            "P(better)",
            help="Probability of improvement: the share of a cell's seeds that gain, ties half, "
            "averaged over the cells.",
        ),
        "wins": number("better", help="Cells whose mean gain is above 0."),
        "ties": number("same", help="Cells whose mean gain is 0."),
        "losses": number("worse", help="Cells whose mean gain is below 0: harm."),
        "worst": number("worst", help="The lowest mean gain of its cells."),
        "off": number("off", help="Mean accuracy without the plug-in."),
        "cells": number("cells", help="Cells with a pair of on and off."),
    }
    with states.guarded("table"):
        show_table(Shown(styled(shown), columns), f"Gains of {refiner} by method", csv=by_method)
    told = by_method[by_method["p_holm"] < 0.05]
    helped, harmed = int((told["gain"] > 0).sum()), int((told["gain"] < 0).sum())
    if by_method["p_holm"].isna().all():
        st.caption("No method has six cells, so none is tested: the intervals say what there is.")
    else:
        st.caption(
            f"Of {count(len(by_method), 'method')}, {helped} gain significantly and {harmed} lose "
            "significantly, after Holm's correction over the methods."
        )

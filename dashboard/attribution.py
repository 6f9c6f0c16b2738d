"""Whether LIP's gains are its own: a section of the page of gains."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from bench.report.attribution import CAVEAT, RULE, TITLE, families_of
from bench.report.forest import forest, forest_frame
from bench.stats.attribution import (
    ALSO,
    HARM,
    NO_GAIN,
    OPEN,
    OWN,
    TOO_FEW,
    Attribution,
    attribution,
)
from bench.stats.frame import CELL
from bench.stats.oracle import oracle_gains
from bench.store import reader
from dashboard import states
from dashboard.attribution_table import attribution_table
from dashboard.data import Board
from dashboard.exports import show_chart, show_table
from dashboard.kept import kept
from dashboard.words import count, listing, plain, points


def show(board: Board, refiner: str) -> None:
    """The section; the chart is of ``refiner`` where that is LIP or a variant of it, else of LIP.

    A board on which no variant has a value has no such section.
    """
    with states.guarded("attribution"):
        found = _attribution(board)
        variants = list(dict.fromkeys(found.verdicts["refiner"]))
        if not variants:
            return
        st.subheader(TITLE)
        variant = refiner if refiner in variants else variants[0]
        st.markdown(answer(found, variant))
        frame = forest_frame(found, variant)
        show_chart(
            lambda ink: forest(frame, ink),
            "Whose the gains are",
            csv=frame,
            alt=f"Mean gain of {plain(variant)} and of the controls with 95 % intervals, a row a "
            "family of methods",
        )
        st.caption(
            f"Circle: {plain(variant)}; other shapes: controls, on the trainings that both have. "
            "Bars are 95 % bootstrap intervals over cells. Controls overlap with LIP even where "
            "one of the two wins every time: the verdict looks at their difference, cell by cell."
        )
        show_table(attribution_table(found), "Attribution", csv=found.verdicts)
        st.caption(f"{RULE} {CAVEAT}")


def oracle(board: Board) -> pd.DataFrame:
    """The gains of the best test k, as ``bench.stats.oracle`` has them."""
    return board.snapshot.read(_oracle)


def answer(found: Attribution, variant: str) -> str:
    """Which families gain by the variant, and whose the gain is, in words."""
    rows = found.verdicts[found.verdicts["refiner"] == variant].to_dict("records")
    whole, families = rows[0], rows[1:]
    name = plain(variant)
    text = f"**{name}** over all methods: {_sentence(whole)}"
    for said, verdict in (("It is LIP's own in", OWN), ("It harms", HARM)):
        named = [row["family"] for row in families if row["verdict"] == verdict]
        if named:
            text += f" {said} {listing(named, most=len(named))}."
    return text


def _sentence(row: Mapping[Any, Any]) -> str:
    verdict = row["verdict"]
    mean = f"{points(row['gain'])} points over {count(int(row['cells']), 'cell')}"
    if verdict == TOO_FEW:
        return f"{mean}; fewer than three cells show nothing either way."
    if verdict == HARM:
        return f"{mean}, which is **harm**: there is no gain to explain."
    if verdict == NO_GAIN:
        return f"{mean}, which is **no gain**: its interval holds 0, and there is none to explain."
    if verdict == OWN:
        return f"{mean}, and **the gain is LIP's own**: it beats every control."
    if verdict.startswith(ALSO):
        controls = plain(verdict.removeprefix(ALSO))
        return f"{mean}, but **not shown to be LIP's own**: no clear difference to {controls}."
    controls = plain(verdict.removeprefix(OPEN))
    return f"{mean}, and **open whether it is LIP's own**: not compared with {controls}."


@kept(8)
def _attribution(board: Board) -> Attribution:
    results = board.results().astype(dict.fromkeys([*CELL, "refiner"], object))
    return attribution(results, families_of(board.methods(), results))


def _oracle(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    return oracle_gains(reader.results(connection, board))

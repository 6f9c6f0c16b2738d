"""What of a board the reader wants to see, chosen in controls and kept in the URL."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from bench.report.tables import BADGES
from dashboard.controls import choose_many, place
from dashboard.data import Board
from dashboard.wanted import Wanted
from dashboard.words import count


@dataclass(frozen=True)
class Filtered:
    """A choice of cells.

    Attributes:
        wanted: the cells; of no meaning where nothing is left.
        kept: how many methods are left.
        every: of how many.
        is_nothing: no cell is left.
    """

    wanted: Wanted
    kept: int
    every: int
    is_nothing: bool

    @property
    def words(self) -> str:
        """What a ranking of a part must say; empty where nothing is left out."""
        if self.wanted.is_everything:
            return ""
        axes = [f"{self.kept} of {count(self.every, 'method')}"]
        for names, noun in ((self.wanted.datasets, "data set"), (self.wanted.noises, "noise")):
            if names:
                axes.append(count(len(names), noun))
        return f"Filtered: {', '.join(axes)}. Ranks are among what is shown, and change with it."

    def show(self) -> None:
        """Say it, in a place that stays when there is nothing to say."""
        with place():
            if self.words:
                st.caption(f":material/filter_list: {self.words}")


def choose_cells(board: Board, cells: pd.DataFrame) -> Filtered:
    """The filters of a board: methods, families, what they are told, data sets and noises."""
    methods = board.methods()
    every = list(cells["method"].cat.categories)
    with st.expander("Filter", icon=":material/filter_list:"):
        left, right = st.columns(2)
        with left:
            names = choose_many("Methods", every, "methods", every="all methods")
            families = [str(f) for f in dict.fromkeys(methods["family"]) if f]
            family = choose_many("Families", families, "families", every="all families")
            without = _without(methods)
        with right:
            datasets = list(cells["dataset"].cat.categories)
            data = choose_many("Data sets", datasets, "datasets", every="all data sets")
            noises = list(cells["noise"].cat.categories)
            noise = choose_many("Noises", noises, "noises", every="all noises")
    told = {
        str(row["method"]): ({*row["knows"], *row["uses"]}, str(row["family"]))
        for row in methods.to_dict("records")
    }
    kept = [
        name
        for name in every
        if name in names
        and (name not in told or (told[name][1] in family or not families))
        and not (name in told and told[name][0] & without)
    ]
    wanted = Wanted(
        tuple(data) if len(data) < len(datasets) else (),
        tuple(noise) if len(noise) < len(noises) else (),
        tuple(kept) if len(kept) < len(every) else (),
    )
    # An empty tuple is all of an axis, so that no method at all is said apart.
    is_nothing = not kept or wanted.of(cells).empty
    return Filtered(wanted, len(kept), len(every), is_nothing)


def _without(methods: pd.DataFrame) -> set[str]:
    """Knowledge and uses that keep a method out."""
    found = {name for column in ("knows", "uses") for names in methods[column] for name in names}
    short = {BADGES.get(name, name): name for name in sorted(found)}
    chosen = st.multiselect(
        "Leave out methods that are told or use",
        list(short),
        key="without",
        placeholder="none left out",
        help="What a method is told beyond the wrong labels, or uses beyond one network trained "
        "from scratch.",
        bind="query-params",
    )
    return {short[name] for name in chosen}

"""Why it works, or not: the singular structure of trained heads beside their clean twins."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from bench.report.structure_charts import (
    angle_chart,
    rank_chart,
    similarity_chart,
    spectra_chart,
)
from bench.stats import twins
from dashboard import states
from dashboard.controls import choose
from dashboard.data import Board
from dashboard.exports import Shown, show_chart, show_table
from dashboard.words import analyse_command, headings, plain, run_command

SUITE = "analysis"
"""The shipped suite that was made for this page."""


def show(board: Board) -> None:
    """The page."""
    heads = board.heads()
    if heads.empty:
        _nothing(board)
        return
    pairs = list(dict.fromkeys(zip(heads["dataset"], heads["method"], strict=True)))
    names = dict(zip([f"{method} · {dataset}" for dataset, method in pairs], pairs, strict=True))
    if len({dataset for dataset, _ in pairs}) == 1:
        names = {method: (dataset, method) for dataset, method in pairs}
    chosen = choose("Method", list(names), "head", help="Whose trained heads are looked at.")
    dataset, method = names.get(chosen, pairs[0])
    one = heads[(heads["dataset"] == dataset) & (heads["method"] == method)]
    found = twins.summary(one)
    if found.empty:
        st.subheader("No twins")
        st.markdown(
            "A head is compared with its twin: the same data, method and seed with true labels. "
            "This suite has no noise **clean**, or its trainings are not done."
        )
        return
    st.markdown(_verdict(found))
    _spectra(one)
    _summary(found)
    _cell(one)
    with st.expander("All of it as files", icon=":material/download:"):
        st.markdown("Every chart of every method as PNG and SVG, the numbers behind it as CSV:")
        st.code(analyse_command(board.suite, board.budget, board.path), language="bash")


def _nothing(board: Board) -> None:
    st.subheader("No singular vectors yet")
    if not board.done:
        states.nothing_done(board)
        return
    if board.heads_without_vectors():
        st.markdown(
            "The heads of this board were trained before their singular vectors were kept. "
            "Training them again keeps them:"
        )
        st.code(run_command(board.suite, board.budget, board.path, "all"), language="bash")
    else:
        st.markdown("No method of this board has a linear head.")
    if board.suite != SUITE:
        st.markdown("This suite was made for this page, and takes five minutes on a CPU:")
        st.code(run_command(SUITE, "", board.path), language="bash")


def _verdict(found: pd.DataFrame) -> str:
    """What the heads show, in a few sentences."""
    parts = []
    change = found["effective_rank"] / found["clean_effective_rank"] - 1
    most = found.loc[change.abs().idxmax()]
    parts.append(
        f"Wrong labels move the effective rank most under **{plain(most['noise'])}**: "
        f"**{most['clean_effective_rank']:.2f} → {most['effective_rank']:.2f}**."
    )
    alike = found.dropna(subset=["above_chance"])
    if len(alike):
        least = alike.loc[alike["above_chance"].idxmin()]
        parts.append(
            f"The first singular vectors are least like those of the twin under "
            f"**{plain(least['noise'])}**: φ = **{least['similarity']:.3f}** at k = {least['k']}, "
            f"where chance is {least['chance']:.3f}."
        )
    bounded = found[found["ridge_bound"].notna() & (found["ridge_sine"] > 0)]
    if len(bounded):
        factor = (bounded["ridge_bound"] / bounded["ridge_sine"]).min()
        loose = f"**{factor:,.0f} times** it" if math.isfinite(factor) else "without a value"
        parts.append(
            f"For ridge heads the bound on the angle is at its tightest {loose}; above 1 it says "
            "nothing."
        )
    return " ".join(parts)


def _spectra(one: pd.DataFrame) -> None:
    st.subheader("Singular spectrum against noise rate")
    spectra, ranks = twins.spectra(one), twins.ranks(one)
    with states.guarded("spectrum"):
        show_chart(
            lambda ink: spectra_chart(spectra),
            "Singular spectra",
            alt="Singular values of the heads by position, a line a noise rate",
            csv=spectra,
            width="content",
        )
        st.caption("Relative to the largest. Dashed: the head of true labels. Means over seeds.")
    with states.guarded("effective rank"):
        show_chart(
            lambda ink: rank_chart(ranks),
            "Effective rank",
            alt="Effective rank of the heads against the share of wrong labels",
            csv=ranks,
            width="content",
        )
        st.caption(
            "Effective rank is exp of the entropy of s²/Σs²: how many directions the head really "
            "uses. Bars reach from the lowest to the highest seed."
        )


def _summary(found: pd.DataFrame) -> None:
    st.subheader("Beside the twin on true labels")
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    shown = found.assign(rate=100 * found["rate"]).drop(columns=["method"])
    if shown["dataset"].nunique() == 1:
        shown = shown.drop(columns=["dataset"])
    bound = shown["ridge_bound"].map(lambda value: value if math.isfinite(value) else math.nan)
    columns = {
        "dataset": text("data set", help="That the heads were trained on."),
        "noise": text("noise", help="Of the labels that the heads were trained on."),
        "rate": number("wrong %", format="%.2f", help="Realised, mean over seeds."),
        "seeds": number("seeds", help="Heads that have a twin; the figures are means over them."),
        "effective_rank": number(
            "eff. rank", format="%.2f", help="Directions that the head uses, on wrong labels."
        ),
        "clean_effective_rank": number("clean", format="%.2f", help="The same of the twin."),
        "k": number("k", help="The rank that holds 90 % of the twin's energy."),
        "similarity": number(
            "φ(k, k)",
            format="%.3f",
            help="Of the first k directions of both heads; 1 is the same subspace.",
        ),
        "chance": number("chance", format="%.3f", help="Of two random subspaces: k / classes."),
        "above_chance": number("above chance", format="%.3f", help="(φ − chance) / (1 − chance)"),
        "sine": number(
            "sin θ", format="%.3f", help="Largest principal angle of the trained heads."
        ),
        "ridge_sine": number(
            "ridge sin θ",
            format="%.3f",
            help="Of ridge heads of given and true labels on the same features.",
        ),
        "ridge_bound": number(
            "bound", format="%.3g", help="On the ridge heads' sine; above 1 says nothing."
        ),
    }
    with st.container(key="twins"), states.guarded("table"):
        show_table(Shown(shown.assign(ridge_bound=bound), columns), "Twins", csv=found)
    st.caption(
        "Symmetric noise leaves the singular vectors where they are in expectation, so a high φ "
        "under it shows nothing; asymmetric noise turns them."
    )


def _cell(one: pd.DataFrame) -> None:
    st.subheader("Subspaces and angles of one noise")
    maps, angles = twins.similarity_map(one), twins.angles(one)
    blocks = list(dict.fromkeys(zip(maps["dataset"], maps["noise"], strict=True)))
    names = dict(zip(headings(blocks), blocks, strict=True))
    chosen = choose(
        "Noise",
        list(names),
        "twin",
        help="Of the labels that the heads were trained on.",
        folded=len(names) > 8,
    )
    dataset, noise = names.get(chosen, blocks[0])
    alike = maps[(maps["dataset"] == dataset) & (maps["noise"] == noise)]
    turned = angles[(angles["dataset"] == dataset) & (angles["noise"] == noise)]
    with states.guarded("heat map"):
        show_chart(
            lambda ink: similarity_chart(alike),
            "Subspace similarity",
            alt="Subspace similarity of the first i and j singular vectors",
            csv=alike,
            width="content",
        )
    st.caption(
        "φ(i, j) of the first i directions of the head of true labels and the first j of this one. "
        "Two random subspaces reach max(i, j) / classes; on the right that is taken off."
    )
    with states.guarded("angles"):
        show_chart(
            lambda ink: angle_chart(turned),
            "Principal angles",
            alt="Sine of the largest principal angle at every k, with the bound for ridge heads",
            csv=turned,
            width="content",
        )
    st.caption(
        "θ is the largest angle between the first k directions. The bound is that of the LIP "
        "paper, with the exact change of the label matrix in it; it is shown as what it is."
    )

"""Data and noise: what the labels are that everybody was given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from bench.data.audit import Example
from bench.report.ink import DARK, Ink
from bench.report.noise_charts import caption, heat_map, matrix_frame
from bench.stats.noise import by_block
from dashboard import states
from dashboard.controls import choose, fold
from dashboard.data import Board
from dashboard.exports import Shown, show_chart, show_table
from dashboard.words import count, headings, plain

ACROSS = 6


def show(board: Board) -> None:
    """The page."""
    labels = board.labels()
    if labels.empty:
        st.subheader("Nothing is planned")
        st.markdown("No cell of this suite can run here; the reasons are below.")
    else:
        _overview(labels)
        _one(board, labels)
    _excluded(board)


def _overview(labels: pd.DataFrame) -> None:
    blocks = by_block(labels)
    st.markdown(
        f"**{count(len(blocks), 'kind')} of labels** on "
        f"{count(blocks['dataset'].nunique(), 'data set')}. Every method of this board was given "
        "the same wrong labels at the same seed."
    )
    shares = ["nominal", "realised", "lowest", "highest", "open_rate"]
    shown = blocks.assign(**{name: 100 * blocks[name] for name in shares})
    empty = {
        "classes": blocks["classes"].nunique() == 1,
        "lowest": blocks["seeds"].max() == 1,
        "highest": blocks["seeds"].max() == 1,
        "open_rate": not blocks["open_rate"].any(),
        "set_size": blocks["set_size"].isna().all(),
        "distinct": blocks["seeds"].max() == 1,
    }
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns = {
        "dataset": text("data set", help="With sizes where it is a part of one."),
        "noise": text("noise", help="The noise and parameters that differ."),
        "samples": number("samples", help="Training samples.", format="localized"),
        "classes": number("classes", help="Of the data set."),
        "nominal": number(
            "nominal %", format="%.2f", help="What was asked for, classes equally frequent."
        ),
        "realised": number(
            "realised %",
            format="%.2f",
            help="Counted; the mean over seeds. Empty where nobody knows the true labels.",
        ),
        "lowest": number("lowest %", format="%.2f", help="Of the seeds' realised rates."),
        "highest": number("highest %", format="%.2f", help="Of the seeds' realised rates."),
        "open_rate": number(
            "open %", format="%.2f", help="Images that belong to none of the classes."
        ),
        "set_size": number("candidates", format="%.2f", help="Mean size of candidate sets."),
        "seeds": number("seeds", help="Of the suite."),
        "distinct": number(
            "label vectors",
            help="Different ones: human labels and label files are the same at every seed.",
        ),
    }
    kept = shown.drop(columns=[name for name, without in empty.items() if without])
    with st.container(key="noise_overview"), states.guarded("table"):
        show_table(Shown(kept, columns), "Labels of the board", csv=blocks)


def _one(board: Board, labels: pd.DataFrame) -> None:
    wrong_first = labels.assign(clean=labels["realised_rate"] == 0).sort_values(
        "clean", kind="stable"
    )
    pairs = list(dict.fromkeys(zip(wrong_first["dataset"], wrong_first["noise"], strict=True)))
    names = dict(zip(headings(pairs), pairs, strict=True))
    chosen = choose(
        "Labels", list(names), "labels", help="Data set and noise.", folded=len(names) > 8
    )
    dataset, noise = names.get(chosen, pairs[0])
    group = labels[(labels["dataset"] == dataset) & (labels["noise"] == noise)]
    first = group.iloc[0]
    class_names = list(first["class_names"])
    st.subheader(f"{plain(noise)} on {plain(dataset)}")
    _facts(group)
    _matrices(group, class_names)
    _examples(board, group, class_names)

    def hashes() -> None:
        number, text = st.column_config.NumberColumn, st.column_config.TextColumn
        shown = group[["seed", "artefact_sha", "realised_rate"]]
        columns = {
            "seed": number("seed", help="Of the suite; the labels are drawn from it."),
            "artefact_sha": text("hash", help="SHA-256 of the label vector: equal labels agree."),
            "realised_rate": number(
                "wrong, share",
                format="%.6f",
                help="Counted. Empty where nobody knows the true labels.",
            ),
        }
        show_table(Shown(shown, columns), "Hashes of label vectors", csv=shown)

    fold("Hashes of the label vectors", "hashes", ":material/fingerprint:", hashes)


def _facts(group: pd.DataFrame) -> None:
    rates = group["realised_rate"].to_numpy(dtype=float)
    if np.isnan(rates).any():
        st.markdown("Nobody knows the true labels, so no rate and no matrix can be computed.")
        return
    text = f"**{100 * rates.mean():.2f} %** of the labels are wrong"
    if rates.max() > rates.min():
        text += f" ({100 * rates.min():.2f} to {100 * rates.max():.2f} over seeds)"
    first = group.iloc[0]
    if first["open_rate"]:
        text += f"; **{100 * first['open_rate']:.2f} %** of the images belong to no class"
    if not math.isnan(first["mean_set_size"]):
        text = (
            f"A label is a set of **{first['mean_set_size']:.2f} candidates** on average; "
            f"**{100 * rates.mean():.2f} %** of the sets lack the true label"
        )
    st.markdown(text + ".")


def _matrices(group: pd.DataFrame, class_names: list[str]) -> None:
    known = [matrix for matrix in group["matrix"] if matrix is not None]
    if not known:
        return
    mean = np.mean([np.asarray(matrix, dtype=float) for matrix in known], axis=0)
    charts = [(mean.tolist(), "As realised, mean over seeds" if len(known) > 1 else "As realised")]
    if group.iloc[0]["nominal"] is not None:
        charts.append((group.iloc[0]["nominal"], "As asked for"))
    with st.container(horizontal=True, gap="medium", key="matrices"):
        for matrix, title in charts:
            with st.container(width="content"), states.guarded("matrix"):
                _matrix(matrix, class_names, title)


def _matrix(matrix: list[list[float]], class_names: list[str], title: str) -> None:
    def draw(ink: Ink) -> Any:
        return heat_map(matrix, class_names, title, dark=ink is DARK)

    show_chart(
        draw,
        f"Label matrix {title}",
        alt=f"Share of every given label in every true class, {title.lower()}",
        csv=matrix_frame(matrix, class_names),
        width="content",
    )


def _examples(board: Board, group: pd.DataFrame, class_names: list[str]) -> None:
    found = board.examples(tuple(group["artefact_sha"]))
    if found.empty:
        if group["realised_rate"].max() > 0:
            st.caption(
                "No images of wrong labels are stored: they are drawn when the suite is run, and "
                "neither features nor candidate sets have any."
            )
        return
    st.markdown("**Wrong labels**: given → true")
    with st.container(horizontal=True, gap="small", key="examples"):
        for row in found.to_dict("records"):
            true = row["true_label"]
            example = Example(
                sample=int(row["sample"]),
                true=None if true is None or math.isnan(true) else int(true),
                foreign=bool(row["is_foreign"]),
                given=int(row["given_label"]),
                png=row["png"],
            )
            with st.container(width=104, gap=None):
                st.image(example.png, width=88)
                st.caption(plain(caption(example, class_names)))


def _excluded(board: Board) -> None:
    excluded = board.excluded()
    if excluded.empty:
        return
    pairs = (
        excluded.groupby(["dataset", "noise", "reason"], sort=False)["method"]
        .nunique()
        .reset_index(name="methods")
    )

    def table() -> None:
        number, text = st.column_config.NumberColumn, st.column_config.TextColumn
        columns = {
            "dataset": text("data set", help="With sizes where it is a part of one."),
            "noise": text("noise", help="The noise and parameters that differ."),
            "reason": text("reason", width="large", help="Why the plan leaves it out."),
            "methods": number("methods", help="How many it is left out for."),
        }
        show_table(Shown(pairs, columns), "Combinations left out", csv=excluded)

    label = f"{count(len(pairs), 'combination')} left out, and why"
    fold(label, "combinations", ":material/block:", table)

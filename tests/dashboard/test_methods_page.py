"""The page of one method."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bench.plan import Plan
from bench.records import Outcome
from bench.training_spec import TrainingSpec
from dashboard.papers import paper_address, paper_markdown

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]
Synthetic = tuple[Callable[..., Outcome], Callable[..., Outcome]]

WITH_PARAMETERS = """
suite: tiny
datasets: [digits]
noises: [clean, {pairflip: {rate: 0.4}}]
methods: [ce, {gce: {q: 0.5}}, elr]
refiners: [off]
seeds: SEEDS
overrides: [{when: {method: elr, noise: pairflip}, params: {lam: 1}}]
exclude: [{method: gce, noise: pairflip}]
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


def table(at: AppTest, column: str) -> Any:
    """The first table that has this column."""
    return next(found.value for found in at.dataframe if column in found.value)


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def test_the_method_of_the_url_is_shown_with_what_it_is_told(
    visit: Visit, said: Said, full: Path
) -> None:
    at = visit(full, "methods", about="co-teaching")
    assert at.segmented_control(key="about").value == "co-teaching"
    text = said(at)
    assert "Co-teaching: each network trains on the samples with smallest loss" in text
    assert ":orange-badge[told: rate]" in text
    assert ":blue-badge[uses: 2 nets]" in text
    assert "It is told the true share of wrong training labels. It trains two networks" in text
    assert "(https://arxiv.org/abs/1804.06872)" in text
    assert metrics(at)["Declared cost"] == "2 ×"
    assert metrics(at)["Beside ce"] == "1.0 ×"
    assert metrics(at)["A training"] == "1 s"
    first = visit(full, "methods")
    assert "It is told nothing beyond the given labels. It trains one network" in said(first)
    assert "told:" not in said(first)
    first.segmented_control(key="about").set_value("co-teaching").run()
    assert not first.exception
    assert said(first) == text


def test_verdict_counts_columns_and_the_way_to_the_best(
    visit: Visit, said: Said, full: Path
) -> None:
    assert "**Best in all 3 columns**. Above the median of all methods in 3 of 3." in said(
        visit(full, "methods", about="co-teaching")
    )
    at = visit(full, "methods", about="ce")
    assert "**Best in none of 3 columns**; on average" in said(at)
    rows = table(at, "best_method")
    assert rows["best_method"].tolist() == ["co-teaching"] * 3
    assert [str(rank) for rank in rows["rank"]] == ["3.0", "3.0", "3.0"]
    assert (rows["behind"].astype(float) < 0).all()
    mean = -100 * rows["behind"].astype(float).mean()
    assert f"on average **{mean:.2f} points** behind the best" in said(at)


def test_gains_of_lip_and_of_a_chosen_refiner_stand_beside(visit: Visit, full: Path) -> None:
    at = visit(full, "methods")
    assert "gain1" not in table(at, "best_method")
    linked = visit(full, "methods", method_gain="psp")
    rows = table(linked, "best_method")
    labels = json.loads(next(d for d in linked.dataframe if "gain1" in d.value).proto.columns)
    assert labels["gain0"]["label"] == "gain of lip"
    assert labels["gain1"]["label"] == "gain of psp"
    assert (rows["gain0"].astype(float) != rows["gain1"].astype(float)).all()
    at.selectbox(key="method_gain").set_value("psp").run()
    assert table(at, "best_method").equals(rows)


def test_figures_are_those_of_the_leaderboard(visit: Visit, full: Path) -> None:
    board = visit(full).dataframe[0].value.set_index("method")
    rows = table(visit(full, "methods", about="gce"), "best_method")
    assert rows["mean"].astype(float).tolist() == pytest.approx(
        board.loc["gce", ["block0", "block1", "block2"]].astype(float).tolist()
    )


def test_holes_are_named_and_not_averaged_away(visit: Visit, said: Said, holes: Path) -> None:
    at = visit(holes, "methods", about="co-teaching")
    text = said(at)
    assert "**Best in all 2 columns**" in text
    assert "1 column without a result of it is not counted" in text
    assert "Columns without a result: 1 missing: pairflip 0.45." in text
    assert at.code[0].value.endswith("--only method=co-teaching")
    rows = table(at, "best_method")
    assert rows["seeds"].tolist() == ["3", "3", "missing"]
    assert rows["mean"].isna().tolist() == [False, False, True]
    assert table(visit(holes, "methods", about="gce"), "best_method")["seeds"].tolist() == [
        "2 of 3",
        "3",
        "3",
    ]


def test_parameters_say_who_set_them_and_cells_left_out_why(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    path = make_database(suite=WITH_PARAMETERS)
    at = visit(path, "methods", about="gce(q=0.5)")
    assert table(at, "origin").values.tolist() == [["q", "0.5", "suite", "everywhere"]]
    assert "1 left out by the plan: pairflip 0.4" in said(at)
    assert "Left out because: excluded by the suite" in said(at)
    assert not at.code
    elr = table(visit(path, "methods", about="elr"), "origin")
    rows = {(row["name"], row["value"]): row for row in elr.to_dict("records")}
    assert rows["lam", "1"]["origin"] == "suite"
    assert rows["lam", "1"]["where"] == "digits · pairflip 0.4"
    assert rows["lam", "3"]["origin"] == "default"
    assert rows["beta", "0.7"]["where"] == "everywhere"
    assert "It has no parameters. Source" in said(visit(path, "methods", about="ce"))


def test_all_methods_are_listed_with_links_to_papers(visit: Visit, full: Path) -> None:
    rows = table(visit(full, "methods"), "address")
    assert rows["method"].tolist() == ["ce", "gce", "co-teaching"]
    assert rows["told"].tolist() == ["", "", "rate, 2 nets"]
    assert rows["address"].tolist()[1:] == [
        "https://arxiv.org/abs/1805.07836",
        "https://arxiv.org/abs/1804.06872",
    ]
    assert rows["seconds"].tolist() == pytest.approx([1.2] * 3)


def test_every_column_explains_itself(visit: Visit, full: Path) -> None:
    for found in visit(full, "methods", about="gce").dataframe:
        columns = json.loads(found.proto.columns)
        assert not [name for name in found.value.columns if not columns[name].get("help")]


def test_runs_of_the_method_are_linked(visit: Visit, full: Path) -> None:
    at = visit(full, "methods", about="co-teaching")
    (link,) = [found.proto for found in at.get("page_link")]
    assert link.page == "runs"
    assert f"board={at.query_params['board'][0]}" in link.query_string
    assert "method=co-teaching" in link.query_string


def test_nothing_done_shows_the_method_and_no_standing(
    visit: Visit, said: Said, planned_only: Path, only_failures: Path
) -> None:
    for path in (planned_only, only_failures):
        at = visit(path, "methods", about="gce")
        assert "Generalised cross entropy" in said(at)
        assert "Best in" not in said(at)
        assert metrics(at)["A training"] == "–"
        assert not at.get("vega_lite_chart")


def test_one_method_alone_is_not_called_the_best(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    def alone(plan: Plan) -> Plan:
        return replace(plan, trainings=tuple(t for t in plan.trainings if t.method == "ce"))

    at = visit(make_database(change=alone), "methods")
    assert "No other method has a result in the 3 columns" in said(at)


def test_a_method_without_any_value_beside_others_that_have_them(
    visit: Visit, said: Said, make_database: Callable[..., Path], write_synthetic: Synthetic
) -> None:
    done, ended = write_synthetic

    def fate(spec: TrainingSpec) -> Outcome:
        return ended(spec, "timeout") if spec.method == "ce" else done(spec)

    at = visit(make_database(fate), "methods", about="ce")
    assert "It has no result in any column of this board" in said(at)
    assert "Columns without a result: 3 failed" in said(at)
    assert len(at.get("vega_lite_chart")) == 1


def test_a_chart_that_fails_shows_its_error(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no *width*")

    monkeypatch.setattr("dashboard.views.methods.against_best", broken)
    at = visit(full, "methods")
    assert at.error[0].value == r"The chart could not be drawn: ZeroDivisionError: no \*width\*"
    assert len(table(at, "best_method")) == 3


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Han et al., NeurIPS 2018, arXiv 1804.06872", "https://arxiv.org/abs/1804.06872"),
        ("arXiv:2401.01234v3", "https://arxiv.org/abs/2401.01234"),
        ("Xu et al., ICML 2023, 2206.00830", "https://arxiv.org/abs/2206.00830"),
        (
            "see doi:10.1109/TPAMI.2015.2456899.",
            "https://doi.org/10.1109/TPAMI.2015.2456899",
        ),
        ("ICLR 2021, openreview Eql5b1_hTE4", "https://openreview.net/forum?id=Eql5b1_hTE4"),
        ("the field's baseline", ""),
        ("version 1234.5678 of 2599.99999", ""),
        ("10.1/x", ""),
    ],
)
def test_papers_are_linked_where_their_text_holds_an_identifier(text: str, address: str) -> None:
    assert paper_address(text) == address


def test_a_paper_that_is_code_is_text() -> None:
    hostile = "](javascript:alert(1)) <script> **x** arXiv 1804.06872"
    shown = paper_markdown(hostile)
    assert shown.startswith(r"[\](javascript")
    assert shown.endswith("](https://arxiv.org/abs/1804.06872)")
    assert r"\<script\>" in shown
    assert paper_address('10.1000/x")](javascript:alert') == "https://doi.org/10.1000/x"

"""The page of published figures: what stands beside ours, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bench.stats.published import RULES
from dashboard import words

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]


def table(at: AppTest) -> Any:
    return at.dataframe[0].value


def test_every_figure_stands_beside_ours_with_protocol_verdict_and_reasons(
    visit: Visit, beside: Path
) -> None:
    shown = table(visit(beside, "published"))
    assert sorted(shown["verdict"]) == [*["not comparable"] * 3, "off", *["reproduced"] * 2]
    assert list(shown["verdict"][-3:]) == ["not comparable"] * 3
    other = shown[shown["published_noise"] == "sym-incl"].iloc[0]
    assert other["why"] == (
        "noise: theirs has convention inclusive, ours exclusive; backbone: theirs is ResNet34, "
        "ours mlp; epochs: theirs 300, ours 12; selection: theirs was chosen by test labels (best)"
    )
    assert other["differs"] == "noise, backbone, epochs, selection"
    assert (other["backbone"], other["epochs"], other["source"]) == ("ResNet34", "300", "Paper C")
    off = shown[shown["verdict"] == "off"].iloc[0]
    assert off["difference"] == pytest.approx(0.03, abs=1e-4)
    assert shown.loc[shown["verdict"] == "not comparable", "difference"].isna().all()


def test_the_page_says_how_many_may_be_compared_and_by_which_rules(
    visit: Visit, said: Said, beside: Path
) -> None:
    text = said(visit(beside, "published"))
    assert "**3 published figures** may be compared with ours: **2 reproduced**, **1 off**" in text
    assert "3 others are not comparable; 1 of all is unverified" in text
    for rule in RULES:
        assert words.plain(rule) in text


def test_an_unverified_figure_is_flagged_and_can_be_left_out(visit: Visit, beside: Path) -> None:
    at = visit(beside, "published")
    flags = table(at).set_index("source")["flag"]
    assert flags["Paper B"] == "unverified"
    assert set(flags.drop("Paper B")) == {""}
    at.toggle(key="verified").set_value(True).run()
    assert "Paper B" not in set(table(at)["source"])
    assert len(table(at)) == 5


def test_filters_in_the_url_give_the_same_view(visit: Visit, said: Said, beside: Path) -> None:
    clicked = visit(beside, "published")
    clicked.segmented_control(key="verdict").set_value("reproduced").run()
    clicked.selectbox(key="published_method").set_value("gce").run()
    linked = visit(beside, "published", verdict="reproduced", published_method="gce")
    assert table(linked).equals(table(clicked))
    assert list(table(linked)["source"]) == ["Paper B"]
    assert "1 figure of 6" in said(linked)
    nothing = visit(beside, "published", verdict="reproduced", published_noise="sym-incl")
    assert "No figure is left by these filters" in said(nothing)


def test_every_column_explains_itself(visit: Visit, beside: Path) -> None:
    at = visit(beside, "published")
    columns = json.loads(at.dataframe[0].proto.columns)
    assert [name for name in table(at).columns if not columns[name].get("help")] == []


def test_a_database_without_figures_says_what_to_type(visit: Visit, said: Said, full: Path) -> None:
    text = said(visit(full, "published"))
    assert "No published figures yet" in text
    assert f"python -m bench published import --db {full}" in text


def test_a_board_that_nobody_published_on_says_so_and_offers_all_figures(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    from bench.published.importing import fill
    from bench.store.database import open_writer

    path = make_database(seeds=1)
    with open_writer(path) as db:
        fill(db)
    at = visit(path, "published")
    assert "No published figure is known for this board" in said(at)
    assert "2,367" in at.expander[0].label
    assert not at.dataframe, "a part that nobody opened is not made"
    assert len(table(visit(path, "published", every="true"))) == 2367


def test_a_database_of_before_the_table_still_opens(
    visit: Visit, said: Said, make_database: Callable[..., Path]
) -> None:
    import sqlite3
    from contextlib import closing

    path = make_database(seeds=1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE published")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm002_published'")
    assert "No published figures yet" in said(visit(path, "published"))
    assert "leads with" in said(visit(path))

"""The page of singular structure: spectra, twins, subspaces, and what to do where there is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from streamlit.testing.v1 import AppTest

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]


def test_what_wrong_labels_did_is_said_in_words(visit: Visit, said: Said, turned: Path) -> None:
    text = said(visit(turned, "analysis"))
    assert "**8.00 → 7.49**" in text
    assert "where chance is" in text
    assert "above 1 it says nothing" in text


def test_every_noise_has_a_row_beside_its_twin(visit: Visit, turned: Path) -> None:
    shown = visit(turned, "analysis").dataframe[0].value
    assert shown["noise"].tolist() == ["symmetric 0.5", "pairflip 0.45"]
    assert shown["seeds"].tolist() == [3, 3]
    assert shown["clean_effective_rank"].tolist() == [8, 8]


def test_a_link_opens_the_method_and_the_noise_that_it_names(visit: Visit, turned: Path) -> None:
    at = visit(turned, "analysis", head="gce", twin="pairflip 0.45")
    assert at.segmented_control(key="head").value == "gce"
    assert at.segmented_control(key="twin").value == "pairflip 0.45"


def test_another_method_and_noise_can_be_chosen(visit: Visit, turned: Path) -> None:
    at = visit(turned, "analysis")
    at.segmented_control(key="head").set_value("gce").run()
    at.segmented_control(key="twin").set_value("pairflip 0.45").run()
    assert not at.exception


def test_a_board_without_vectors_says_which_command_makes_them(
    visit: Visit, said: Said, full: Path
) -> None:
    text = said(visit(full, "analysis"))
    assert "No singular vectors yet" in text
    assert "python -m bench run analysis" in text


def test_heads_of_before_are_told_with_the_command_that_keeps_them(
    visit: Visit, said: Said, turned: Path
) -> None:
    with closing(sqlite3.connect(turned)) as connection, connection:
        connection.execute("UPDATE spectra SET right_vectors = NULL")
    text = said(visit(turned, "analysis"))
    assert "before their singular vectors were kept" in text
    assert "--redo all" in text


def test_a_board_without_clean_labels_has_no_twins(visit: Visit, said: Said, turned: Path) -> None:
    with closing(sqlite3.connect(turned)) as connection, connection:
        connection.execute("UPDATE artefacts SET realised_rate = 0.1 WHERE realised_rate = 0")
    assert "No twins" in said(visit(turned, "analysis"))


def test_nothing_trained_says_so(visit: Visit, said: Said, planned_only: Path) -> None:
    assert "Nothing is trained yet" in said(visit(planned_only, "analysis"))

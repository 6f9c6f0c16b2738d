"""The page of data and noise: what everybody's labels are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bench.data.audit import Example, png
from bench.store import audit
from bench.store.database import open_writer

Visit = Callable[..., AppTest]
Said = Callable[[AppTest], str]
Make = Callable[..., Path]


def test_every_noise_of_the_board_is_listed_with_its_rates(
    visit: Visit, said: Said, make_database: Make
) -> None:
    at = visit(make_database(), "noise")
    shown = at.dataframe[0].value
    assert list(shown["noise"]) == ["clean", "symmetric 0.5", "pairflip 0.45"]
    assert shown["realised"].tolist()[0] == 0
    assert shown["realised"].tolist()[2] == pytest.approx(45, abs=4)
    assert shown["nominal"].tolist() == pytest.approx([0, 50, 45])
    assert "**3 kinds of labels** on 1 data set" in said(at)


def test_the_first_noise_with_wrong_labels_is_shown_with_both_matrices(
    visit: Visit, said: Said, make_database: Make
) -> None:
    at = visit(make_database(), "noise")
    assert "symmetric 0.5 on digits" in said(at)
    charts = [element for element in at.main if element.type == "arrow_vega_lite_chart"]
    assert len(charts) in (0, 2)  # some versions of AppTest do not list charts inside containers
    assert not at.exception


def test_another_noise_can_be_chosen(visit: Visit, said: Said, make_database: Make) -> None:
    at = visit(make_database(), "noise")
    at.segmented_control(key="labels").set_value("pairflip 0.45").run()
    assert "pairflip 0.45 on digits" in said(at)


def test_stored_images_are_shown_with_given_and_true_label(
    visit: Visit, said: Said, make_database: Make
) -> None:
    import numpy as np

    path = make_database()
    with open_writer(path) as db:
        (sha,) = db.execute(
            "SELECT artefact_sha FROM artefacts WHERE realised_rate > 0.48 LIMIT 1"
        ).fetchone()
        image = png(np.full((8, 8, 1), 9, dtype=np.uint8))
        db.execute("DELETE FROM artefact_examples")
        audit.write_examples(db, sha, [Example(5, 3, False, 7, image)])
    assert "7 → 3" in said(visit(path, "noise"))


def test_unknown_truth_is_said_in_words(visit: Visit, said: Said, make_database: Make) -> None:
    path = make_database()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE artefacts SET realised_rate = NULL, matrix = NULL")
        connection.commit()
    assert "Nobody knows the true labels" in said(visit(path, "noise"))

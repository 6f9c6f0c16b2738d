"""The results that are shipped: whole, sound, and of the code as it stands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

import pytest

from bench.registry import Registry
from bench.store.check import problems
from bench.store.database import open_reader

BOARDS = {
    ("digits", "paper"),
    ("zoo", "short"),
    ("noise-types", "short"),
    ("partial", "short"),
    ("analysis", "short"),
}
"""Suite and budget of everything that the dashboard opens with."""


@pytest.fixture
def shipped(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """The checked-in database, as it is in a clone."""
    connection = open_reader(request.config.rootpath / "leaderboard.db")
    yield connection
    connection.close()


def test_every_board_is_there_and_nothing_of_it_is_missing(shipped: sqlite3.Connection) -> None:
    rows = shipped.execute(
        "SELECT b.suite, b.budget, s.status, count(*) FROM boards b "
        "JOIN board_trainings bt USING (board) JOIN training_status s USING (training_id) "
        "GROUP BY 1, 2, 3"
    ).fetchall()
    assert {(suite, budget) for suite, budget, _, _ in rows} >= BOARDS
    assert {status for _, _, status, _ in rows} == {"done"}


def test_every_evaluation_that_was_asked_for_has_a_value(shipped: sqlite3.Connection) -> None:
    (missing,) = shipped.execute(
        "SELECT count(*) FROM board_evaluations be LEFT JOIN evaluations e "
        "USING (training_id, variant) WHERE e.test_accuracy IS NULL"
    ).fetchone()
    assert missing == 0


def test_it_is_sound(shipped: sqlite3.Connection) -> None:
    assert problems(shipped) == []


def test_no_result_is_of_an_earlier_version_of_a_plugin(
    shipped: sqlite3.Connection, registry: Registry
) -> None:
    """A method or refiner that was changed needs its suites run again before it ships.

    Labels are in the identity by their content, not by the code that drew them.
    """
    used: set[tuple[str, str, str]] = set()
    for (spec,) in shipped.execute(
        "SELECT DISTINCT t.spec FROM trainings t JOIN board_trainings bt ON bt.training_id = t.id"
    ):
        training = json.loads(spec)
        used.add(("method", training["method"], training["method_source_sha"]))
    used |= {
        ("refiner", name, sha)
        for name, sha in shipped.execute(
            "SELECT DISTINCT v.refiner, v.source_sha FROM variants v "
            "JOIN board_evaluations be USING (variant)"
        )
    }
    old = [
        f"{kind} {name}" for kind, name, sha in used if registry.get(kind, name).source_sha != sha
    ]
    assert sorted(set(old)) == []


def test_nothing_of_the_machine_that_made_it_is_in_it(
    request: pytest.FixtureRequest,
) -> None:
    content = (request.config.rootpath / "leaderboard.db").read_bytes()
    for folder in ("root", "home", "tmp"):
        assert f"/{folder}/".encode() not in content, folder

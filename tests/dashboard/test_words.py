"""Words, numbers and the tables they stand in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from bench.stats.bradley_terry import strengths
from bench.stats.frame import CELL
from dashboard import words
from dashboard.standing import Standing, make_standing
from dashboard.standings_table import EACH_NOISE, standings_table
from dashboard.tables import Figure


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("lip-calibrated", "lip-calibrated"),
        ("lip(k=energy:0.9, noisy_val=3)", "lip(k=energy:0.9, noisy_val=3)"),
        ("<script>", r"\<script\>"),
        ("**x**", r"\*\*x\*\*"),
        ("$x$", r"\$x\$"),
        (":red[x]", r"\:red\[x\]"),
        (":material/home:", r"\:material\/home:"),
        (":smile: a:b", ":\N{WORD JOINER}smile: a\\:b"),
        ("_x_ `y`", r"\_x\_ \`y\`"),
        ("# two\nlines", r"\# two lines"),
        ("http://a.b www.c.d", "http:\N{WORD JOINER}//a.b www\N{WORD JOINER}.c.d"),
        ("a@b.c", "a\\@\N{WORD JOINER}b.c"),
    ],
)
def test_plain_escapes_what_acts_and_leaves_names_alone(text: str, escaped: str) -> None:
    assert words.plain(text) == escaped


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0123, "+1.23"), (-0.0019, "−0.19"), (0.0, "0"), (-2e-8, "0"), (math.nan, "–")],
)
def test_points_have_a_sign_and_a_plain_zero(share: float, text: str) -> None:
    assert words.points(share) == text


def test_lists_and_counts_read_as_sentences() -> None:
    assert words.listing(["a"]) == "a"
    assert words.listing(["a", "b"]) == "a and b"
    assert words.listing(["a", "b", "c", "d", "*"]) == "a, b, c and 2 more"
    assert words.count(1, "cell") == "1 cell"
    assert words.count(1200, "cell") == "1,200 cells"


def test_headings_name_the_data_set_only_where_there_are_two() -> None:
    assert words.headings([("a", "clean"), ("a", "x")]) == ["clean", "x"]
    assert words.headings([("a", "clean"), ("b", "clean")]) == ["a · clean", "b · clean"]


def test_command_is_safe_to_paste() -> None:
    command = words.run_command("x; rm -rf ~", "short", Path("my folder/my db"), "failed")
    assert command == (
        "python -m bench run 'x; rm -rf ~.yaml' --budget short --db 'my folder/my db' --redo failed"
    )


def test_a_figure_sorts_as_a_number_and_reads_as_words() -> None:
    figures = [Figure(0.9, "90.00 ± 1.00"), Figure(0.95, "95.00"), Figure(math.nan, "missing")]
    assert max(figures[:2]) == 0.95
    assert [str(figure) for figure in figures] == ["90.00 ± 1.00", "95.00", "missing"]


EXCLUDED = ["dataset", "noise", "method", "reason"]


def standing_of(
    statuses: dict[tuple[str, str, int], str], excluded: Sequence[Sequence[str]] = ()
) -> Standing:
    """The standing of a plan of (method, noise, seed) -> status; done ones have a result."""
    columns = ["dataset", "noise", "method", "seed", "status"]
    rows = [["digits", noise, m, seed, status] for (m, noise, seed), status in statuses.items()]
    plan = pd.DataFrame(rows, columns=columns)
    planned = plan.groupby(CELL, sort=False).size().rename("planned").reset_index()
    numbers = {cell: i for i, cell in enumerate(planned[CELL].itertuples(index=False, name=None))}
    plan["cell"] = [numbers[cell] for cell in plan[CELL].itertuples(index=False, name=None)]
    done = plan["status"] == "done"
    left = plan[~done].groupby(["cell", "status"]).size().rename("trainings").reset_index()
    refiner = pd.Categorical(["off"] * int(done.sum()), categories=["off"])
    scores = plan[done].drop(columns="status").assign(refiner=refiner, test_accuracy=0.8)
    left_out = pd.DataFrame(excluded, columns=EXCLUDED)
    return make_standing(scores, planned, left, left_out, "all", lambda frame: frame)


def as_shown(standing: Standing) -> str:
    """The table of the leaderboard as text."""
    costs = pd.DataFrame(columns=["method", "cost", "unit", "seconds"])
    shown = standings_table(standing, strengths(standing.ranks), {}, costs, EACH_NOISE)
    text: str = shown.frame.to_string()
    return text


def test_every_hole_has_its_reason_and_absent_methods_are_listed() -> None:
    standing = standing_of(
        {
            ("ce", "clean", 0): "done",
            ("ce", "hard", 0): "done",
            ("elr", "clean", 0): "done",
            ("elr", "hard", 0): "oom",
            ("gce", "clean", 0): "missing",
        },
        excluded=[["digits", "hard", "gce", "not for this noise"]],
    )
    assert list(standing.table["method"]) == ["ce", "elr", "gce"]
    assert list(standing.ranked["method"]) == ["ce"]
    assert set(standing.holes[["noise", "method", "why"]].itertuples(index=False, name=None)) == {
        ("hard", "elr", "failed"),
        ("clean", "gce", "missing"),
        ("hard", "gce", "left out"),
    }
    assert all(word in as_shown(standing) for word in ("ce", "80.00", "missing"))


def test_a_column_without_any_result_is_named() -> None:
    standing = standing_of({("ce", "clean", 0): "done", ("ce", "hard", 0): "missing"})
    assert standing.silent == [("digits", "hard")]
    assert standing.blocks == [("digits", "clean"), ("digits", "hard")]


def test_a_cell_with_fewer_seeds_than_planned_says_so() -> None:
    standing = standing_of({("ce", "clean", 0): "done", ("ce", "clean", 1): "missing"})
    assert "80.00 (1/2)" in as_shown(standing)

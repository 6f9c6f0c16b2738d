"""Who differs from whom, as tables: the test of the ranking, every pair, and every win."""

from __future__ import annotations

import math

import pandas as pd

from bench.report.standing import SIGNIFICANT, Standing
from bench.report.tables import NOTHING, Table, counted, p_words, points, stars
from bench.stats.pairs import win_matrix
from bench.stats.ranks import average_ranks, friedman
from bench.stats.signed_rank import LEAST

MOST_METHODS = 12
"""With more methods than this, a table of all pairs is for a screen or a script."""


def statistics_table(standing: Standing) -> Table:
    """One row: Friedman's test, its F form, and the critical difference."""
    found = friedman(standing.ranks)
    infinite = math.isinf(found.f_statistic)
    row = (
        str(found.n_methods),
        str(found.n_blocks),
        NOTHING if math.isnan(found.statistic) else f"{found.statistic:.2f}",
        p_words(found.p),
        "∞" if infinite else NOTHING if math.isnan(found.f_p) else f"{found.f_statistic:.2f}",
        p_words(found.f_p),
        f"{standing.critical_difference:.2f}",
    )
    return Table(
        "Do the average ranks differ?",
        ("methods", "columns", "Friedman χ²", "p of χ²", "F", "p of F", "critical difference"),
        (row,),
        (
            _answer(found.f_p),
            "F is the form of Iman and Davenport, good for few columns too. Critical difference: "
            "Nemenyi's at 0.05, corrected for all pairs; average ranks closer than that are not "
            "told apart.",
        ),
    )


def _answer(p: float) -> str:
    if math.isnan(p):
        return "Friedman's test needs three ranked methods and two columns."
    said = "differ" if p < SIGNIFICANT else "do not differ significantly"
    sign = "" if p < 0.001 else "= "
    return f"The average ranks {said} (p of F {sign}{p_words(p)})."


def pairs_table(standing: Standing, only_significant: bool = False) -> Table:
    """Wilcoxon's test of every pair, in order of rank.

    Args:
        standing: the ranking.
        only_significant: leave out pairs that differ by no significant amount, and say so.
    """
    every = standing.pairs
    kept = every[every["p_holm"] < SIGNIFICANT] if only_significant else every
    rows, marks = [], {}
    for number, row in enumerate(kept.to_dict("records")):
        rows.append(
            (
                str(row["method"]),
                str(row["other"]),
                str(row["wins"]),
                str(row["ties"]),
                str(row["losses"]),
                points(row["difference"]),
                p_words(row["p"]),
                p_words(row["p_holm"]),
            )
        )
        if stars(row["p_holm"]):
            marks[number, 5] = stars(row["p_holm"])
    return Table(
        "Pairs of methods",
        ("method", "other", "wins", "ties", "losses", "difference", "p", "p (Holm)"),
        tuple(rows),
        tuple(_pair_notes(every, only_significant)),
        marks=marks,
    )


def _pair_notes(every: pd.DataFrame, only_significant: bool) -> list[str]:
    notes = [
        "Wilcoxon's signed-rank test over columns, two-sided, zeros split; Holm over all pairs. "
        "Difference: of mean accuracy, method minus other, in percentage points."
    ]
    told = int((every["p_holm"] < SIGNIFICANT).sum())
    if every["p_holm"].isna().all():
        notes.append(f"Below {LEAST} columns no such test can reach 0.05, so none is made.")
    else:
        notes.append(
            f"{told} of {counted(len(every), 'pair')} "
            f"{'differs' if told == 1 else 'differ'} significantly: * p < 0.05, ** p < 0.01, "
            "*** p < 0.001, corrected."
        )
    if only_significant and told < len(every):
        notes.append("Only those are listed; formats html and csv have all pairs.")
    return notes


def wins_table(standing: Standing) -> Table:
    """Wins / ties / losses of every method against every other, methods in order of rank."""
    order = average_ranks(standing.ranks).sort_values(kind="stable").index
    found = win_matrix(standing.ranks[order])
    names = [str(name) for name in order]
    counts = [frame.to_numpy() for frame in (found.wins, found.ties, found.losses)]
    rows = [
        (
            name,
            *(
                "" if i == j else "/".join(str(count[i, j]) for count in counts)
                for j in range(len(names))
            ),
        )
        for i, name in enumerate(names)
    ]
    return Table(
        "Wins, ties and losses",
        ("method", *names),
        tuple(rows),
        (
            f"In how many of {counted(len(standing.ranks), 'column')} the method of the row wins, "
            "ties and loses against that of the heading.",
        ),
    )

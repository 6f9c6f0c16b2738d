"""The tables of gains, word by word."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from bench.report.attribution import CAVEAT, RULE, attribution_tables
from bench.report.gain_tables import ORACLE_NOTE
from bench.report.render import to_csv, to_latex, to_markdown
from bench.report.suite import suite_tables
from bench.report.tables import Table

METHODS = pd.DataFrame(
    {
        "method": ["ce", "elr"],
        "knows": [[], []],
        "uses": [[], []],
        "family": ["loss", "regularisation"],
    }
)


def results(without: tuple[str, str] = ("", "")) -> pd.DataFrame:
    """Two methods on three noises: LIP gains 2 points on CE, psp 1; LIP harms ELR by 1.

    ``without`` names a refiner and a noise of CE that lack their training.
    """
    rows = []
    for method, gains in {
        "ce": {"lip": 0.02, "psp": 0.01},
        "elr": {"lip": -0.01, "psp": 0.01},
    }.items():
        for number, noise in enumerate(("clean", "pairflip 0.45", "symmetric 0.5")):
            off = 0.9 - 0.1 * number
            key = ("digits", noise, method, 0)
            rows.append((*key, "off", off, "[]"))
            for name, gain in gains.items():
                if method == "ce" and (name, noise) == without:
                    continue
                on = round(off + gain, 6)
                rows.append((*key, name, on, json.dumps([[0, 0.5, off + 0.03], [1, 0.5, on]])))
    columns = ["dataset", "noise", "method", "seed", "refiner", "test_accuracy", "curve"]
    return pd.DataFrame(rows, columns=columns)


def named(tables: list[Table], title: str) -> Table:
    (found,) = [table for table in tables if table.title == title]
    return found


def test_the_table_of_attribution_word_by_word() -> None:
    (table,) = attribution_tables(results(), METHODS)
    assert to_markdown([table]).splitlines()[:8] == [
        "### Is it LIP, or would a control have done?",
        "",
        "| family | refiner | gain | 95 % interval | psp | minus best control | its 95 % interval "
        "| cells | verdict |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|",
        "| all methods | lip | +0.50 | -0.50 … +1.50 | +1.00 | -0.50 | -1.50 … +0.50 | 6 "
        "| no gain |",
        "| loss | lip | +2.00 | +2.00 … +2.00 | +1.00 | +1.00 | +1.00 … +1.00 | 3 "
        "| open: no tail-constant, recentre, ridge, random-basis |",
        "| regularisation | lip | -1.00 | -1.00 … -1.00 | +1.00 | -2.00 | -2.00 … -2.00 | 3 "
        "| harm |",
        "",
    ]
    assert table.notes == (
        "Gain over off in percentage points, by family of method; all methods is over all of them. "
        "Controls, on the same trainings: psp: truncation alone.",
        RULE,
        CAVEAT,
    )


def test_trainings_without_a_partner_are_counted_in_a_column_of_their_own() -> None:
    (table,) = attribution_tables(results(without=("psp", "clean")), METHODS)
    column = table.columns.index("unpaired")
    assert [row[column] for row in table.rows] == ["1", "1", "0"]
    assert table.rows[1][table.columns.index("psp")] == "+1.00 (2 cells)"
    assert table.notes[-1].startswith("Unpaired: ")


def test_without_controls_the_table_says_that_no_gain_can_be_called_lips_own() -> None:
    frame = results()
    (table,) = attribution_tables(frame[frame["refiner"] != "psp"], METHODS)
    assert table.columns == ("family", "refiner", "gain", "95 % interval", "cells", "verdict")
    assert "no gain can be called LIP's own" in table.notes[0]


def test_a_method_that_declares_no_family_is_shown_as_other() -> None:
    (table,) = attribution_tables(results(), METHODS.assign(family=["loss", None]))
    assert [row[0] for row in table.rows] == ["all methods", "loss", "other"]


@pytest.mark.parametrize("refiners", [["off"], ["off", "psp"]])
def test_no_lip_no_table(refiners: list[str]) -> None:
    frame = results()
    assert attribution_tables(frame[frame["refiner"].isin(refiners)], METHODS) == []


def test_the_oracle_is_the_last_column_of_the_gains_and_is_marked() -> None:
    tables = suite_tables(results(), METHODS)
    table = named(tables, "Gain of each refiner over off")
    assert table.columns[-1] == "oracle k*"
    assert [(row[0], row[1], row[-1]) for row in table.rows] == [
        ("lip", "+0.50", "+3.00"),
        ("psp", "+1.00", "+3.00"),
    ]
    assert table.notes[-1] == ORACLE_NOTE
    assert "looked at test labels, so it is no result and is never ranked" in ORACLE_NOTE


def test_the_oracle_changes_no_other_table_and_no_other_column() -> None:
    with_curve, without = (
        suite_tables(frame, METHODS) for frame in (results(), results().drop(columns="curve"))
    )
    gains = "Gain of each refiner over off"
    assert [row[:-1] for row in named(with_curve, gains).rows] == list(named(without, gains).rows)
    for one, other in zip(with_curve, without, strict=True):
        assert one == other or one.title == gains


def test_trainings_without_a_curve_are_said_beside_the_oracle() -> None:
    frame = results()
    lost = (frame["refiner"] == "lip") & (frame["noise"] == "clean")
    frame.loc[lost, "curve"] = "[]"
    table = named(suite_tables(frame, METHODS), "Gain of each refiner over off")
    assert table.rows[0][-1] == "+3.00 (2 without a curve)"


def test_the_tables_come_in_the_order_in_which_they_are_read() -> None:
    assert [table.title for table in suite_tables(results(), METHODS, "a suite")] == [
        "a suite, refiner off",
        "Do the average ranks differ?",
        "Gain of each refiner over off",
        "Is it LIP, or would a control have done?",
        "Gain of lip in each cell",
        "Gain of psp in each cell",
    ]


def test_every_format_holds_the_verdict() -> None:
    tables = attribution_tables(results(), METHODS)
    assert "regularisation,lip,-1.00" in to_csv(tables)
    assert r"95 \% interval" in to_latex(tables)
    for text in (to_csv(tables), to_latex(tables), to_markdown(tables)):
        assert "open: no tail-constant" in text

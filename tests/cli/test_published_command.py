"""``published`` and the figures that ``run`` and ``report`` bring along."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.published.figures import COLUMNS

Bench = Callable[..., Any]

SUITE = """
suite: tiny
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.5}}]
methods: [ce]
refiners: [off, lip]
seeds: 2
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, data_dir: Path, ran_in: Bench) -> Path:
    """A database that a run made, without any command of ``published``."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "tiny.yaml").write_text(SUITE)
    where = ("--db", "tiny.db", "--data-dir", data_dir, "--device", "cpu", "--jobs", "1")
    ended = ran_in(folder, "run", "tiny.yaml", *where)
    assert ended.code == 0, ended.err
    return folder / "tiny.db"


@pytest.fixture
def beside(ran: Path, tmp_path: Path, bench: Bench) -> Path:
    """A copy of it with made-up figures on digits: one to compare, one not, one unverified."""
    path = tmp_path / "beside.db"
    path.write_bytes(ran.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        (mean,) = connection.execute(
            "SELECT 100 * test_accuracy FROM leaderboard "
            "WHERE refiner = 'off' AND noise = 'symmetric 0.5'"
        ).fetchone()
    rows = [
        f"CE,digits,sym-excl,0.5,mlp,2,last,{mean + 0.5:.2f},,Paper & A,verified in Paper & A",
        "CE,digits,sym-incl,0.5,mlp,2,best,99.00,,Paper B,verified in Paper B",
        'CE,digits,none,0,9-layer CNN,2,last,50.00,,Paper C,"recalled, unverified"',
    ]
    file = tmp_path / "made-up.csv"
    file.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    assert bench("published", "import", file, "--db", path).code == 0
    return path


def test_a_run_fills_a_fresh_database_with_the_shipped_figures(ran: Path, bench: Bench) -> None:
    with closing(sqlite3.connect(ran)) as connection:
        counts = connection.execute("SELECT count(*), sum(verified) FROM published").fetchone()
    assert counts == (2367, 2331)
    ended = bench("published", "import", "--db", ran)
    assert ended.code == 0
    assert "2,349 published figures of figures.csv, 18 flagged as unverified" in ended.out
    assert "18 published figures of standalone.csv, 18 flagged as unverified" in ended.out
    assert ended.out.count("nothing changed") == 2
    assert "sound, 4 trainings done" in bench("db", "check", "--db", ran).out


def test_a_file_with_mistakes_is_told_line_by_line_with_the_next_command(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "bad.csv"
    row = "CE,CIFAR-10,sym-excl,{},ResNet34,200,last,60,,A,verified in A"
    file.write_text("\n".join([",".join(COLUMNS), row.format(50), row.format("x")]))
    ended = bench("published", "import", file, "--db", "new.db")
    assert ended.code == 2
    assert f"{file}:2: rate 50 is outside 0..1; did you mean 0.5?" in ended.err
    assert f"{file}:3: rate 'x' is no number" in ended.err
    assert f"python -m bench published import {file}" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        (("--method", "Peer Loss"), ("--method", "peer-loss")),
        (("--dataset", "Fashion-MNIST"), ("--dataset", "fashion-mnist")),
        (("--method", "GCE", "--noise", "pmd-i"), ("--method", "gce", "--noise", "PMD-I")),
        (("--method", "CE", "--noise", "none"), ("--method", "ce", "--noise", "clean")),
    ],
)
def test_a_filter_takes_the_published_word_or_ours(
    bench: Bench, published: tuple[str, ...], ours: tuple[str, ...]
) -> None:
    found = [bench("published", "list", *words, "--json") for words in (published, ours)]
    assert json.loads(found[0].out) == json.loads(found[1].out) != []


def test_filters_narrow_together_and_json_is_whole(bench: Bench) -> None:
    chosen = ("--method", "co-teaching", "--dataset", "cifar100", "--noise", "pairflip")
    (row,) = json.loads(bench("published", "list", *chosen, "--json").out)
    assert (row["rate"], row["accuracy"], row["std"]) == ("0.45", 34.4, None)
    assert row["reported"] == "mean of last 10 epochs"
    assert row["verified"] is True
    assert row["file"] == "figures.csv"
    assert len(json.loads(bench("published", "list", "--json").out)) == 2367


def test_the_list_marks_unverified_figures_and_counts_what_it_does_not_show(
    bench: Bench,
) -> None:
    ended = bench("published", "list", "--method", "unicon")
    assert "96.00 *" in ended.out
    assert "9 unverified (*)" in ended.out
    assert (
        "2,367 figures, 36 unverified (*); the first 60 are shown" in bench("published", "list").out
    )


def test_a_filter_that_fits_nothing_names_the_nearest(bench: Bench) -> None:
    ended = bench("published", "list", "--noise", "symetric")
    assert ended.code == 2
    assert "no published figure has noise 'symetric', did you mean 'symmetric'?" in ended.err


def test_help_teaches(bench: Bench) -> None:
    text = bench("published", "import", "--help").out
    assert "python -m bench published import my_tables.csv" in text
    assert "recalled, unverified" in text
    assert "--json" in bench("published", "list", "--help").out


def test_a_report_says_in_one_line_that_nothing_was_published_here(ran: Path, bench: Bench) -> None:
    ended = bench("report", "tiny", "--db", ran)
    assert "No published figure is known for these methods, data sets and noises." in ended.out
    assert "Beside published figures" not in ended.out


def test_a_report_shows_each_published_figure_with_protocol_verdict_and_reason(
    beside: Path, bench: Bench
) -> None:
    text = bench("report", "tiny", "--db", beside, "-f", "csv").out
    section = text[text.index("table,method,noise,ours") :]
    rows = list(csv.DictReader(io.StringIO(section)))
    assert [row["verdict"] for row in rows] == ["reproduced", "not comparable", "not comparable"]
    by_source = {row["source"]: row for row in rows}
    assert by_source["Paper & A"]["difference"] == "-0.50"
    assert by_source["Paper B"]["difference"] == "–"
    assert by_source["Paper B"]["why not"] == (
        "noise: theirs has convention inclusive, ours exclusive; "
        "selection: theirs was chosen by test labels (best)"
    )
    unverified = by_source["Paper C (unverified)"]
    assert unverified["published protocol"] == "9-layer CNN, 2 epochs, last"


def test_the_section_is_in_every_format(beside: Path, bench: Bench) -> None:
    shown = {form: bench("report", "tiny", "--db", beside, "-f", form).out for form in FORMS}
    for form, words in FORMS.items():
        assert words in shown[form]
        assert "2 standard errors" in shown[form].replace("\n", " ") or form == "csv"


FORMS = {
    "terminal": "Beside published figures",
    "md": "### Beside published figures",
    "latex": r"Paper \& A",
    "csv": "Beside published figures,ce,symmetric 0.5",
}

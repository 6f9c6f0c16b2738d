"""``report`` as it is typed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.cli import main


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Report = Callable[..., Ended]


@pytest.fixture
def report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Report:
    """``report("-f", "md", db=path)`` of the made-up board, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str, db: Path) -> Ended:
        words = ["lipbench", "report", "tiny", "--db", str(db), *arguments]
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        code = main()
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


def test_the_terminal_shows_the_gist(report: Report, full: Path) -> None:
    out = report(db=full).out
    for words in (
        *("tiny, on digits, refiner off", "group", "strength", "Do the average ranks differ?"),
        *("Gain of lip by method", "Gain of lip in each cell", "Labels as given", "gce", "†"),
    ):
        assert words in out
    assert "Gain of psp" not in out
    assert "Missing cells" not in out


def test_html_goes_into_a_file_that_is_named(report: Report, full: Path, tmp_path: Path) -> None:
    ended = report("-f", "html", db=full)
    assert ended.code == 0
    assert ended.out.strip() == "report-tiny.html written (open it in a browser)"
    assert (tmp_path / "report-tiny.html").read_text(encoding="utf-8").endswith("</html>\n")


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.tex", "% Needs"), ("a.md", "### tiny"), ("a.csv", "table,rank"), ("a.html", "<!doctype")],
)
def test_the_name_of_the_file_says_the_format(
    name: str, begins: str, report: Report, full: Path, tmp_path: Path
) -> None:
    ended = report("-o", name, db=full)
    assert ended.code == 0, ended.err
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_holes_common_ranks_who_has_a_hole(report: Report, holes: Path) -> None:
    row = re.compile(r"^\| (\S+) \| elr", re.MULTILINE)
    assert row.search(report("-f", "md", db=holes).out).group(1) == "–"
    common = report("-f", "md", "--holes", "common", db=holes).out
    assert row.search(common.replace("*", "").replace("†", "")).group(1) == "1.43"
    assert "ranks over the columns that every method has" not in common
    assert "7 of 8 columns" in common


def test_missing_cells_are_shown_with_what_fills_them(report: Report, holes: Path) -> None:
    out = report(db=holes).out
    assert "Missing cells" in out
    assert "python -m bench run tiny.yaml" in out
    assert "--redo failed" in out


def test_methods_are_ranked_under_a_refiner(report: Report, full: Path) -> None:
    out = report("--refiner", "lip", "-f", "csv", db=full).out
    assert "tiny, on digits, refiner lip" in out
    off = report("-f", "csv", db=full).out
    mean = re.compile(r"refiner \S+\",\S+?,ce,[^,]*,[^,]*,([\d.]+)")
    assert float(mean.search(out).group(1)) > float(mean.search(off).group(1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-f", "htm"), "no format 'htm', did you mean 'html'?"),
        (("--holes", "comon"), "--holes has no 'comon', did you mean 'common'?"),
        (("--refiner", "lipp"), "no result of tiny is under refiner 'lipp', did you mean 'lip'?"),
        (("-o", "a.xyz"), "a.xyz: which format? Add -f html, md, latex or csv"),
        (("-f", "terminal", "-o", "a.txt"), "format terminal is for the terminal"),
        (("-f", "md", "-o", "absent/a.md"), "absent/a.md cannot be written: No such file"),
        (("--budget", "papr"), "suite 'tiny' was not run at budget 'papr'"),
    ],
)
def test_a_mistake_is_one_message_that_helps(
    arguments: tuple[str, ...], message: str, report: Report, full: Path
) -> None:
    ended = report(*arguments, db=full)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_a_board_without_results_says_what_makes_some(
    report: Report, make_database: Callable[..., Path]
) -> None:
    ended = report(db=make_database(lambda spec: None))
    assert ended.code == 2
    assert "has no results in" in ended.err
    assert "python -m bench run tiny" in ended.err


def test_help_has_examples_of_every_format(report: Report, full: Path) -> None:
    out = " ".join(report("--help", db=full).out.split())
    for words in ("--format html", "--format latex -o tables.tex", "--holes common", "booktabs"):
        assert words in out

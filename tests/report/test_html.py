"""The report as one file: whole, closed, and safe whatever names are in the database."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import altair as alt
import pandas as pd
import pytest
from tiny_board import HOSTILE

from bench.report import figures as drawings
from bench.report.content import Content
from bench.report.html import to_html
from bench.report.inline_svg import inline_svg
from bench.report.suite import PAGE, PAPER, sections, tables_of

Read = Callable[[Path], Content]

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Parsed(HTMLParser):
    """Elements with their attributes, text by element, and tables as lists of rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element opens."""
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of SVG without content."""
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """An element closes: the one that was opened last."""
        assert self.open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        """Text."""
        if "caption" in self.open:
            self._caption += data
        elif {"td", "th"} & set(self.open) and "sup" not in self.open:
            self._rows[-1][-1] += data
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def page_of(content_of: Read) -> Callable[[Path], str]:
    """``page_of(db)``: the file."""
    return lambda db: to_html(content_of(db), sections(content_of(db), "off", "all", PAGE))


@pytest.fixture(scope="module")
def page(page_of: Callable[[Path], str], full: Path) -> str:
    return page_of(full)


def test_the_page_is_well_formed_and_says_what_was_run(page: str) -> None:
    found = Parsed(page)
    words = " ".join(found.words)
    assert page.startswith("<!doctype html>")
    assert ("meta", {"charset": "utf-8"}) in found.elements
    for said in ("A tiny suite", "git aaaaaaaaaaaa, with uncommitted changes", "torch 2", "0, 1"):
        assert said in words
    assert "64 of 64 planned have a result" in words
    assert "backbone mlp (depth 1, width 16)" in words


def test_every_table_of_the_paper_is_there_with_the_same_figures(
    page: str, full: Path, content_of: Read
) -> None:
    shown = Parsed(page).tables
    expected = tables_of(sections(content_of(full), "off", "all", PAPER))
    assert len(expected) > 8
    for table in expected:
        head, *rows = shown[table.title]
        assert head == list(table.columns)
        assert [[cell.replace("−", "-") for cell in row] for row in rows] == list(
            map(list, table.rows)
        )


def test_nothing_outside_the_file_is_referred_to(page: str) -> None:
    assert not re.search(r"(https?:)?//[\w.-]+\.\w", page)
    for tag, attributes in Parsed(page).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "use", "image")
        for name in ("src", "srcset", "action", "xlink:href"):
            assert name not in attributes
        if "href" in attributes:
            assert attributes["href"].startswith(("#", "data:text/csv"))
    assert "@import" not in page
    assert set(re.findall(r"url\((.)", page)) <= {"#"}


def test_links_lead_somewhere_and_ids_are_unique(page: str) -> None:
    elements = Parsed(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for _, a in elements if a.get("href", "").startswith("#")}
    assert links <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)


def test_every_chart_is_drawn_and_named(page: str) -> None:
    found = Parsed(page)
    named = [a["aria-label"] for tag, a in found.elements if tag == "svg"]
    assert all(a["role"] == "img" for tag, a in found.elements if tag == "svg")
    for words in (
        *("bars join those that Nemenyi's test", "Bradley-Terry strength", "training time"),
        *("Mean test accuracy", "each method is better", "Gain of lip in every cell"),
        *("without and with lip", "share of wrong labels", "accuracy without it", "a row a family"),
    ):
        assert any(words in name for name in named), words
    assert "could not be drawn" not in page


def test_headings_are_explained_and_best_is_bold(page: str) -> None:
    assert re.search(r'<th scope="col" class="figure" title="Average of the ranks', page)
    assert re.search(r"<td class=\"figure\"><strong>[\d.]+ ± ", page)
    assert re.search(r'<td class="figure gain">\+0\.2\d<sup>\*\*\*</sup></td>', page)
    assert '<td class="figure harm">−1.00</td>' in page


def test_hostile_names_are_text_everywhere(page_of: Callable[[Path], str], hostile: Path) -> None:
    page = page_of(hostile)
    found = Parsed(page)
    tags = [tag for tag, _ in found.elements]
    assert tags.count("script") == 1
    assert not {"img", "b", "foreignobject"} & set(tags)
    assert not [name for _, attributes in found.elements for name in attributes if name[:2] == "on"]
    shown = {cell for rows in found.tables.values() for row in rows for cell in row}
    assert set(HOSTILE) <= shown
    words = "".join(found.words)
    for name in (*HOSTILE[:2], "</title><script>alert(3)</script>"):
        assert name in words


def test_a_name_that_is_code_is_text_inside_a_chart() -> None:
    frame = pd.DataFrame({"x": [1, 2], "name": ["<script>alert(1)</script>", "]]>&"]})
    text = inline_svg(alt.Chart(frame).mark_bar().encode(x="x:Q", y="name:N"), "a", '"<b>"')
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert 'aria-label="&quot;&lt;b&gt;&quot;"' in text
    assert "xmlns" not in text
    Parsed(text)


def test_gradients_of_two_charts_do_not_meet() -> None:
    frame = pd.DataFrame({"x": [1, 2], "c": [0.0, 1.0]})
    chart = alt.Chart(frame).mark_point().encode(x="x:Q", color="c:Q")
    one, other = inline_svg(chart, "one", ""), inline_svg(chart, "other", "")
    (name,) = re.findall(r'id="(one-gradient_\d+)"', one)
    assert f"url(#{name})" in one
    assert "one-gradient" not in other


def test_a_chart_that_fails_says_so_in_its_place(
    full: Path, content_of: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no <ink> left")

    monkeypatch.setattr(drawings.rank_charts, "strength_chart", fail)
    content = content_of(full)
    page = to_html(content, sections(content, "off", "all", PAGE)[1:2])
    assert "This chart could not be drawn: ValueError: no &lt;ink&gt; left" in page
    assert "Pairs of methods" in page


def test_the_results_of_every_seed_are_in_the_file(page: str, full: Path, content_of: Read) -> None:
    (link,) = [a for tag, a in Parsed(page).elements if a.get("download") == "results.csv"]
    text = base64.b64decode(link["href"].partition("base64,")[2]).decode()
    found = pd.read_csv(io.StringIO(text))
    results = content_of(full).results
    assert found["test_accuracy"].tolist() == pytest.approx(results["test_accuracy"].tolist())
    assert len(found) == 64 * 3
    assert text.splitlines()[2].split(",")[7] == "4"


def test_missing_cells_are_in_the_page_with_their_commands(
    page_of: Callable[[Path], str], holes: Path
) -> None:
    found = Parsed(page_of(holes))
    head, *rows = found.tables["Missing cells"]
    assert head[-1] == "command"
    assert [row[0] for row in rows] == ["gce", "ce", "elr"]
    assert all("python -m bench run tiny.yaml" in row[-1] for row in rows)

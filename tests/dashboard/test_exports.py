"""Files of tables and charts: CSV, LaTeX, PNG and SVG, and that nothing lacks them."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest
from page_parts import Saved, Visit, charts, results_of, settings
from streamlit.testing.v1 import AppTest

from bench.report.ink import DARK, LIGHT
from bench.stats.gains import overall
from bench.stats.leaderboard import cells, leaderboard
from dashboard import app
from dashboard.exports import Shown, as_table
from dashboard.tables import NOTHING, Figure

PNG = b"\x89PNG\r\n\x1a\n"
SVG = "{http://www.w3.org/2000/svg}"
RANKINGS = ("Critical difference", "Strength", "Wins", "Accuracy", "Accuracy against cost")


def text_of(saved: Saved, name: str) -> str:
    """A file that a page offers."""
    found = saved[name]()
    assert isinstance(found, str)
    return found


def csv_of(saved: Saved, name: str) -> pd.DataFrame:
    """A CSV that a page offers."""
    return pd.read_csv(io.StringIO(text_of(saved, name)))


def latex_rows(text: str) -> list[list[str]]:
    """Cells of a LaTeX table, headings first."""
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    return [line.removesuffix(r"\\").strip().split(" & ") for line in lines]


def in_the_dark(at: AppTest) -> AppTest:
    """The page as a reader sees it who prefers a dark one."""
    at.context = {"theme": "dark"}
    at.run()
    assert not at.exception
    return at


VIEWS: list[tuple[str, dict[str, str]]] = [
    *((page, {}) for page in app.PAGES),
    ("leaderboard", {"pairs": "true", "oracle": "true", "columns": "data sets"}),
    ("gains", {"oracle_k": "true"}),
]
"""Every page, and those that show more on demand."""


@pytest.mark.parametrize(("page", "query"), VIEWS)
def test_every_column_of_every_table_explains_itself(
    visit: Visit, beside: Path, page: str, query: dict[str, str]
) -> None:
    at = visit(beside, page, **query)
    silent = [
        (list(frame.value.columns)[:3], name)
        for frame in at.dataframe
        for name in frame.value.columns
        if not settings(frame).get(name, {}).get("help")
        and not settings(frame).get(name, {}).get("hidden")
    ]
    assert silent == []


@pytest.mark.parametrize(("page", "query"), VIEWS)
def test_every_table_and_every_chart_can_be_saved(
    visit: Visit, beside: Path, page: str, query: dict[str, str]
) -> None:
    at = visit(beside, page, **query)
    offered = Counter(button.proto.label for button in at.get("download_button"))
    wanted = {"LaTeX": len(at.dataframe), "PNG": len(charts(at)), "SVG": len(charts(at))}
    assert {name: offered[name] for name in wanted} == wanted


@pytest.mark.parametrize("page", app.PAGES)
def test_every_table_has_a_csv(visit: Visit, saved: Saved, beside: Path, page: str) -> None:
    visit(beside, page)
    latex = {name.removesuffix(".tex") for name in saved if name.endswith(".tex")}
    assert latex <= {name.removesuffix(".csv") for name in saved if name.endswith(".csv")}


def test_analysis_can_be_saved_too(visit: Visit, saved: Saved, turned: Path) -> None:
    visit(turned, "analysis")
    assert sorted(saved) == sorted(
        [
            *(f"twins.{form}" for form in ("csv", "tex")),
            *(
                f"{chart}.{form}"
                for chart in (
                    *("singular-spectra", "effective-rank"),
                    *("subspace-similarity", "principal-angles"),
                )
                for form in ("png", "svg", "csv")
            ),
        ]
    )


def test_the_leaderboards_csv_holds_every_cell(visit: Visit, saved: Saved, full: Path) -> None:
    visit(full)
    shown = csv_of(saved, "leaderboard-of-tiny.csv").set_index(["method", "noise"])
    expected = cells(results_of(full)).set_index(["method", "noise"])
    columns = ["seeds", "mean", "low", "high"]
    pd.testing.assert_frame_equal(
        shown[columns].sort_index(), expected[columns].sort_index(), check_exact=False
    )


def test_the_leaderboards_csv_holds_ranks_and_means_of_methods(
    visit: Visit, saved: Saved, full: Path
) -> None:
    visit(full)
    shown = csv_of(saved, "leaderboard-of-tiny.csv").drop_duplicates("method").set_index("method")
    expected = leaderboard(results_of(full)).set_index("method")
    assert shown["rank"].to_dict() == expected["rank"].to_dict()
    assert shown["method_mean"].to_dict() == pytest.approx(expected["mean"].to_dict())


def test_a_filtered_csv_holds_what_is_shown(visit: Visit, saved: Saved, full: Path) -> None:
    visit(full, methods=["ce", "gce"], noises="clean")
    shown = csv_of(saved, "leaderboard-of-tiny.csv")
    assert shown[["method", "noise"]].values.tolist() == [["ce", "clean"], ["gce", "clean"]]


def test_latex_is_a_booktabs_table_with_the_best_of_each_column_in_bold(
    visit: Visit, saved: Saved, full: Path
) -> None:
    visit(full)
    text = text_of(saved, "leaderboard-of-tiny.tex")
    heads, *rows = latex_rows(text)
    bold = {(row[0], heads[i]) for row in rows for i, cell in enumerate(row) if "textbf" in cell}
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert bold == {
        ("co-teaching", name) for name in ("mean", "clean", "symmetric 0.5", "pairflip 0.45")
    }


def test_latex_says_what_the_page_says(visit: Visit, saved: Saved, full: Path) -> None:
    at = visit(full)
    heads, *rows = latex_rows(text_of(saved, "leaderboard-of-tiny.tex"))
    shown = at.dataframe[0].value.set_index("method")["block0"]
    for row in rows:
        found = float(re.sub(r"\\textbf{|}", "", row[heads.index("clean")]).split()[0])
        assert found == pytest.approx(100 * shown[row[0]], abs=0.006)


@pytest.mark.parametrize("chart", RANKINGS)
def test_a_chart_of_the_leaderboard_is_a_png(
    visit: Visit, saved: Saved, full: Path, chart: str
) -> None:
    visit(full, chart=chart)
    (name,) = (name for name in saved if name.endswith(".png"))
    picture = saved[name]()
    assert isinstance(picture, bytes)
    assert picture.startswith(PNG)


@pytest.mark.parametrize("page", ["leaderboard", "gains", "noise"])
def test_every_svg_is_xml_with_marks_in_it(
    visit: Visit, saved: Saved, full: Path, page: str
) -> None:
    visit(full, page)
    names = [name for name in saved if name.endswith(".svg")]
    trees = [ElementTree.fromstring(saved[name]()) for name in names]  # noqa: S314
    assert names
    assert all(tree.tag == f"{SVG}svg" for tree in trees)
    assert all(len(tree.findall(f".//{SVG}path")) > 3 for tree in trees)


def test_the_charts_csv_holds_its_numbers(visit: Visit, saved: Saved, full: Path) -> None:
    visit(full, chart="Strength")
    assert list(csv_of(saved, "strength.csv")["method"]) == ["co-teaching", "gce", "ce"]


def test_gains_of_all_refiners_are_in_their_csv(visit: Visit, saved: Saved, full: Path) -> None:
    visit(full, "gains")
    shown = csv_of(saved, "all-refiners.csv").set_index("refiner")["gain"]
    expected = overall(results_of(full)).set_index("refiner")["gain"]
    assert shown.to_dict() == pytest.approx(expected.to_dict())


def test_files_are_in_the_colours_of_paper_on_a_dark_page(
    visit: Visit, saved: Saved, full: Path
) -> None:
    at = in_the_dark(visit(full, chart="Accuracy"))
    (shown,) = at.get("vega_lite_chart")
    file = str(saved["accuracy.svg"]())
    assert DARK.accent in shown.proto.spec
    assert LIGHT.accent in file
    assert DARK.accent not in file


def test_the_background_of_a_file_is_white(visit: Visit, saved: Saved, full: Path) -> None:
    in_the_dark(visit(full, chart="Wins"))
    assert "#ffffff" in str(saved["wins.svg"]())


def test_names_that_are_code_are_text_in_every_svg(
    visit: Visit, saved: Saved, hostile: Path
) -> None:
    for page in ("leaderboard", "gains"):
        visit(hostile, page)
    for name in [name for name in saved if name.endswith(".svg")]:
        tree = ElementTree.fromstring(saved[name]())  # noqa: S314
        assert not tree.findall(f".//{SVG}script")


def test_names_that_are_code_are_whole_in_csv_and_quiet_in_latex(
    visit: Visit, saved: Saved, hostile: Path
) -> None:
    visit(hostile)
    methods = set(csv_of(saved, "leaderboard-of-tiny.csv")["method"])
    latex = text_of(saved, "leaderboard-of-tiny.tex")
    assert {"<script>alert(1)</script>", "**x** $y$ :red[z]"} <= methods
    assert r"\$y\$" in latex


def test_every_file_has_a_name_of_its_own(visit: Visit, hostile: Path) -> None:
    for page in ("leaderboard", "gains", "noise"):
        at = visit(hostile, page)
        keys = [button.proto.id for button in at.get("download_button")]
        assert len(set(keys)) == len(keys)


def test_text_of_a_table_is_as_it_is_shown() -> None:
    shown = Shown(
        pd.DataFrame(
            {
                "method": ["ce", "elr"],
                "share": [0.5, float("nan")],
                "points": pd.Series([Figure(-0.01, "−1.00"), NOTHING], dtype=object),
                "told": [["rate", "2 nets"], []],
            }
        ),
        {
            "method": {"label": "method"},
            "share": {"label": "share", "type_config": {"format": "%.2f"}},
            "points": {"label": "share"},
            "told": {"label": "told"},
        },
        frozenset({(0, 1)}),
    )
    found = as_table(shown, "A title")
    assert found.columns == ("method", "share", "share ", "told")
    assert found.rows == (("ce", "0.50", "-1.00", "rate, 2 nets"), ("elr", "–", "–", ""))


def test_a_chart_that_fails_shows_its_error_and_offers_no_file(
    visit: Visit, saved: Saved, full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> alt.Chart:
        raise ZeroDivisionError("no <b>room</b>")

    monkeypatch.setattr("bench.report.rank_charts.critical_difference_chart", broken)
    # A chart that was drawn once is kept: a database that nobody has seen.
    at = visit(Path(shutil.copy(full, tmp_path / "unseen.db")))
    assert at.error[0].value == (
        r"The chart could not be drawn: ZeroDivisionError: no \<b\>room\</b\>"
    )
    assert "critical-difference.png" not in saved


FAILING = {
    "Strength": "bench.report.rank_charts.strength_chart",
    "Wins": "bench.report.rank_charts.win_chart",
    "Accuracy": "bench.report.standing_charts.standings",
    "Accuracy against cost": "bench.report.cost_chart.cost_chart",
}


@pytest.mark.parametrize("chart", FAILING)
def test_the_table_outlives_any_chart_that_fails(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch, chart: str
) -> None:
    def broken(*_: object) -> alt.Chart:
        raise ValueError("no")

    monkeypatch.setattr(FAILING[chart], broken)
    at = visit(full, chart=chart)
    assert [error.value for error in at.error] == ["The chart could not be drawn: ValueError: no"]
    assert len(at.dataframe[0].value) == 3


FAILING_GAINS: dict[str, tuple[str, dict[str, str]]] = {
    "bench.report.slope_charts.slope_chart": ("chart", {}),
    "bench.report.slope_charts.gain_against_rate": ("chart", {"where": "Noise rate"}),
    "bench.report.gain_charts.gain_against_off": ("chart", {"where": "Accuracy without it"}),
    "bench.report.gain_charts.k_curve": ("curve", {}),
    "dashboard.attribution.forest": ("attribution", {}),
}


@pytest.mark.parametrize("function", FAILING_GAINS)
def test_the_page_of_gains_outlives_any_chart_that_fails(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def broken(*_: object, **__: object) -> alt.Chart:
        raise ValueError("no")

    monkeypatch.setattr(function, broken)
    what, query = FAILING_GAINS[function]
    at = visit(full, "gains", **query)
    assert at.error[0].value == f"The {what} could not be drawn: ValueError: no"


def test_a_table_that_fails_shows_its_error(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Shown:
        raise KeyError("mean")

    monkeypatch.setattr("dashboard.views.leaderboard._table", broken)
    assert visit(full).error[0].value == "The table could not be drawn: KeyError: 'mean'"


def test_specifications_of_all_charts_are_json(visit: Visit, full: Path) -> None:
    specs = [chart.proto.spec for chart in visit(full, "gains").get("vega_lite_chart")]
    assert all("layer" in json.loads(spec) for spec in specs)


def test_a_file_is_made_only_when_it_is_asked_for(
    visit: Visit, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    picture: Callable[..., bytes] = lambda *_: made.append("picture") or b""  # noqa: E731
    monkeypatch.setattr("dashboard.exports.picture", picture)
    visit(full)
    assert made == []

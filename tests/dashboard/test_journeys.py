"""What readers do with the dashboard, from end to end in a real browser."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from browsing import MARKS, choose_in, sentences, settle
from playwright.sync_api import Page, expect

NewPage = Callable[..., Page]

pytestmark = MARKS

RANK_PX = 130
"""From the edge of the leaderboard to its second column."""

LIVE = """
suite: live
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.5}}]
methods: [ce, gce]
refiners: [off, lip]
seeds: 2
protocol: {backbone: {mlp: {width: 256, depth: 3}}, epochs: 30, batch_size: 16}
"""


def table(page: Page, heading: str) -> list[dict[str, str]]:
    """The table with such a heading, as those read it who cannot see the canvas."""
    expect(page.locator("canvas [role=columnheader]", has_text=heading).first).to_be_attached()
    for grid in page.get_by_test_id("stMain").locator("canvas table[role=grid]").all():
        names = grid.locator("[role=columnheader]").all_text_contents()
        if heading in names:
            rows = grid.locator("tbody [role=row]").all()
            values = [row.locator("[role=gridcell]").all_text_contents() for row in rows]
            return [dict(zip(names, row, strict=False)) for row in values]
    raise AssertionError(f"no table has a column {heading}")


def save(page: Page, title: str, label: str, folder: Path) -> Path:
    """Press a download of a table or chart and wait for its file."""
    name = title.lower().replace(" ", "-")
    button = page.locator(f".st-key-file-{name}-{label.lower()} button:visible")
    with page.expect_download() as waiting:
        button.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_click_on_a_heading_sorts_by_the_numbers_behind_the_words(
    new_page: NewPage, address: str
) -> None:
    page = new_page(width=1600)
    page.goto(address)
    settle(page)
    before = [row["method"] for row in table(page, "strength")]
    assert before == ["co-teaching", "gce", "ce"]
    canvas = page.locator(".st-key-standings canvas").first
    box = canvas.bounding_box()
    assert box is not None
    for _ in range(2):  # ascending, then descending
        page.mouse.click(box["x"] + RANK_PX, box["y"] + 17)
        page.wait_for_timeout(400)
    assert [row["method"] for row in table(page, "strength")] == before[::-1]


def test_filters_live_in_the_address_and_reopen_as_they_were(
    new_page: NewPage, address: str
) -> None:
    page = new_page()
    page.goto(address)
    settle(page)
    page.get_by_text("Filter", exact=True).click()
    choose_in(page, "Methods", "gce")
    page.wait_for_url("**methods=gce*")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Filtered: 1 of 3 methods")).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("lip", exact=True).click()
    page.wait_for_url("**refiner=lip*")
    settle(page)
    linked = new_page()
    linked.goto(page.url)
    settle(linked)
    assert sentences(linked) == sentences(page)
    assert [row["method"] for row in table(linked, "group")] == ["gce"]


def test_two_runs_are_compared_with_only_what_differs(new_page: NewPage, address: str) -> None:
    page = new_page()
    page.goto(f"{address}/runs")
    settle(page)
    keys = [row["key"] for row in table(page, "key")][:2]
    assert len(keys) == 2
    runs = page.get_by_role("textbox", name="Runs to show")
    runs.fill(",".join(keys))
    runs.press("Enter")
    expect(page.get_by_text("2 runs compared")).to_be_visible()
    page.wait_for_url("**run=*")
    settle(page)
    differing = {row["setting"] for row in table(page, "setting")}
    assert "seed" in differing
    assert "protocol.batch_size" not in differing


def test_a_table_and_a_chart_are_taken_home_as_files(
    new_page: NewPage, address: str, tmp_path: Path
) -> None:
    page = new_page(scheme="dark")
    page.goto(address)
    settle(page)
    title = "Leaderboard of tiny"
    rows = list(csv.DictReader(save(page, title, "CSV", tmp_path).open(encoding="utf-8")))
    assert len(rows) == 9
    assert {row["method"] for row in rows} == {"ce", "gce", "co-teaching"}
    latex = save(page, title, "LaTeX", tmp_path).read_text(encoding="utf-8")
    assert "\\toprule" in latex
    assert "\\textbf{" in latex
    image = save(page, "Critical difference", "PNG", tmp_path).read_bytes()
    assert image.startswith(b"\x89PNG")
    drawing = save(page, "Critical difference", "SVG", tmp_path)
    root = ElementTree.parse(drawing).getroot()  # noqa: S314 - of our own making
    assert root.tag.endswith("svg")


def test_progress_is_seen_while_two_workers_write(
    new_page: NewPage,
    serve: Callable[[Path], str],
    empty: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    suite, path = tmp_path / "live.yaml", tmp_path / "live.db"
    suite.write_text(LIVE, encoding="utf-8")
    path.write_bytes(empty.read_bytes())
    page = new_page()
    page.goto(f"{serve(path)}/coverage")
    settle(page)
    command = [sys.executable, "-m", "bench", "run", str(suite), "--db", str(path), "--jobs", "2"]
    command += ["--data-dir", str(data_dir), "--device", "cpu"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        expect(page.get_by_text("Running now")).to_be_visible(timeout=120_000)
        main = page.get_by_test_id("stMain")
        expect(main).to_contain_text("epoch", timeout=60_000)
        assert run.wait(timeout=240) == 0
    finally:
        run.kill()
        run.wait()
    expect(page.get_by_text("8 of 8 trainings done")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Running now")).to_have_count(0)


@pytest.mark.parametrize("place", ["", "gains", "methods", "runs", "coverage"])
def test_every_page_can_be_read_in_the_dark_and_on_a_phone(
    new_page: NewPage, address: str, place: str
) -> None:
    page = new_page(width=375, scheme="dark")
    page.goto(f"{address}/{place}")
    settle(page)
    ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert max(int(part) for part in ground[4:-1].split(",")[:3]) < 64
    ink = page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stMarkdown] p')).color"
    )
    assert min(int(part) for part in ink[4:-1].split(",")[:3]) > 150
    assert page.evaluate("document.documentElement.scrollWidth") <= 376

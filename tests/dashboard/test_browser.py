"""Pages in a real browser, against a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import JOINER, MARKS, choose_in, expect_charts, sentences, settle
from playwright.sync_api import Page, expect

pytestmark = MARKS


def test_leaderboard_opens_with_who_leads_a_table_and_a_chart(
    new_page: Callable[..., Page], address: str
) -> None:
    page = new_page()
    page.goto(address)
    text = settle(page)
    assert "A tiny suite" in text
    assert "27 of 27 trainings done" in text
    assert "co-teaching leads with an average rank of 1.00" in text
    expect(page.locator(".st-key-standings canvas").first).to_be_visible()
    expect_charts(page, 1)
    assert "board=" in page.url


def test_gains_by_a_click_and_the_same_view_from_its_address(
    new_page: Callable[..., Page], address: str
) -> None:
    page = new_page()
    page.goto(address)
    settle(page)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Gains").click()
    page.wait_for_url("**/gains*")
    expect(page.get_by_text("Every k of one cell")).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("psp", exact=True).click()
    page.wait_for_url("**gain=psp*")
    expect(page.get_by_text("psp:").first).to_be_visible()
    settle(page)
    expect_charts(page, 5)
    linked = new_page()
    linked.goto(page.url)
    expect_charts(linked, 5)
    settle(linked)
    assert sentences(linked) == sentences(page)
    assert linked.url == page.url


def test_refiner_switch_lives_in_the_address(new_page: Callable[..., Page], address: str) -> None:
    page = new_page()
    page.goto(address)
    off = settle(page)
    page.get_by_test_id("stButtonGroup").get_by_text("lip", exact=True).click()
    page.wait_for_url("**refiner=lip*")
    assert settle(page) != off
    page.go_back()
    page.wait_for_function("!location.search.includes('refiner')")


def test_a_filter_changes_table_and_chart_and_puts_no_others_in_their_place(
    new_page: Callable[..., Page], address: str
) -> None:
    page = new_page()
    page.goto(address)
    settle(page)
    drawn = page.get_by_test_id("stDataFrame").or_(page.get_by_test_id("stVegaLiteChart"))
    assert drawn.evaluate_all("all => all.map(one => one.isTheSame = true)") == [True, True]
    page.get_by_text("Filter", exact=True).first.click()
    choose_in(page, "Noises", "clean")
    page.wait_for_url("**noises=clean*")
    expect(page.get_by_text("Ranks are among what is shown")).to_be_visible()
    settle(page)
    assert drawn.evaluate_all("all => all.map(one => one.isTheSame)") == [True, True]


@pytest.mark.parametrize("place", ["", "gains"])
def test_a_phone_scrolls_down_and_never_sideways(
    new_page: Callable[..., Page], address: str, place: str
) -> None:
    page = new_page(width=375)
    page.goto(f"{address}/{place}")
    settle(page)
    wide = "[data-testid=stMain], .vega-embed, [data-testid=stDataFrame]"
    widths = page.locator(wide).evaluate_all(
        "found => found.map(e => [e.scrollWidth, e.getBoundingClientRect().right])"
    )
    assert len(widths) >= 3
    assert all(scroll <= 376 and right <= 376 for scroll, right in widths), widths


def test_dark_pages_are_dark(new_page: Callable[..., Page], address: str) -> None:
    page = new_page(scheme="dark")
    page.goto(f"{address}/gains")
    settle(page)
    ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert max(int(part) for part in ground[4:-1].split(",")[:3]) < 64
    expect_charts(page, 5)


def test_names_that_are_code_are_shown_as_text(
    new_page: Callable[..., Page], serve: Callable[[Path], str], hostile: Path
) -> None:
    address = serve(hostile)
    title = f"# <b>Title</b> :{JOINER}smile: _x_"
    page = new_page()
    page.goto(address)
    text = settle(page)
    assert title in text
    assert f"![a](http:{JOINER}//b.invalid/c.png) leads" in text
    assert not page.get_by_test_id("stMarkdown").locator("a").count()
    assert "*psp* `k`" in text
    page.goto(f"{address}/gains")
    assert title in settle(page)


def test_a_new_server_opens_any_page_and_fills_by_itself(
    new_page: Callable[..., Page],
    serve: Callable[[Path], str],
    empty: Path,
    make_database: Callable[..., Path],
    tmp_path: Path,
) -> None:
    path = tmp_path / "filling.db"
    path.write_bytes(empty.read_bytes())
    page = new_page()
    # The first visit that this server ever has is not to its front page.
    page.goto(f"{serve(path)}/gains")
    assert "No results yet" in settle(page)
    assert "python -m bench run digits" in page.get_by_test_id("stCode").inner_text()
    make_database(path=path)
    expect(page.get_by_text("over 9 cells")).to_be_visible()


def test_published_figures_stand_beside_ours_and_a_filter_lives_in_the_address(
    new_page: Callable[..., Page], serve: Callable[[Path], str], beside: Path
) -> None:
    address = serve(beside)
    page = new_page()
    page.goto(address)
    settle(page)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Published").click()
    page.wait_for_url("**/published*")
    text = settle(page)
    assert "3 published figures may be compared with ours: 2 reproduced, 1 off" in text
    assert "How a verdict is reached" in text
    expect(page.locator(".st-key-published canvas").first).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("off", exact=True).click()
    page.wait_for_url("**verdict=off*")
    expect(page.get_by_text("1 figure of 6")).to_be_visible()
    linked = new_page(width=375)
    linked.goto(page.url)
    assert "1 figure of 6" in settle(linked)
    assert linked.evaluate("document.documentElement.scrollWidth") <= 376

"""Journeys through the dashboard in a real browser, against a real server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from dashboard import app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MS = 30_000
JOINER = "\N{WORD JOINER}"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on the PATH; on Debian: apt-get install chromium"
    ),
]


@contextmanager
def serving(db: Path, folder: Path) -> Iterator[str]:
    """A server of one database, as the command line starts it; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "server.log"
    command = [
        *(sys.executable, "-m", "streamlit", "run", app.__file__),
        *("--server.address", "127.0.0.1", "--server.port", str(port)),
        *("--server.headless", "true", "--browser.gatherUsageStats", "false"),
    ]
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, env={**os.environ, "LIPBENCH_DB": str(db)}, cwd=folder, stdout=out, stderr=out
        )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()  # noqa: S310
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all journeys."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the full database."""
    with serving(full, tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """``serve(db)`` starts a server for one test; gives its address."""
    with ExitStack() as servers:
        yield lambda db: servers.enter_context(serving(db, tmp_path))


@pytest.fixture
def new_page(browser: Browser, serve: object) -> Iterator[Callable[..., Page]]:
    """``new_page(width=1280, scheme="light")``: a fresh session that must stay clean.

    When the test is over, no script of the page may have failed, and nothing may have been asked
    of another host. Pages close before servers stop, hence ``serve``.
    """
    contexts, complaints = [], []

    def heard(message: ConsoleMessage) -> None:
        # Streamlit looks for its own server below the page's address first, and asks again above.
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            complaints.append(message.text)

    def asked(url: str) -> None:
        host = urlsplit(url).hostname
        if host not in (None, "127.0.0.1"):
            complaints.append(f"asked {url}")

    def make(width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked(request.url))
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def settle(page: Page) -> str:
    """What the page says once it has stopped moving."""
    main = page.get_by_test_id("stMain")
    expect(page.get_by_test_id("stHeading").first).to_be_visible()
    before = ""
    for _ in range(100):
        page.wait_for_timeout(300)
        now = main.inner_text()
        if now == before and not page.get_by_test_id("stSkeleton").count():
            return now
        before = now
    raise AssertionError(f"the page never came to rest: {before}")


def expect_charts(page: Page, number: int) -> None:
    """Wait until so many charts have drawn something."""
    expect(page.locator(".vega-embed svg, .vega-embed canvas")).to_have_count(number)


def sentences(page: Page) -> list[str]:
    """Headings, answers and captions, without what is inside charts."""
    return page.get_by_test_id("stMain").get_by_test_id("stMarkdown").all_inner_texts()


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

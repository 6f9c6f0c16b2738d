"""A real browser and a real server, for the tests of journeys through the dashboard."""

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

MARKS = [
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


def choose_in(page: Page, label: str, option: str) -> None:
    """Open a list of the filters, which are open, and choose one entry."""
    box = page.get_by_role("combobox", name=label, exact=True)
    box.wait_for()
    page.wait_for_timeout(500)  # a list that opens while its box still moves closes again
    box.click()
    page.get_by_role("option", name=option, exact=True).click()


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
    at_rest = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(page.get_by_test_id("stHeading").first).to_be_visible()
    before = ""
    for _ in range(100):
        page.wait_for_timeout(300)
        now = main.inner_text()
        if now == before and at_rest.count() and not page.get_by_test_id("stSkeleton").count():
            return now
        before = now
    raise AssertionError(f"the page never came to rest: {before}")


def expect_charts(page: Page, number: int) -> None:
    """Wait until so many charts have drawn something."""
    expect(page.locator(".vega-embed svg, .vega-embed canvas")).to_have_count(number)


def sentences(page: Page) -> list[str]:
    """Headings, answers and captions, without what is inside charts."""
    return page.get_by_test_id("stMain").get_by_test_id("stMarkdown").all_inner_texts()

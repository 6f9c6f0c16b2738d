"""How long the dashboard takes with a million evaluations, beside the shipped database.

    python benchmarks/dashboard_latency.py [--methods 60] [--blocks 200] [--seeds 10] [--keep PATH]

A server is started on each database and opened in headless Chromium, three times in turn, beside a
page of Streamlit that holds one heading, the same two choices and one table of a word: what a
browser needs to load Streamlit and to answer a click, which is no work of ours.

*First paint* is from asking the fresh server for the address to the table and its heading being
there, in a fresh browser session; what a start reads ahead is in *start*, from the command to a
server that answers. *Filter change* is from clicking another refiner, or choosing one noise, on a
page whose browser is idle, to the page having stopped running, and having been painted, with other
words: *new* the first time, *seen* the second. Bars, on two cores: first paint under 2 s, a filter
change under 0.5 s, both beyond the empty page's.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from big_database import build
from measure import Measure, report
from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FIRST_PAINT_BAR_S, FILTER_BAR_S = 2.0, 0.5
SETTLED = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.getAttribute('data-test-script-state') === 'notRunning'
    && document.querySelector('[data-testid="stDataFrame"]');
}"""
WORDS = """() => [...document.querySelectorAll(
  '[data-testid="stMain"] [data-testid="stMarkdownContainer"]')].map(p => p.textContent).join()"""
CHANGED = f"(before) => ({WORDS})() !== before && ({SETTLED})()"
PAINT = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
AT_REST = "() => new Promise((done) => requestIdleCallback(() => done()))"
PAINTED = """() => document.querySelector('[data-testid="stDataFrame"] canvas')
  && document.querySelector('[data-testid="stHeading"]')"""


EMPTY_PAGE = """
import pandas as pd
import streamlit as st
st.header("nothing")
names = ["off", "lip", "lip-calibrated"]
chosen = st.segmented_control("Refiner", names, default="off", key="refiner", bind="query-params")
with st.expander("Filter"):
    noises = [f"noise {number}" for number in range(20)]
    kept = st.multiselect("Noises", noises, key="noises", bind="query-params")
st.markdown(f"{chosen} of {kept}")
st.dataframe(pd.DataFrame({"a": [chosen, *kept]}))
"""


@contextmanager
def serving(db: Path | None, folder: Path) -> Iterator[tuple[str, float]]:
    """A server as the command starts it, or of the empty page: address, seconds to its answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bench", "dashboard", "--headless", "--port", str(port)]
    command += ["--db", str(db)]
    if db is None:
        page = folder / "empty_page.py"
        page.write_text(EMPTY_PAGE, encoding="utf-8")
        command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.headless", "true"]
        command += ["--server.port", str(port), "--browser.gatherUsageStats", "false"]
    started = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()  # noqa: S310
                break
            except OSError:
                time.sleep(0.1)
        yield address, time.perf_counter() - started
    finally:
        server.terminate()
        server.wait(timeout=20)


def first_paint(browser: Browser, address: str) -> tuple[float, Page]:
    """Seconds to the table, in a fresh session, and the page."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(PAINTED, timeout=120_000, polling=20)
    took = time.perf_counter() - started
    page.wait_for_function(SETTLED, timeout=120_000, polling=20)
    return took, page


def choose_refiner(page: Page, refiner: str) -> float:
    """Seconds from clicking a refiner to the page at rest with it."""
    choice = page.get_by_role("radio", name=refiner, exact=True).or_(
        page.get_by_role("button", name=refiner, exact=True)
    )
    choice.first.scroll_into_view_if_needed()
    return until_settled(page, choice.first, "refiner", refiner)


def choose_noise(page: Page) -> float:
    """Seconds from clicking a noise in the list of noises to the page at rest with it alone."""
    page.get_by_text("Filter", exact=True).first.click()
    box = page.get_by_role("combobox", name="Noises")
    box.wait_for()
    page.wait_for_timeout(500)  # until the box has stopped moving
    box.click()
    option = page.get_by_role("option").nth(1)
    option.wait_for()
    name = option.inner_text().strip()
    page.wait_for_timeout(500)  # until the list has stopped moving
    return until_settled(page, option, "noises", name)


def until_settled(page: Page, choice: Locator, key: str, wanted: str) -> float:
    """Seconds from a click to the page at rest and painted, with other words and address."""
    before = page.evaluate(WORDS)
    page.evaluate(AT_REST)
    started = time.perf_counter()
    choice.click()
    page.wait_for_function(
        "([key, name]) => new URLSearchParams(location.search).get(key) === name",
        arg=[key, wanted],
        timeout=60_000,
        polling=10,
    )
    page.wait_for_function(CHANGED, arg=before, timeout=60_000, polling=10)
    page.evaluate(PAINT)
    return time.perf_counter() - started


def empty_page(browser: Browser, folder: Path) -> dict[str, float]:
    """Seconds of a page that holds next to nothing."""
    with serving(None, folder) as (address, _):
        first, page = first_paint(browser, address)
        page.context.close()
        again, page = first_paint(browser, address)
        clicked = [choose_refiner(page, name) for name in ("lip", "lip-calibrated", "lip")]
        noise = choose_noise(page)
        page.context.close()
    change = statistics.median(clicked)
    changes = dict.fromkeys(("another refiner, new", "another refiner, seen"), change)
    return {"first paint": first, "paint again": again, "one noise, new": noise, **changes}


def measure(browser: Browser, db: Path, folder: Path) -> dict[str, float]:
    """Seconds of everything, on a fresh server."""
    with serving(db, folder) as (address, start_s):
        first, page = first_paint(browser, address)
        page.context.close()
        again, page = first_paint(browser, address)
        new = [choose_refiner(page, name) for name in ("lip", "lip-calibrated")]
        seen = [choose_refiner(page, name) for name in ("lip", "lip-calibrated")]
        noise = choose_noise(page)
        page.context.close()
    return {
        "start": start_s,
        "first paint": first,
        "paint again": again,
        "another refiner, new": statistics.median(new),
        "another refiner, seen": statistics.median(seen),
        "one noise, new": noise,
    }


def main() -> int:
    """Measure, and print a row a measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("methods", 60), ("blocks", 200), ("seeds", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--keep", type=Path, help="where the database is kept, or is already")
    parser.add_argument("--repeats", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        big = wanted.keep or Path(folder) / "big.db"
        if not big.exists():
            build(big, wanted.methods, wanted.blocks, wanted.seeds)
        small = Path(folder) / "small.db"
        shutil.copy(ROOT / "leaderboard.db", small)
        found: dict[str, list[dict[str, float]]] = {"big": [], "small": []}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
            )
            empty = []
            for _ in range(wanted.repeats):
                empty.append(empty_page(browser, Path(folder)))
                found["small"].append(measure(browser, small, Path(folder)))
                found["big"].append(measure(browser, big, Path(folder)))
            browser.close()
    floor = {name: statistics.median(run[name] for run in empty) for name in empty[0]}
    return report(rows(found, floor))


def rows(found: dict[str, list[dict[str, float]]], floor: dict[str, float]) -> list[Measure]:
    """A measure each, medians over repeats, beyond those of the empty page."""
    bars = {"first paint": FIRST_PAINT_BAR_S}
    bars |= dict.fromkeys(("another refiner, new", "one noise, new"), FILTER_BAR_S)
    measures = []
    for name in found["big"][0]:
        seconds = statistics.median(run[name] for run in found["big"])
        shipped = statistics.median(run[name] for run in found["small"])
        note = f"{seconds / shipped:.2f} x the shipped database ({shipped:.2f} s)"
        what = f"dashboard, {name}"
        if name in floor:
            what += ", beyond an empty page"
            note = f"{seconds:.2f} s less {floor[name]:.2f} s; all of it {note}"
        beyond = seconds - floor.get(name, 0.0)
        measures.append(Measure(what, beyond, "s", at_most=bars.get(name), note=note))
    return measures


if __name__ == "__main__":
    sys.exit(main())

"""``python -m dashboard``: the server, with what pages need loaded before the first visitor.

Streamlit imports the modules of a page when somebody asks for it, and a page reads when it is
shown. Here both are done at the start, side by side, so that the first visitor waits for neither.
Flags are those of ``streamlit run``.
"""

from __future__ import annotations

import gc
import importlib
import logging
import sys
import threading
from pathlib import Path

from streamlit.web import cli

from bench.freed import keep_freed_memory

WARM = (
    *("altair", "pandas", "scipy.stats", "streamlit.elements.vega_charts"),
    *("bench.published.board", "bench.store.structure", "bench.report.attribution"),
    "dashboard.app",
)
"""Libraries and modules that pages use."""

SWITCH_S = 0.0005
KEPT_BYTES = 2**28
"""Of freed memory that the next page's frames are put into: asking for it anew takes longer than
filling it."""

log = logging.getLogger(__name__)


def main() -> None:
    """Load and read, then serve until interrupted."""
    keep_freed_memory(KEPT_BYTES)
    reading = threading.Thread(target=_read_first_page, daemon=True)
    reading.start()
    for name in WARM:
        importlib.import_module(name)
    # Tests draw every chart against Vega-Lite's schema; checking it again for each reader costs
    # more than drawing.
    importlib.import_module("altair.utils.schemapi").disable_debug_mode()
    # Both are slow to ask for the first time: a quantile of the studentised range, and whether
    # this is an interactive session.
    importlib.import_module("bench.stats.ranks").critical_difference(5, 5)
    importlib.import_module("streamlit.env_util").is_repl()
    reading.join()
    # What is loaded stays: looking through it for garbage would stop a page for 0.1 s.
    gc.collect()
    gc.freeze()
    # A thread that answers a browser gets its turn this soon from one that works ahead.
    sys.setswitchinterval(SWITCH_S)
    importlib.import_module("dashboard.ahead").AHEAD.start()
    sys.argv = [
        *("streamlit", "run", str(Path(__file__).with_name("app.py"))),
        *("--browser.gatherUsageStats", "false", "--server.showEmailPrompt", "false"),
        *sys.argv[1:],
    ]
    cli.main()


def _read_first_page() -> None:
    from dashboard import ahead, data

    try:
        ahead.first_page(data.database())
    except Exception as error:  # the page says what is wrong, to whom it is shown
        log.debug("nothing read ahead: %s", error)


if __name__ == "__main__":
    main()

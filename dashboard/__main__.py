"""``python -m dashboard``: the server, with what pages need loaded before the first visitor.

Streamlit imports the modules of a page when somebody asks for it; here libraries are loaded at the
start, so that the first visitor waits for data alone. Flags are those of ``streamlit run``.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from streamlit.web import cli

WARM = (
    *("altair", "pandas", "scipy.stats", "streamlit.elements.vega_charts"),
    *("bench.published.board", "bench.store.structure", "bench.report.attribution"),
)
"""Libraries that pages use. Modules with caches are not among them: those need a running server."""


def main() -> None:
    """Load, then serve until interrupted."""
    for name in WARM:
        importlib.import_module(name)
    # Tests draw every chart against Vega-Lite's schema; checking it again for each reader costs
    # more than drawing.
    importlib.import_module("altair.utils.schemapi").disable_debug_mode()
    # The quantile of the studentised range is slow to ask for the first time.
    importlib.import_module("bench.stats.ranks").critical_difference(5, 5)
    sys.argv = [
        *("streamlit", "run", str(Path(__file__).with_name("app.py"))),
        *("--browser.gatherUsageStats", "false", "--server.showEmailPrompt", "false"),
        *sys.argv[1:],
    ]
    cli.main()


if __name__ == "__main__":
    main()

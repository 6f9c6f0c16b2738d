"""``dashboard``: the Streamlit leaderboard, on loopback."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from bench.cli import options


def dashboard(
    db: options.Db = options.DEFAULT_DB,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="TCP port.")] = 8501,
    headless: Annotated[
        bool, typer.Option("--headless", help="Do not open a browser window.")
    ] = False,
) -> None:
    """Open the leaderboard in a browser. It reads the database and never writes it.

    It listens on 127.0.0.1 only; from elsewhere use: ssh -L 8501:127.0.0.1:8501 HOST

    [dim]Example:[/dim] python -m bench dashboard --db mine.db --port 8600
    """
    import importlib.util

    from bench.errors import BenchError

    spec = importlib.util.find_spec("dashboard.app")
    if spec is None or spec.origin is None:
        raise BenchError("the package 'dashboard' is not installed; run: make install")
    command = [
        *(sys.executable, "-m", "dashboard", "--server.address", "127.0.0.1"),
        *("--server.port", str(port), "--server.headless", "true" if headless else "false"),
    ]
    os.execve(  # noqa: S606 - the server takes over this process, so that Ctrl-C ends it
        sys.executable, command, {**os.environ, "LIPBENCH_DB": str(db.resolve())}
    )

"""The golden database, opened once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pandas as pd
import pytest
from golden_board import DATABASE
from golden_figures import boards_of, figures_of, results_of

from bench.store.database import open_reader


@pytest.fixture(scope="session")
def connection() -> Iterator[sqlite3.Connection]:
    """A reader of the golden database."""
    with closing(open_reader(DATABASE)) as found:
        yield found


@pytest.fixture(scope="session")
def found(connection: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """What the statistics say today."""
    return {suite: figures_of(connection, board) for suite, board in boards_of(connection).items()}


@pytest.fixture(scope="session")
def results(connection: sqlite3.Connection) -> dict[str, pd.DataFrame]:
    """The scores of every board."""
    return {suite: results_of(connection, board) for suite, board in boards_of(connection).items()}

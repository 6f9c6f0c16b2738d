"""Databases that several modules of this folder use."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from exchange_case import SMALL as MEASURED
from exchange_case import documents, full
from made_up_runs import Fate, MakeDatabase
from merge_case import SMALL


@pytest.fixture(scope="module")
def templates() -> dict[tuple[object, ...], Path]:
    """Databases that were made before, by what they were made of."""
    return {}


@pytest.fixture
def make_small(
    make_database: MakeDatabase, templates: dict[tuple[object, ...], Path], tmp_path: Path
) -> MakeDatabase:
    """As ``make_database``, of the small suite; each call gives a file of its own."""
    numbers = count(1)

    def copy(fate: Fate, **options: Any) -> Path:
        key = (fate, *sorted(options.items()))
        if key not in templates:
            templates[key] = make_database(fate, suite=SMALL, **options)
        return Path(shutil.copy(templates[key], tmp_path / f"made-{next(numbers)}.db"))

    return copy


@pytest.fixture(scope="module")
def database(make_database: MakeDatabase) -> Path:
    """Two trainings with everything that can be measured."""
    return make_database(full, suite=MEASURED)


@pytest.fixture
def document(database: Path) -> dict[str, Any]:
    """The document of the training on single labels, to be spoilt."""
    return next(found for found in documents(database) if found["artefact"]["matrix"])

"""A training set for tests of noise models."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_sets import PlainTrainingSet, make_set


@pytest.fixture
def toy(tmp_path: Path) -> PlainTrainingSet:
    """2,000 random images of four classes; files lie in the test's folder."""
    return make_set(folder=tmp_path)

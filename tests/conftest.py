"""What all tests share: a private plugin cache, prepared digits, and suites written as strings."""

from __future__ import annotations

import os

# Before NumPy and torch are loaded: the cores are shared with other workers and the processes that
# tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from made_up_runs import SUITE, Fate, MakeDatabase, done, planned, write_database

from bench.data.prepared import read_info
from bench.plan import Plan
from bench.registry import Registry, discover

# How long an example takes says nothing about whether it is right.
settings.register_profile("lipbench", deadline=None)
settings.load_profile("lipbench")


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests neither read nor write the user's plugin catalogue or settings."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LIPBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in ("DB", "DATA_DIR", "DEVICE", "JOBS", "PLUGINS", "RESIDENT", "GRAPHS"):
        patch.delenv(f"LIPBENCH_{name}", raising=False)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The shipped plugins."""
    return discover()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """A data folder with digits prepared."""
    folder = tmp_path_factory.mktemp("data")
    read_info("digits", folder, registry)
    return folder


@pytest.fixture(scope="session")
def make_database(
    tmp_path_factory: pytest.TempPathFactory, registry: Registry, data_dir: Path
) -> MakeDatabase:
    """``make_database(fate, seeds=3, change=None)``: a database with one made-up board.

    ``fate`` gives what became of each training; ``change`` may alter the plan before it is
    recorded; ``path`` adds the board to a database that is there.
    """

    def make(
        fate: Fate = done,
        *,
        seeds: int = 3,
        change: Callable[[Plan], Plan] = lambda plan: plan,
        path: Path | None = None,
        suite: str = SUITE,
    ) -> Path:
        folder = tmp_path_factory.mktemp("database")
        plan = planned(suite.replace("SEEDS", str(seeds)), folder, registry, data_dir)
        return write_database(path or folder / "some.db", change(plan), registry, fate)

    return make


TINY = """
suite: tiny
datasets: [digits]
noises:
  - clean
  - symmetric: {rate: 0.5}
methods: [ce, elr]
refiners: [off, lip]
seeds: 2
protocol:
  backbone: {mlp: {width: 16, depth: 1}}
  epochs: 2
  batch_size: 256
"""
"""Eight trainings that take a moment."""


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Path]:
    """``write_suite(text, name="suite.yaml")`` writes a suite file and gives its path."""

    def write(text: str = TINY, name: str = "suite.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Path of a real data file by name; skips the test where it is absent."""
    beside = request.config.rootpath.parent / "shared" / "data"
    folder = Path(os.environ.get("LIPBENCH_TEST_DATA") or beside)

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"real data {name} is not in {folder}; set LIPBENCH_TEST_DATA")
        return path

    return find

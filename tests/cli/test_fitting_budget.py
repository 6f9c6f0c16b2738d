"""Which budget is advised where one is long."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bench.fitting import fitting_budget
from bench.registry import Registry
from bench.settings import Settings
from bench.spec import load_suite
from bench.store.database import open_reader, open_writer

SUITE = """
suite: lengths
datasets: [digits]
noises: [clean]
methods: [ce]
refiners: [off]
seeds: 1
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 200, batch_size: 64}
default_budget: middle
budgets:
  little: {protocol: {epochs: 1}}
  middle: {protocol: {epochs: 200}}
  much: {protocol: {epochs: 10000}}
"""


@pytest.mark.parametrize(
    ("at", "wall_s", "advised"), [("little", 3.0, None), ("middle", 60.0, "little")]
)
def test_only_a_shorter_budget_is_advised(
    at: str, wall_s: float, advised: str | None, tmp_path: Path, registry: Registry, data_dir: Path
) -> None:
    path, db = tmp_path / "lengths.yaml", tmp_path / "some.db"
    path.write_text(SUITE, encoding="utf-8")
    with open_writer(db):
        pass
    settings = Settings(db, data_dir, "cpu", 1, 1)
    with closing(open_reader(db)) as connection:
        suite = load_suite(str(path), at, registry)
        found = fitting_budget(str(path), suite, wall_s, 0.0, connection, registry, settings)
    assert (found[0] if found else None) == advised

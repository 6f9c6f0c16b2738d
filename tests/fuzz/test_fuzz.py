"""A bounded run of coverage-guided fuzzing on what reads files of others.

``LIPBENCH_FUZZ_S=600 python -m pytest tests/fuzz`` runs each target for ten minutes.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from coverage_guided import Crash, cut, double, flip, fuzz, inserting
from targets import (
    IMPORT_FILES,
    SPEC_FILES,
    YAML_WORDS,
    drop,
    importer,
    nudge,
    put_odd,
    repair,
    spec_reader,
    swap,
)

from bench.registry import Registry
from bench.store.database import open_reader
from bench.store.documents import text_of
from bench.store.exchange import read_document, tried
from bench.suite_files import SUITES

SECONDS = float(os.environ.get("LIPBENCH_FUZZ_S", "2"))
PAST = Path(__file__).parents[1] / "store" / "schemas" / "m006.sqlite"
BYTES = (cut, flip, double)


def documents() -> list[bytes]:
    """Files of trainings that were really run."""
    with tempfile.TemporaryDirectory() as folder:
        # A copy: SQLite puts files of its own beside a database that it reads.
        path = Path(shutil.copy(PAST, folder))
        with closing(open_reader(path)) as connection:
            return [text_of(read_document(connection, number)) for number, _ in tried(connection)]


@pytest.mark.timeout(SECONDS + 300)
def test_no_file_breaks_the_import() -> None:
    changes = (*BYTES, put_odd, put_odd, drop, swap, nudge, repair, repair, repair)
    seeds = documents()
    run = fuzz(importer(), seeds, changes, IMPORT_FILES, SECONDS)
    # The seeds pass: what was reached besides are refusals.
    assert len(run.corpus) > len(seeds) + 3


@pytest.mark.timeout(SECONDS + 300)
def test_no_suite_breaks_the_parser(registry: Registry, tmp_path: Path) -> None:
    seeds = [path.read_bytes() for path in sorted(SUITES.glob("*.yaml"))]
    seeds = sorted(seeds, key=len)[:6]
    changes = (*BYTES, inserting(YAML_WORDS), inserting(YAML_WORDS))
    run = fuzz(spec_reader(registry, tmp_path), seeds, changes, SPEC_FILES, SECONDS)
    assert len(run.corpus) > len(seeds) + 3


def picky(data: bytes) -> None:
    """Breaks on what nobody finds by chance."""
    for place, letter in enumerate(b"bug"):
        if data[place] != letter:
            return
        if place == 1:
            data = bytes(data)
    raise ValueError("found")


def test_the_fuzzer_finds_what_lies_behind_several_conditions() -> None:
    with pytest.raises(Crash) as caught:
        fuzz(picky, [b"aaaa"], [flip], [Path(__file__).name], seconds=30)
    assert caught.value.data[:3] == b"bug"


def test_the_same_seed_makes_the_same_inputs() -> None:
    tried_inputs: list[list[bytes]] = [[], []]
    for inputs in tried_inputs:
        rng = random.Random(3)  # noqa: S311
        data = documents()[0]
        for change in (put_odd, drop, swap, nudge, repair, flip, cut, double):
            data = change(data, rng)
            inputs.append(data)
    assert tried_inputs[0] == tried_inputs[1]

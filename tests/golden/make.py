"""Make the golden leaderboard anew: ``python tests/golden/make.py [--source leaderboard.db]``.

``leaderboard.db`` here is a small part of the one that is shipped, with real results: some of its
boards, without what no ranking and no gain reads (curves, epochs, spectra, labels, noisy
validation, logs), and with short keys. ``expected.json`` holds every figure that the statistics
give of it.

When it may be run:

- with ``--figures``, which leaves the database alone: after a figure was changed on purpose, in
  the commit that changes it, which must say which figures moved and why;
- whole: after the shipped results were measured anew, or a migration should be in the file.

Never to make a failing test pass: until somebody knows why it fails, it has found a mistake.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from golden_figures import boards_of, figures_of

from bench.store.database import open_reader, open_writer

HERE = Path(__file__).parent
DATABASE, EXPECTED = HERE / "leaderboard.db", HERE / "expected.json"
SOURCE = HERE.parents[1] / "leaderboard.db"

BOARDS = {"digits": "paper", "analysis": "short", "noise-types": "short"}
"""Suite -> budget: five methods, many refiners, and many noises on two data sets."""

KEY = 8
"""Letters that are kept of content hashes, which here only have to differ."""

HASHES = {
    "board": ("boards", "board_cells", "board_members", "cell_variants", "board_excluded"),
    "protocol_sha": ("boards", "protocols", "trainings"),
    "fingerprint": ("datasets", "artefacts", "trainings"),
    "artefact_sha": ("artefacts", "trainings"),
    "method_source_sha": ("trainings",),
    "source_sha": ("plugins", "variants"),
    "training_key": ("trainings",),
    "evaluation_key": ("evaluations",),
}
"""Column -> the tables that have it."""

COPY = """
INSERT INTO boards SELECT * FROM old.boards WHERE board IN (SELECT board FROM wanted);
INSERT INTO board_cells SELECT * FROM old.board_cells WHERE board IN (SELECT board FROM wanted);
INSERT INTO board_members
  SELECT * FROM old.board_members WHERE board IN (SELECT board FROM wanted);
INSERT INTO cell_variants
  SELECT * FROM old.cell_variants WHERE board IN (SELECT board FROM wanted);
INSERT INTO board_excluded
  SELECT * FROM old.board_excluded WHERE board IN (SELECT board FROM wanted);
INSERT INTO variants
  SELECT * FROM old.variants WHERE variant IN (SELECT variant FROM cell_variants);
INSERT INTO trainings
  SELECT id, training_key, fingerprint, artefact_sha, protocol_sha, method,
    method_params, method_source_sha, seed,
    json_object('knows', json(json_extract(spec, '$.knows')),
                'dataset', json_extract(spec, '$.dataset'))
  FROM old.trainings WHERE id IN (SELECT training_id FROM board_members);
INSERT INTO protocols SELECT * FROM old.protocols WHERE protocol_sha IN (
  SELECT protocol_sha FROM boards UNION SELECT protocol_sha FROM trainings);
INSERT INTO datasets
  SELECT * FROM old.datasets WHERE fingerprint IN (SELECT fingerprint FROM trainings);
INSERT INTO artefacts
  (artefact_sha, fingerprint, realised_rate, matrix, nominal, open_rate, mean_set_size, labels)
  SELECT artefact_sha, fingerprint, realised_rate, NULL, NULL, open_rate, mean_set_size, x''
  FROM old.artefacts WHERE artefact_sha IN (SELECT artefact_sha FROM trainings);
INSERT INTO plugins
  SELECT * FROM old.plugins WHERE (kind, name, source_sha) IN (
    SELECT 'method', method, method_source_sha FROM trainings
    UNION SELECT 'refiner', refiner, source_sha FROM variants);
INSERT INTO attempts
  SELECT training_id, attempt, status, started_at, wall_s, train_s, peak_memory_bytes, samples,
    n_parameters, device, precision, threads, NULL, error, '', ''
  FROM old.attempts WHERE training_id IN (SELECT id FROM trainings);
INSERT INTO selections
  SELECT * FROM old.selections WHERE training_id IN (SELECT id FROM trainings)
    AND selector = 'last';
INSERT INTO evaluations
  SELECT training_id, variant, evaluation_key, test_accuracy,
    NULL, k, rank, 0, '[]', error
  FROM old.evaluations WHERE training_id IN (SELECT id FROM trainings)
    AND variant IN (SELECT variant FROM variants);
UPDATE _sqlite_migrations SET applied_at = '2026-01-01 00:00:00';
"""


def make_database(source: Path, target: Path) -> None:
    """Copy some boards of one database into a new one that holds nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.db"
        with open_writer(fresh):
            pass
        with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("ATTACH ? AS old", [f"{source.resolve().as_uri()}?mode=ro"])
            connection.execute("CREATE TEMP TABLE wanted (board TEXT)")
            for suite, budget in BOARDS.items():
                connection.execute(
                    "INSERT INTO wanted SELECT board FROM old.boards WHERE suite = ? AND budget = ?"
                    " ORDER BY planned_at DESC LIMIT 1",
                    [suite, budget],
                )
            connection.executescript(COPY)
            for column, tables in HASHES.items():
                for table in tables:
                    connection.execute(f"UPDATE {table} SET {column} = substr({column}, 1, {KEY})")
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise ValueError(f"rows without their parents: {broken[:3]}")
            connection.execute("DETACH old")
            # A write-ahead log would leave files beside a database that is only read.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA page_size = 1024")
            connection.execute("VACUUM")
        target.write_bytes(fresh.read_bytes())


def make_figures(database: Path) -> dict[str, Any]:
    """What is pinned of every board, by suite."""
    with closing(open_reader(database)) as connection:
        boards = boards_of(connection)
        return {suite: figures_of(connection, board) for suite, board in boards.items()}


def as_text(value: Any) -> str:
    """JSON with a row of a table on each line, so that a change can be read."""
    if isinstance(value, dict) and any(isinstance(item, (dict, list)) for item in value.values()):
        parts = [f"{json.dumps(key)}: {as_text(item)}" for key, item in value.items()]
        return "{\n" + ",\n".join(parts) + "\n}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(as_text, value)) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, default=SOURCE, help="database with the boards")
    parser.add_argument("--figures", action="store_true", help="expected.json alone")
    wanted = parser.parse_args()
    if not wanted.figures:
        make_database(wanted.source, DATABASE)
    EXPECTED.write_text(as_text(make_figures(DATABASE)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""A made-up results database of any size, for measuring what reads it.

    python benchmarks/big_database.py PATH [--methods 60] [--blocks 200] [--seeds 10]

Figures are random, every row goes through the real schema, and a board of the real suite ``digits``
gives the rest (protocol, labels, plugins). Nothing of it is ever a result.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench.store.database import open_writer

REFINERS = (
    *("off", "lip", "lip-calibrated", "psp", "tail-constant"),
    *("recentre", "ridge", "random-basis", "lip(k=fixed:5)"),
)
WITH_K = ("lip", "lip-calibrated", "psp", "tail-constant", "random-basis", "lip(k=fixed:5)")
RANK = 10
EPOCHS = 3
"""Curves of epochs are read one training at a time, so their length is kept short."""


def key(*words: object) -> str:
    """A key that looks like those of trainings."""
    return hashlib.sha256(repr(words).encode()).hexdigest()


def build(path: Path, methods: int = 60, blocks: int = 200, seeds: int = 10) -> int:
    """Write the database; returns its number of evaluations.

    In every tenth block the last method is missing and the one before it failed; all other methods
    are complete.
    """
    path.unlink(missing_ok=True)
    rng = np.random.default_rng(0)
    board = key("board")
    with open_writer(path) as db:
        connection = db.conn
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        _descriptions(connection, board, methods, blocks)
        total = 0
        bar = tqdm(total=methods * blocks * seeds, unit="training", desc="database", mininterval=1)
        position = 0
        for block in range(blocks):
            for method in range(methods):
                quality = 0.6 + 0.3 * method / methods - 0.2 * (block % 20) / 20
                for seed in range(seeds):
                    total += _training(
                        connection, board, position, block, method, seed, quality, methods, rng
                    )
                    position += 1
                bar.update(seeds)
        bar.close()
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
    return total


def names(block: int) -> tuple[str, str]:
    """Data set and noise of a block."""
    return f"set-{block // 20}", f"symmetric(rate={(block % 20) / 20:g})"


def _descriptions(connection: sqlite3.Connection, board: str, methods: int, blocks: int) -> None:
    for number in range(-(-blocks // 20)):
        connection.execute(
            "INSERT INTO datasets VALUES (?, ?, ?, 50000, 10000, '[]', '[3,32,32]', 1)",
            [key("data", number), f"set-{number}", f"set-{number}"],
        )
    for block in range(blocks):
        connection.execute(
            "INSERT INTO artefacts (artefact_sha, fingerprint, realised_rate, matrix, labels) "
            "VALUES (?, ?, ?, '[[1.0]]', x'')",
            [key("noise", block), key("data", block // 20), (block % 20) / 20],
        )
    connection.execute("INSERT INTO protocols VALUES (?, ?)", [key("p"), json.dumps({"epochs": 3})])
    for method in range(methods):
        connection.execute(
            "INSERT INTO plugins VALUES ('method', ?, ?, 'made up', 'none', ?)",
            [
                f"method-{method}",
                key("source", method),
                json.dumps({"uses": [], "cost": 1.0 + method % 7, "family": f"f{method % 8}"}),
            ],
        )
    connection.execute(
        "INSERT INTO environments VALUES (?, '', 0, '3.11', 'x', 'cpu', 2, '', '{}')", [key("env")]
    )
    connection.executemany(
        "INSERT INTO variants VALUES (?, ?, '{}', ?)",
        [(number, refiner, "0" * 64) for number, refiner in enumerate(REFINERS)],
    )
    suite = {"suite": "made-up", "protocol": {"backbone": {"name": "mlp"}, "optimiser": {}}}
    connection.execute(
        "INSERT INTO boards VALUES (?, 'made-up', 'paper', 'A made-up board', 'many', ?, "
        "'2026-01-01T00:00:00+00:00', ?)",
        [board, key("p"), json.dumps(suite)],
    )


def _training(
    connection: sqlite3.Connection,
    board: str,
    position: int,
    block: int,
    method: int,
    seed: int,
    quality: float,
    methods: int,
    rng: np.random.Generator,
) -> int:
    training = key("training", block, method, seed)
    row = position + 1
    spec = json.dumps(
        {"knows": [], "uses": [], "method_label": f"method-{method}", "pad": "x" * 400}
    )
    connection.execute(
        "INSERT INTO trainings VALUES (?, ?, ?, ?, ?, ?, '{}', ?, ?, ?)",
        [
            *(row, training, key("data", block // 20), key("noise", block), key("p")),
            *(f"method-{method}", key("source", method), seed, spec),
        ],
    )
    dataset, noise = names(block)
    cell = block * methods + method
    if seed == 0:
        connection.execute(
            "INSERT INTO board_cells VALUES (?, ?, ?, ?, ?, ?)",
            [board, cell, dataset, noise, '{"name":"symmetric"}', f"method-{method}"],
        )
        connection.executemany(
            "INSERT INTO cell_variants VALUES (?, ?, ?, ?)",
            [(board, refiner, cell, number) for number, refiner in enumerate(REFINERS)],
        )
    connection.execute(
        "INSERT INTO board_members VALUES (?, ?, ?, ?, ?)", [board, cell, position, row, seed]
    )
    missing = method == methods - 1 and block % 10 == 0
    odd = missing or (method == methods - 2 and block % 10 == 0)
    if missing:
        return 0
    status = "failed" if odd else "done"
    connection.execute(
        "INSERT INTO attempts VALUES (?, 1, ?, '2026-01-01T00:00:00+00:00', 60.0, 55.0, 1000000, "
        "1000, 1000, 'cpu', 'fp32', 1, ?, ?, '', '')",
        [row, status, key("env"), "RuntimeError: made up" if odd else ""],
    )
    if odd:
        return 0
    connection.executemany(
        "INSERT INTO epochs (training_id, epoch, test_accuracy, lr, wall_s) "
        "VALUES (?, ?, 0.5, 0.1, 1)",
        [(row, epoch) for epoch in range(1, EPOCHS + 1)],
    )
    off = float(np.clip(quality + 0.02 * rng.standard_normal(), 0, 1))
    connection.executemany(
        "INSERT INTO selections VALUES (?, ?, 3, ?)",
        [(row, name, off) for name in ("last", "last10", "best-noisy-val", "oracle-best-test")],
    )
    evaluations = list(_evaluations(training, row, off, rng))
    connection.executemany("INSERT INTO evaluations VALUES (?,?,?,?,?,?,?,?,?,?)", evaluations)
    return len(evaluations)


def _evaluations(
    training: str, row: int, off: float, rng: np.random.Generator
) -> Iterator[tuple[object, ...]]:
    for number, refiner in enumerate(REFINERS):
        value = off if refiner == "off" else off + 0.004 * float(rng.standard_normal())
        value = round(min(1.0, max(0.0, value)), 7)
        with_k = refiner in WITH_K
        curve = [[k, 0.4, round(value - 0.001 * (RANK - k), 7)] for k in range(1, RANK + 1)]
        yield (
            *(row, number, key(training, refiner), value, 0.4, 7 if with_k else None, 10, 0.1),
            *(json.dumps(curve if with_k else []), ""),
        )


def main() -> None:
    """Build one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", type=Path)
    for name, default in (("methods", 60), ("blocks", 200), ("seeds", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args()
    total = build(wanted.path, wanted.methods, wanted.blocks, wanted.seeds)
    size = wanted.path.stat().st_size / 2**20
    tqdm.write(f"{wanted.path}: {total:,} evaluations, {size:,.0f} MiB")


if __name__ == "__main__":
    main()

"""A database of a million evaluations: how fast results go in, and what its views take.

    python benchmarks/store_scale.py [--methods 60] [--blocks 200] [--seeds 10] [--db PATH]

The database is made up (``big_database.py``), its schema is the real one. *Inserting* is the real
writer, a transaction a training, with 18 epochs, a spectrum and nine evaluations each; it is timed
in turn on the large database and on one of a hundredth, because what it takes must not grow with
what is there. A view of one refiner is what readers ask for; all refiners at once stand beside it.

Bars, on two cores: 2,000 evaluations a second, at most 1.5 times as long as on the small database;
the leaderboard of one refiner, and the gains of one, within 1.5 s, and of all within 8 s.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from big_database import RANK, REFINERS, WITH_K, build, key
from measure import Measure, interleaved, peak_mib, ratio, report, spread

from bench.records import CurvePoint, EpochRecord, Evaluation, Outcome, Spectrum
from bench.store.database import open_reader, open_writer
from bench.store.scores import cells, scores
from bench.store.writer import commit
from bench.training_spec import NoiseSpec, TrainingSpec

RATE_BAR, GROWTH_BAR, ONE_BAR_S, ALL_BAR_S = 2000.0, 1.5, 1.5, 8.0
TRAININGS, ROUNDS, EPOCHS = 300, 5, 18
"""Trainings that are committed in a round, rounds, and epochs of each."""

VIEWS = {
    "leaderboard of one refiner": ("leaderboard", "AND refiner = 'lip'", ONE_BAR_S),
    "gains of one refiner": ("gains", "AND refiner = 'lip'", ONE_BAR_S),
    "leaderboard of all refiners": ("leaderboard", "", ALL_BAR_S),
    "gains of all refiners": ("gains", "", ALL_BAR_S),
}


def outcome(name: str) -> tuple[TrainingSpec, Outcome]:
    """A training that nobody ran and how it ended."""
    curve = tuple(CurvePoint(k, 0.4, 0.75 + 0.004 * k) for k in range(1, RANK + 1))
    evaluations = tuple(
        Evaluation(
            key=key(name, refiner),
            refiner=refiner,
            label=refiner,
            params={},
            source_sha="0" * 64,
            test_accuracy=0.8,
            noisy_val_accuracy=0.4,
            k=7 if refiner in WITH_K else None,
            rank=RANK,
            wall_s=0.1,
            curve=curve if refiner in WITH_K else (),
        )
        for refiner in REFINERS
    )
    epochs = tuple(
        EpochRecord(number, 2.3 / number, 0.5, 0.6, 0.5, 0.8, 0.05, 0.1 * number)
        for number in range(1, EPOCHS + 1)
    )
    right = tuple(tuple(0.1 * (row - column) for column in range(RANK)) for row in range(RANK))
    values = tuple(10.0 / (1 + number) for number in range(RANK))
    spectrum = Spectrum(0, values, 3.5, {"lip": values}, right)
    ended = Outcome(
        key=name,
        status="done",
        started_at="2026-01-01T00:00:00+00:00",
        wall_s=60.0,
        device="cpu",
        precision="fp32",
        threads=1,
        environment=None,
        epochs=epochs,
        evaluations=evaluations,
        spectra=(spectrum,),
    )
    noise = NoiseSpec("symmetric", "symmetric", {}, "s", key("noise", 0))
    spec = TrainingSpec(
        name, "set-0", key("data", 0), noise, "method-0", "method-0", {}, key("source", 0), (), (),
        1.0, {"epochs": EPOCHS}, key("p"), "b", 0, (),
    )  # fmt: skip
    return spec, ended


class Filling:
    """Commits new trainings to a database, a round at each call."""

    def __init__(self, db: Any, label: str) -> None:
        self._db = db
        self._rounds = iter(
            [
                [outcome(key(label, round_, number)) for number in range(TRAININGS)]
                for round_ in range(ROUNDS + 1)
            ]
        )

    def __call__(self) -> float:
        """Seconds of a round; the trainings are planned before the clock starts."""
        found = next(self._rounds)
        with self._db.atomic():
            self._db.conn.executemany(
                "INSERT INTO trainings (training_key, fingerprint, artefact_sha, protocol_sha, "
                "method, method_params, method_source_sha, seed, spec) "
                "VALUES (?, ?, ?, ?, 'method-0', '{}', ?, 0, '{}')",
                [
                    (s.key, s.fingerprint, s.noise.artefact_sha, s.protocol_sha, key("source", 0))
                    for s, _ in found
                ],
            )
        started = time.perf_counter()
        for spec, ended in found:
            commit(self._db, spec, ended)
        return time.perf_counter() - started


def inserting(large: Path, small: Path) -> Iterator[Measure]:
    """Rate on the large database, and how much longer than on the small one."""
    with open_writer(large) as first, open_writer(small) as second:
        filling = {"large": Filling(first, "large"), "small": Filling(second, "small")}
        found: dict[str, list[float]] = {name: [] for name in filling}
        for round_ in range(ROUNDS + 1):
            for name in list(filling) if round_ % 2 else list(filling)[::-1]:
                took = filling[name]()
                if round_:
                    found[name].append(took)
    rates = [TRAININGS * len(REFINERS) / seconds for seconds in found["large"]]
    yield Measure(
        "evaluations a second that the writer takes",
        statistics.median(rates),
        "/s",
        at_least=RATE_BAR,
        peak_mib=peak_mib(),
        note=f"{spread(rates)}; {1000 * statistics.median(found['large']) / TRAININGS:.2f} ms a "
        f"training with {EPOCHS} epochs, a spectrum and {len(REFINERS)} evaluations",
    )
    yield Measure(
        "inserting into the large database over inserting into the small one",
        ratio(found, "large", "small"),
        "x",
        at_most=GROWTH_BAR,
        note=f"{spread(found['large'])} s against {spread(found['small'])} s a round",
    )


def reading(large: Path, evaluations: int, repeats: int) -> Iterator[Measure]:
    """Every view on the large database, in turn."""
    with closing(open_reader(large)) as connection:
        (board,) = connection.execute("SELECT board FROM boards").fetchone()
        counts: dict[str, int] = {}

        def ask(name: str) -> None:
            view, condition, _ = VIEWS[name]
            query = f"SELECT * FROM {view} WHERE board = ? {condition}"  # noqa: S608
            counts[name] = sum(1 for _ in connection.execute(query, [board]))

        runs = {name: (lambda name=name: ask(name)) for name in VIEWS}
        named = cells(connection, board)
        runs["frame"] = lambda: scores(connection, board, "lip", named)
        found = interleaved(runs, repeats)
        for name, (_, _, bar) in VIEWS.items():
            yield Measure(
                f"view: {name}",
                statistics.median(found[name]),
                "s",
                at_most=bar,
                note=f"{spread(found[name])}; {counts[name]:,} rows, {evaluations:,} evaluations",
            )
        yield Measure(
            "scores of one refiner as a frame, as tables and pages read them",
            statistics.median(found["frame"]),
            "s",
            peak_mib=peak_mib(),
            note=spread(found["frame"]),
        )


def measures(wanted: argparse.Namespace) -> Iterator[Measure]:
    """Build, or copy, and measure."""
    with tempfile.TemporaryDirectory() as name:
        large, small = Path(name) / "large.db", Path(name) / "small.db"
        if wanted.db:
            shutil.copy(wanted.db, large)
        else:
            build(large, wanted.methods, wanted.blocks, wanted.seeds)
        build(small, wanted.methods // 2, max(1, wanted.blocks // 50), wanted.seeds)
        with closing(sqlite3.connect(large)) as connection:
            (evaluations,) = connection.execute("SELECT count(*) FROM evaluations").fetchone()
        yield from reading(large, evaluations, repeats=3)
        yield from inserting(large, small)


def main() -> int:
    """Print a row a measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("methods", 60), ("blocks", 200), ("seeds", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--db", type=Path, help="a database that is there already; it is copied")
    return report(measures(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())

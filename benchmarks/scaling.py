"""How many slots one coordinator keeps busy: overheads measured, slots up to 1,000 simulated.

    python benchmarks/scaling.py [--chart docs/scaling.svg]

Measured, on this machine in this run: what the coordinator spends on a training, with a method that
does nothing, through the real engine, worker, database and heartbeat, at few and at many epochs.
*Commit* is the time between taking an outcome and waiting for the next (the write to disk
included); *dispatch* is the CPU time of the threads that feed workers and read what they wrote.
Also measured, earlier: how much trainings of a suite differ in length, by the shipped results.

Simulated: slots whose trainings last as long as drawn, and one server that does dispatch and commit
of one training after the other. In truth a commit that waits for the disk lets others go on, so
this is pessimistic. Starting workers, a full disk or network and slots that slow each other down
are not simulated. The bar: 1,000 slots are 95 % busy with trainings of ten minutes.
"""

from __future__ import annotations

import argparse
import heapq
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from measure import Measure, report

from bench.engines.heartbeat import Pulse
from bench.engines.local import Finished, LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.plan import Plan, make_plan
from bench.registry import Registry, discover
from bench.report.pictures import picture
from bench.runner import run
from bench.spec import load_suite
from bench.store.database import open_writer
from bench.store.plans import record_plan
from bench.training_spec import TrainingSpec

ROOT = Path(__file__).resolve().parent.parent

IDLE = '''"""A method that does nothing, so that only what surrounds it costs time."""

from __future__ import annotations

from bench.api import Method


class Idle(Method):
    """Leaves its network as it is."""

    name = "idle"
    paper = "none"

    def train_epoch(self, epoch):
        return 0.0
'''

SUITE = """
suite: scaling
datasets: [digits]
noises: [{symmetric: {rate: 0.4}}]
methods: [idle]
refiners: [off, lip, lip-calibrated, psp, recentre]
seeds: 12
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: EPOCHS, batch_size: 256}
"""
EPOCHS = (4, 60)
LONG_EPOCHS = 200
"""Of the field's protocol on CIFAR; its overhead follows from the two that are measured."""

SLOTS = (1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 500, 700, 1000)
LENGTHS_S = {"2 s": 2.0, "10 s": 10.0, "1 min": 60.0, "10 min": 600.0}
ROUNDS = 12
"""Trainings a slot that are simulated."""

BAR_PERCENT = 95.0


@dataclass(frozen=True)
class Overhead:
    """Seconds of the coordinator for one training."""

    dispatch_s: float
    commit_s: float

    @property
    def total_s(self) -> float:
        """Both."""
        return self.dispatch_s + self.commit_s


class Watched:
    """The local engine, and how long each of its outcomes is worked on."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self.held_s: list[float] = []
        self.main_cpu_s = 0.0

    def run(self, trainings: Sequence[TrainingSpec], on_epoch: object) -> Iterator[Finished]:
        """Yield what the engine yields."""
        for finished in self._engine.run(trainings, on_epoch):  # type: ignore[arg-type]
            began, cpu = time.perf_counter(), time.thread_time()
            yield finished
            self.held_s.append(time.perf_counter() - began)
            self.main_cpu_s += time.thread_time() - cpu


def main() -> int:
    """Measure, simulate, print, draw; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chart", type=Path, help="write a chart there: .svg or .png")
    chart = parser.parse_args().chart
    found = {epochs: measure(epochs) for epochs in EPOCHS}
    overhead = extrapolated(found, LONG_EPOCHS)
    spread = lengths()
    print("simulated: share of their time that slots train, by mean length of a training")
    print("  slots" + "".join(f"{name:>9s}" for name in LENGTHS_S))
    rows = []
    for slots in SLOTS:
        busy = {n: simulate(slots, s * spread, overhead) for n, s in LENGTHS_S.items()}
        rows += [{"slots": slots, "length": n, "busy": 100 * b} for n, b in busy.items()]
        print(f"  {slots:5d}" + "".join(f"{100 * b:8.1f}%" for b in busy.values()))
    if chart is not None:
        chart.write_bytes(picture(drawn(pd.DataFrame(rows)), chart.suffix[1:], width=520))
        print(f"chart: {chart}")
    return report(measures(found, overhead, spread, rows))


def measures(
    found: dict[int, Overhead],
    overhead: Overhead,
    spread: np.ndarray,
    rows: list[dict[str, Any]],
) -> Iterator[Measure]:
    """What was measured, what follows, and what was simulated, each said to be that."""
    for epochs, of_few in found.items():
        yield Measure(
            f"measured: the coordinator's time for a training of {epochs} epochs",
            1e3 * of_few.total_s,
            "ms",
            note=_words(of_few),
        )
    yield Measure(
        f"by the line through both: for a training of {LONG_EPOCHS} epochs",
        1e3 * overhead.total_s,
        "ms",
        note=f"{_words(overhead)}; at most {1 / overhead.total_s:.0f} trainings a second",
    )
    low, high = np.percentile(spread, [5, 95])
    drawn_from = f"lengths as of the shipped zoo, {low:.2f} to {high:.2f} of their mean (5 to 95 %)"
    for length, bar in (("1 min", None), ("10 min", BAR_PERCENT)):
        (busy,) = (r["busy"] for r in rows if r["slots"] == 1000 and r["length"] == length)
        yield Measure(
            f"simulated: time that 1,000 slots train, trainings of {length}",
            busy,
            "%",
            at_least=bar,
            note=drawn_from,
        )


def measure(epochs: int) -> Overhead:
    """Run trainings that do nothing through the real thing, on one slot."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plugin = folder / "idle.py"
        plugin.write_text(IDLE, encoding="utf-8")
        suite = folder / "suite.yaml"
        suite.write_text(SUITE.replace("EPOCHS", str(epochs)), encoding="utf-8")
        registry = discover([plugin])
        _prepare(folder, registry)
        plan = make_plan(load_suite(str(suite), None, registry), registry, folder)
        return _measured(folder, plan, plugin, registry)


def _prepare(folder: Path, registry: Registry) -> None:
    from bench.data.prepared import read_info

    read_info("digits", folder, registry)


def _measured(folder: Path, plan: Plan, plugin: Path, registry: Registry) -> Overhead:
    place = Workplace.beside(folder / "scaling.db")
    engine = Watched(LocalEngine(LocalSettings(folder, place, (plugin,), 1, "cpu", 1, stack=False)))
    with open_writer(folder / "scaling.db") as db:
        record_plan(db, plan, registry)
        pulse = Pulse(place.progress, ("scaling", "", plan.board), plan.trainings, 1)
        cpu, own = time.process_time(), time.thread_time()
        summary = run(
            *(db, engine, plan.trainings),
            on_epoch=lambda training, epoch: pulse.epoch(training, epoch),
            on_finished=lambda training, outcome: pulse.finished(training, outcome),
        )
        # Threads share one interpreter: what the slots' threads compute, commits wait for.
        beside = (time.process_time() - cpu) - (time.thread_time() - own)
        pulse.close()
    if summary.done != len(plan.trainings):
        raise SystemExit(
            f"{len(summary.failures)} trainings failed: {summary.failures[0][1].error}"
        )
    return Overhead(beside / len(plan.trainings), statistics.median(engine.held_s))


def extrapolated(found: dict[int, Overhead], epochs: int) -> Overhead:
    """Overhead at more epochs, on the line through two measurements."""
    (few, at_few), (many, at_many) = found.items()
    share = (epochs - few) / (many - few)
    return Overhead(
        at_few.dispatch_s + share * max(0.0, at_many.dispatch_s - at_few.dispatch_s),
        at_few.commit_s + share * max(0.0, at_many.commit_s - at_few.commit_s),
    )


def lengths() -> np.ndarray:
    """Lengths of the shipped trainings of the zoo as shares of their mean."""
    connection = sqlite3.connect(f"file:{ROOT / 'leaderboard.db'}?mode=ro&immutable=1", uri=True)
    try:
        rows = connection.execute(
            "SELECT a.wall_s FROM attempts a JOIN board_trainings bt USING (training_id) "
            "JOIN boards b USING (board) WHERE b.suite = 'zoo' AND a.status = 'done'"
        ).fetchall()
    finally:
        connection.close()
    found = np.array([row[0] for row in rows])
    return found / found.mean()


def simulate(slots: int, lengths_s: np.ndarray, overhead: Overhead, seed: int = 0) -> float:
    """Share of their time that slots train, the first round left out, which all begin at once.

    Args:
        slots: trainings at a time.
        lengths_s: to draw from.
        overhead: what the one server does for each of them.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    drawn_s = rng.choice(lengths_s, size=slots * ROUNDS + 200).tolist()
    free_at = 0.0
    ends: list[float] = []
    for length in drawn_s[:slots]:
        free_at += overhead.dispatch_s
        heapq.heappush(ends, free_at + length)
    waited = 0.0
    for length in drawn_s[slots:]:
        end = heapq.heappop(ends)
        started = max(end, free_at) + overhead.dispatch_s
        free_at = started + overhead.commit_s
        waited += started - end
        heapq.heappush(ends, started + length)
    trained = sum(drawn_s[slots:])
    return float(trained / (trained + waited))


def drawn(frame: pd.DataFrame) -> alt.LayerChart:
    """Share of busy slots against their number, a line a length."""
    order = list(LENGTHS_S)
    x = alt.X(
        "slots:Q",
        scale=alt.Scale(type="log", domain=[1, 1000]),
        axis=alt.Axis(values=[1, 10, 100, 1000], title="slots (simulated)", grid=False),
    )
    y = alt.Y("busy:Q", scale=alt.Scale(domain=[0, 100]), title="slots busy, %")
    shades = ["#c2570c", "#e8a33a", "#5aa9e6", "#14466f"]
    colour = alt.Color("length:N", sort=order, scale=alt.Scale(domain=order, range=shades))
    legend = colour.legend(alt.Legend(title="a training lasts", orient="right"))
    base = alt.Chart(frame).encode(x=x, y=y, color=legend)
    return alt.layer(
        base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=30, opacity=1)
    ).properties(height=260, width=520)


def _words(overhead: Overhead) -> str:
    return f"dispatch {1e3 * overhead.dispatch_s:.1f} ms, commit {1e3 * overhead.commit_s:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())

"""What every benchmark shares: fair timing, peak memory, and one line a measure.

A benchmark prints one row of a Markdown table for each measure and exits 1 if a bar is missed::

    measures = [Measure("on + off over off alone", 1.01, "x", at_most=1.03)]
    sys.exit(report(measures))

``benchmarks/perf.py`` collects those rows into ``benchmarks/RESULTS.md``; other lines are for
whoever watches. Modules of this folder are imported by name, as each script has it on its path.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MIB = 2**20

HEADER = """| measure | value | bar | verdict | peak memory | note |
|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Measure:
    """One figure, the bar that it is held against, and the memory that it took.

    Attributes:
        what: the measure in words.
        value: the figure; a median where it was repeated.
        unit: ``x`` for ratios, ``s``, ``ms``, ``MiB``, ``rows/s``.
        at_most, at_least: the bar; a measure without one is for information.
        peak_mib: peak memory of the process that was measured, in MiB.
        note: the parts of a ratio, sizes, spread.
    """

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    peak_mib: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether there is a bar and the figure is on its wrong side (NaN is)."""
        above = self.at_most is not None and not self.value <= self.at_most
        below = self.at_least is not None and not self.value >= self.at_least
        return above or below

    def row(self) -> str:
        """The measure as a row of a Markdown table."""
        bar = verdict = ""
        if self.at_most is not None:
            bar = f"≤ {number(self.at_most)} {self.unit}"
        if self.at_least is not None:
            bar = f"≥ {number(self.at_least)} {self.unit}"
        if bar:
            verdict = "MISSED" if self.missed else "met"
        memory = "" if self.peak_mib is None else f"{self.peak_mib:,.0f} MiB"
        cells = (self.what, f"{number(self.value)} {self.unit}", bar, verdict, memory, self.note)
        return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def number(value: float) -> str:
    """Four digits, or all of a large whole number."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def report(measures: Iterable[Measure]) -> int:
    """Print a row a measure as it comes; the exit status, 1 if a bar was missed."""
    missed = False
    for measure in measures:
        print(measure.row(), flush=True)
        missed |= measure.missed
    return int(missed)


def interleaved(
    runs: Mapping[str, Callable[[], object]], repeats: int, warm_up: bool = True
) -> dict[str, list[float]]:
    """Seconds of each of several things, done in turn so that the machine's moods hit all alike.

    Args:
        runs: name -> what is timed.
        repeats: rounds; the order is turned around in every second one.
        warm_up: run each once before, untimed.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(-1 if warm_up else 0, repeats):
        for name in list(runs) if round_ % 2 == 0 else list(runs)[::-1]:
            started = time.perf_counter()
            runs[name]()
            took = time.perf_counter() - started
            if round_ >= 0:
                found[name].append(took)
    return found


def ratio(found: Mapping[str, Sequence[float]], of: str, to: str) -> float:
    """Median of the ratios of one round, each of ``of`` over ``to``."""
    return statistics.median(a / b for a, b in zip(found[of], found[to], strict=True))


def spread(values: Sequence[float], digits: int = 3) -> str:
    """``median (lowest–highest)``."""
    middle = statistics.median(values)
    return f"{middle:.{digits}g} ({min(values):.{digits}g}–{max(values):.{digits}g})"


def peak_mib() -> float:
    """Peak resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


@dataclass(frozen=True)
class Ended:
    """A process that was run to its end.

    Attributes:
        wall_s: seconds from start to end.
        peak_mib: its peak resident memory, that of its own children included, in MiB.
        code: exit status.
        output: what it wrote to stdout.
    """

    wall_s: float
    peak_mib: float
    code: int
    output: str


def child(
    command: Sequence[str],
    variables: Mapping[str, str] | None = None,
    on_line: Callable[[str], object] = lambda line: None,
) -> Ended:
    """Run a command from the project's root with more environment variables; stderr passes."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(variables or {})},
    )
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        on_line(line)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss / MIB if sys.platform == "darwin" else usage.ru_maxrss / 1024
    return Ended(time.perf_counter() - started, peak, process.returncode, "".join(lines))


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log seconds on log size by least squares: 1 is linear growth."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(second) for second in seconds]
    ).slope

"""What a command takes before it does anything: Python, the CLI, and the plugins' descriptions.

    python benchmarks/start.py [--repeats 15]

Whole processes, timed in turn with a bare ``python -c pass``. ``list methods`` reads descriptions
of plugins from the catalogue in the user's cache, as every call but the first after an edit does.
Bars: ``--help`` and ``list methods`` under 0.5 s, and torch is not imported.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from measure import ROOT, Measure, child, interleaved, report, spread

BAR_S = 0.5

COMMANDS = {
    "help": ["--help"],
    "list methods": ["list", "methods"],
}


def measures(repeats: int) -> Iterator[Measure]:
    """Seconds of each command, and what it imports."""
    commands = {name: [sys.executable, "-m", "bench", *words] for name, words in COMMANDS.items()}
    commands["bare Python"] = [sys.executable, "-c", "pass"]
    peaks = {name: child(command).peak_mib for name, command in commands.items()}
    runs = {name: partial(child, command) for name, command in commands.items()}
    found = interleaved(runs, repeats)
    bare = statistics.median(found["bare Python"])
    for name in COMMANDS:
        seconds = statistics.median(found[name])
        yield Measure(
            f"`python -m bench {' '.join(COMMANDS[name])}`",
            seconds,
            "s",
            at_most=BAR_S,
            peak_mib=peaks[name],
            note=f"{spread(found[name])}; bare Python {bare:.3f} s",
        )
    for name in ("help", "list methods"):
        heavy = imported(commands[name]) & {"torch", "pandas", "scipy", "sklearn"}
        yield Measure(
            f"heavy packages imported by `{' '.join(COMMANDS[name])}`",
            len(heavy),
            "packages",
            at_most=0,
            note=", ".join(sorted(heavy)) or "of torch, pandas, scipy, sklearn",
        )


def imported(command: list[str]) -> set[str]:
    """Top-level packages that a command imports, as ``-X importtime`` says."""
    ended = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def main() -> int:
    """Print a row a measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    return report(measures(parser.parse_args().repeats))


if __name__ == "__main__":
    sys.exit(main())

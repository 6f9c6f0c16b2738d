"""Run the benchmarks one after another and write what they found into ``RESULTS.md``.

    python benchmarks/perf.py [--only lip_cost,start] [--extras]
    make perf [ONLY=lip_cost]

Each benchmark is a process of its own; its rows (see ``measure.py``), its wall time and its peak
memory become a section. Sections of benchmarks that do not run now stay as they were. The exit
status is 1 if a bar was missed or a benchmark failed; everything that was measured is written
before that.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from measure import HEADER, Ended, child

from bench.environment import environment

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"

BENCHMARKS = {
    "start": "What a command takes before it does anything.",
    "plan_scale": "Planning and resuming 100,000 trainings.",
    "store_scale": "A database of a million evaluations: writing, leaderboard, gains.",
    "lip_cost": "LIP beside what it is applied to, and beside the published algorithm.",
    "loop_overhead": "The training loop beside the network alone.",
    "throughput": "Samples a second of the training loop.",
    "small_runs": "Many small trainings at once.",
    "scaling": "Slots that one coordinator keeps busy: overhead measured, slots simulated.",
    "streamed_inputs": "Inputs streamed from a memory map beside inputs on the device.",
    "dashboard_latency": "The dashboard on a million evaluations.",
}
"""Those that ``make perf`` runs, in order, and what each is about."""

EXTRAS = {
    "method_cost": "Seconds an epoch of every method beside cross entropy.",
    "strong_views": "Strong augmentation beside its reference.",
    "compiled_network": "A network by torch.compile beside the same one without.",
}
"""Run when they are named, or with ``--extras``."""

MISSED = 1


def main() -> int:
    """Run, write, and say with the exit status whether every bar was met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="names of benchmarks, separated by commas")
    parser.add_argument("--extras", action="store_true", help="also those without a bar")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they are written")
    wanted = parser.parse_args()
    known = BENCHMARKS | EXTRAS
    named = [name.removesuffix(".py") for name in wanted.only.split(",") if name]
    unknown = [name for name in named if name not in known]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    names = named or list(known if wanted.extras else BENCHMARKS)
    failed = []
    for name in names:
        script = HERE / f"{name}.py"
        if not script.exists():
            print(f"\n== {name}: there is no {script.name}", flush=True)
            failed.append(name)
            continue
        print(f"\n== {name}: {known[name]}", flush=True)
        ended = child([sys.executable, str(script)], on_line=lambda line: print(line, end=""))
        write(wanted.results, name, section(name, known[name], ended))
        if ended.code:
            failed.append(name)
    print(f"\nwritten: {wanted.results}")
    if failed:
        print(f"a bar was missed, or the benchmark failed: {', '.join(failed)}")
    return MISSED if failed else 0


def section(name: str, about: str, ended: Ended) -> str:
    """What ``RESULTS.md`` says of one benchmark."""
    rows = [line for line in ended.output.splitlines() if line.startswith("| ")]
    others = [line for line in ended.output.splitlines() if line.strip() and line not in rows]
    status = {0: "every bar met", MISSED: "**a bar missed**"}.get(
        ended.code, f"**failed (exit status {ended.code})**"
    )
    now = datetime.now(UTC).isoformat(" ", "minutes")
    facts = environment()
    commit = facts.git_commit[:12] + (" and changes" if facts.git_dirty else "")
    lines = [
        f"## {name}",
        "",
        f"{about} `make perf ONLY={name}`: {status}; {ended.wall_s:.0f} s, peak memory "
        f"{ended.peak_mib:,.0f} MiB; {now}, commit {commit or 'unknown'}.",
        "",
    ]
    if rows:
        lines += [*HEADER.splitlines(), *rows]
    elif others:
        lines += ["```", *others, "```"]
    return "\n".join(lines) + "\n"


def write(path: Path, name: str, text: str) -> None:
    """Put a section in its place; the others stay as they are."""
    sections = {}
    if path.exists():
        for part in re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            sections[part.partition("\n")[0].removeprefix("## ")] = part.rstrip() + "\n"
    sections[name] = text
    order = [*BENCHMARKS, *EXTRAS]
    known = sorted((s for s in sections if s in order), key=order.index)
    kept = [sections[name] for name in known]
    path.write_text("\n".join([machine(), *kept]), encoding="utf-8")


def machine() -> str:
    """The head of the page: how to read it, and the machine that measured last."""
    facts = environment()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"""# What the benchmarks found

Written by `make perf`. Ratios are of things timed in turn in one run; figures are medians. A bar is
what the project promises on two cores; a missed one is shown as missed.

- processor: {facts.cpu}, {len(os.sched_getaffinity(0))} cores, \
{"with" if multiplies_bfloat16() else "without"} bfloat16 products
- memory: {memory:.0f} GiB
- system: {facts.platform}
- Python {platform.python_version()}, torch {metadata.version("torch")}, \
numpy {metadata.version("numpy")}, SQLite {sqlite_version()}
"""


def multiplies_bfloat16() -> bool:
    """Whether trainings here compute in bfloat16 unless told otherwise."""
    import torch

    from bench.training.precision import resolve

    return resolve("auto", torch.device("cpu")) == "bf16"


def sqlite_version() -> str:
    """Of the library that Python is linked to."""
    import sqlite3

    return sqlite3.sqlite_version


if __name__ == "__main__":
    sys.exit(main())

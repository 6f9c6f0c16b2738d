"""Fuzzing guided by coverage, in plain Python: inputs that reach new lines are changed further.

Slower than a compiled fuzzer (``with_atheris.py`` runs one on the same targets) and without any
dependency, so that a bounded run belongs to the test suite.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

Target = Callable[[bytes], None]
"""Takes any bytes; what it raises is a bug."""

Change = Callable[[bytes, random.Random], bytes]
"""Makes another input of one."""

Line = tuple[str, int, int]
"""A file, the line that was left, and the line that was reached."""


class Crash(AssertionError):
    """An input on which the target raised.

    Attributes:
        data: the input.
    """

    def __init__(self, data: bytes, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}, on {data[:400]!r}")
        self.data = data


@dataclass
class Run:
    """What a run came to.

    Attributes:
        executions: inputs that were tried.
        corpus: those that reached something new, seeds first.
        reached: all steps from line to line that were seen.
    """

    executions: int = 0
    corpus: list[bytes] = field(default_factory=list)
    reached: set[Line] = field(default_factory=set)


def fuzz(
    target: Target,
    seeds: Sequence[bytes],
    changes: Sequence[Change],
    traced: Sequence[str],
    seconds: float,
    seed: int = 0,
    at_least: int = 150,
) -> Run:
    """Try inputs until the time is up.

    Args:
        target: what is tried.
        seeds: inputs to start from.
        changes: how inputs are changed; several in a row now and then.
        traced: ends of the names of the files whose lines count.
        seconds: how long, seeds not counted.
        seed: of the choices; a longer run begins like a shorter one.
        at_least: how many inputs are tried whatever the time, on a machine that is busy.

    Raises:
        Crash: the target raised.
    """
    rng = random.Random(seed)  # noqa: S311 - chooses inputs, guards nothing
    run, ends = Run(), tuple(traced)
    for data in seeds:
        _try(target, data, ends, run)
        run.corpus.append(data)
    until = time.monotonic() + seconds
    while time.monotonic() < until or run.executions < at_least:
        # Later inputs reached deeper: they are chosen more often.
        data = run.corpus[max(rng.randrange(len(run.corpus)) for _ in range(2))]
        for _ in range(1 + rng.randrange(3)):
            data = rng.choice(changes)(data, rng)
        if _try(target, data, ends, run):
            run.corpus.append(data)
    return run


def _try(target: Target, data: bytes, ends: tuple[str, ...], run: Run) -> bool:
    """Whether the input reached something new."""
    seen: set[Line] = set()
    last: dict[int, int] = {}

    def of_line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            key = id(frame)
            line = (frame.f_code.co_filename, last.get(key, 0), frame.f_lineno)
            last[key] = frame.f_lineno
            seen.add(line)
        return of_line

    def of_call(frame: FrameType, event: str, argument: Any) -> Any:
        last.pop(id(frame), None)
        return of_line if frame.f_code.co_filename.endswith(ends) else None

    before = sys.gettrace()
    sys.settrace(of_call)
    try:
        target(data)
    except Exception as error:
        raise Crash(data, error) from error
    finally:
        sys.settrace(before)
    run.executions += 1
    new = seen - run.reached
    run.reached |= new
    return bool(new)


def cut(data: bytes, rng: random.Random) -> bytes:
    """Without a piece."""
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + 1 + rng.randrange(16) :]


def flip(data: bytes, rng: random.Random) -> bytes:
    """With one byte changed."""
    if not data:
        return bytes([rng.randrange(256)])
    place = rng.randrange(len(data))
    return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]


def double(data: bytes, rng: random.Random) -> bytes:
    """With a piece of it again elsewhere."""
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + 1 + rng.randrange(64)]
    place = rng.randrange(len(data) + 1)
    return data[:place] + piece + data[place:]


def inserting(words: Sequence[bytes]) -> Change:
    """A change that puts in one of some words, in the place of something or between."""

    def insert(data: bytes, rng: random.Random) -> bytes:
        place = rng.randrange(len(data) + 1)
        return data[:place] + rng.choice(words) + data[place + rng.choice((0, 0, 1, 4)) :]

    return insert

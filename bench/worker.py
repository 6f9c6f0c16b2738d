"""A worker process: takes trainings as JSON lines, one after the other, until its input closes.

Started as ``python -m bench.worker`` with its device and thread share already in the environment.
Whatever a training prints goes to its log; the original standard output carries events only. When
the coordinator dies the next event cannot be written, and the worker ends.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, TextIO

from bench.records import EpochRecord, TrainingSpec


class CoordinatorGone(BaseException):
    """Nobody reads our events any more. No training may mistake this for a failure of its own."""


def main() -> int:
    """Serve until standard input ends."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    faulthandler.enable()
    # Ctrl-C in a terminal reaches the whole group; the coordinator decides what becomes of us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline())
    try:
        serve(settings, events)
    except CoordinatorGone:
        # What was finished is in the outbox; what was in flight will be run again.
        os._exit(1)
    return 0


def serve(settings: dict[str, Any], events: TextIO) -> None:
    """Execute each training that arrives and post its outcome."""
    from bench.engines.protocol import post
    from bench.execute import Machine, execute
    from bench.registry import discover

    _use_threads(int(settings["threads"]))
    registry = discover(settings["plugins"])
    machine = Machine(
        data_dir=Path(settings["data_dir"]),
        device=str(settings["device"]),
        threads=int(settings["threads"]),
    )
    _say(events, event="ready")
    for line in sys.stdin:
        job = json.loads(line)
        spec = TrainingSpec.from_json(job["spec"])
        log_path = Path(job["log"])
        _redirect(log_path)

        def on_epoch(record: EpochRecord) -> None:
            _say(events, event="epoch", epoch=record.epoch)

        outcome = execute(spec, registry, machine, on_epoch)
        path = post(Path(settings["outbox"]), spec, outcome)
        _say(events, event="outcome", path=str(path))


def _say(events: TextIO, **message: Any) -> None:
    try:
        events.write(json.dumps(message) + "\n")
        events.flush()
    except BrokenPipeError:
        raise CoordinatorGone from None


def _redirect(path: Path) -> None:
    """Send what this process prints from now on to ``path``, C libraries included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, force=True, format="%(asctime)s %(name)s %(message)s")


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)


if __name__ == "__main__":
    sys.exit(main())

"""A worker process: takes trainings as JSON lines, one after the other, until its input closes.

Started as ``python -m bench.worker`` with its device and thread share already in the environment.
Whatever a training prints goes to its log; the original standard output carries events only. When
the coordinator dies the next event cannot be written, and the worker ends. SIGTERM during a
training that is saved lets its epoch end, saves it, and ends with status 75; a second SIGTERM ends
it at once.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bench.records import EpochRecord
from bench.training_spec import TrainingSpec

if TYPE_CHECKING:
    from bench.training.keeping import Keeping


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
        status = serve(settings, events)
    except CoordinatorGone:
        # What was finished is in the outbox; what was in flight will be run again.
        os._exit(1)
    if status:  # somebody waits for the place: no time for torch to tidy up
        os._exit(status)
    return 0


def serve(settings: dict[str, Any], events: TextIO) -> int:
    """Execute each training that arrives and post its outcome; returns the exit status."""
    import torch

    from bench.engines.protocol import post
    from bench.execute import Machine, build_session, execute
    from bench.freed import keep_freed_memory
    from bench.registry import discover
    from bench.stacking import Along
    from bench.training.keeping import INTERRUPTED, Interrupted

    _use_threads(int(settings["threads"]))
    keep_freed_memory()
    registry = discover(settings["plugins"])
    machine = Machine(
        data_dir=Path(settings["data_dir"]),
        device=str(settings["device"]),
        threads=int(settings["threads"]),
    )
    device = torch.device(machine.device)
    owner = os.getpid()
    stop = threading.Event()
    keeping = _keeping(settings, stop)

    def of_companion(key: str, epoch: int) -> None:
        _only_in(owner)
        _say(events, event="epoch", key=key, epoch=epoch)

    def together(key: str, others: list[str]) -> None:
        _say(events, event="together", key=key, others=others)

    along = Along(
        lambda spec: build_session(spec, registry, machine.data_dir, device),
        of_companion,
        together,
    )
    _say(events, event="ready")
    for line in sys.stdin:
        job = json.loads(line)
        spec = TrainingSpec.from_json(job["spec"])
        log_path = Path(job["log"])
        _redirect(log_path)
        along.expect(spec, _companions(job, settings))

        def on_epoch(record: EpochRecord, key: str = spec.key) -> None:
            _only_in(owner)
            _say(events, event="epoch", key=key, epoch=record.epoch)

        try:
            with _ending_softly(stop, wanted=keeping is not None):
                outcome = execute(spec, registry, machine, on_epoch, keeping, along)
        except Interrupted:
            return INTERRUPTED
        _only_in(owner)
        path = post(Path(settings["outbox"]), spec, outcome)
        _say(events, event="outcome", key=spec.key, path=str(path))
        if stop.is_set():
            break
    return 0


def _companions(job: dict[str, Any], settings: dict[str, Any]) -> list[TrainingSpec]:
    """Trainings that may come along; one that has a checkpoint goes on from it by itself."""
    from bench.training.keeping import files

    found = [TrainingSpec.from_json(spec) for spec in job.get("companions", ())]
    folder = Path(settings.get("checkpoints", ""))
    return [spec for spec in found if not any(path.exists() for path in files(folder, spec.key))]


def _keeping(settings: dict[str, Any], stop: threading.Event) -> Keeping | None:
    from bench.training.keeping import Keeping, every

    often = every(settings.get("checkpoint_every", "off"))
    if often is None:
        return None
    return Keeping(Path(settings["checkpoints"]), often, stop.is_set)


@contextmanager
def _ending_softly(stop: threading.Event, *, wanted: bool) -> Iterator[None]:
    """Let the first SIGTERM set ``stop``; the second, and any outside, ends the process."""

    def ask(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        stop.set()

    if wanted:
        signal.signal(signal.SIGTERM, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _only_in(owner: int) -> None:
    """End a copy of this process that a training forked and that came back from it."""
    if os.getpid() != owner:
        os._exit(1)


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
    path.write_bytes(b"")
    with path.open("ab") as file:  # appending, so that the coordinator can shorten it meanwhile
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, force=True, format="%(asctime)s %(name)s %(message)s")


def _use_threads(threads: int) -> None:
    import torch

    from bench.training.precision import same_bits_twice

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    same_bits_twice()


if __name__ == "__main__":
    sys.exit(main())

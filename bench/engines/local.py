"""Trainings on this machine: one worker process a slot, replaced when it dies or misbehaves."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.engines.protocol import Workplace
from bench.engines.slot import Gone, Slot
from bench.engines.waiting import Waiting
from bench.records import Outcome
from bench.training.keeping import GRACE_S
from bench.training_spec import TrainingSpec

log = logging.getLogger(__name__)

Finished = tuple[TrainingSpec, Outcome, "Path | None"]
"""A training, how it ended, and the outbox file that held it (None when the worker wrote none)."""


LOST = ("crashed", "timeout", "oom")
"""How a worker ends that may have been a companion's doing."""


@dataclass(frozen=True)
class LocalSettings:
    """Machine facts of the local engine.

    Attributes:
        jobs: slots, each one worker process.
        device: ``cpu``, ``cuda``, ``mps`` or ``xpu``; on CUDA slots share the visible devices.
        threads: CPU threads of each worker.
        time_limit_s: a training that takes longer is ended and recorded as ``timeout``.
        gpus: what ``CUDA_VISIBLE_DEVICES`` may name, dealt out to the slots in turn; empty for all
            that are visible.
        memory_limit_bytes: a worker that occupies more is ended and recorded as ``oom``.
        checkpoint_every: ``10min``, ``5epochs`` or ``off``.
        stack: whether seeds of a cell may be trained as one where that gives the same bits.
        grace_s: seconds that a worker has to end its epoch and save it, between SIGTERM and
            SIGKILL.
    """

    data_dir: Path
    workplace: Workplace
    plugins: tuple[Path, ...]
    jobs: int
    device: str
    threads: int
    time_limit_s: float | None = None
    gpus: tuple[str, ...] = ()
    memory_limit_bytes: int | None = None
    checkpoint_every: str = "off"
    stack: bool = True
    grace_s: float = GRACE_S

    def for_worker(self) -> dict[str, object]:
        """The first line that a worker process reads."""
        return {
            "data_dir": str(self.data_dir.resolve()),
            "device": self.device,
            "threads": self.threads,
            "plugins": [str(path) for path in self.plugins],
            "outbox": str(self.workplace.outbox),
            "checkpoints": str(self.workplace.checkpoints),
            "checkpoint_every": self.checkpoint_every,
        }


class LocalEngine:
    """Runs trainings through a fixed number of slots and yields how each ended."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._slots: list[Slot] = []
        self._threads: list[threading.Thread] = []

    def run(
        self,
        trainings: Sequence[TrainingSpec],
        on_epoch: Callable[[TrainingSpec, int], None] = lambda spec, epoch: None,
    ) -> Iterator[Finished]:
        """Yield each training as it ends, in no fixed order. Closing the iterator ends workers."""
        waiting = Waiting(trainings, self._settings.jobs, stack=self._settings.stack)
        finished: queue.Queue[Finished | BaseException] = queue.Queue()
        devices = _devices(self._settings)
        gates = {device: _Gate(self._stop) for device in devices}
        for number in range(min(self._settings.jobs, len(trainings))):
            device = devices[number % len(devices)]
            slot = Slot(self._settings, number, device, on_epoch, self._stop)
            self._slots.append(slot)
            thread = threading.Thread(
                target=self._serve, args=(slot, gates[device], waiting, finished), daemon=True
            )
            thread.start()
            self._threads.append(thread)
        try:
            for _ in trainings:
                item = finished.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.stop()

    def stop(self) -> None:
        """Let workers end their epochs within the grace, all at once, and then end them."""
        self._stop.set()
        deadline = time.monotonic() + self._settings.grace_s
        try:
            for slot in self._slots:
                slot.interrupt()
            for thread in self._threads:
                thread.join(timeout=max(0.0, deadline - time.monotonic()))
        except KeyboardInterrupt:
            log.info("asked twice: workers end at once")
        finally:
            for slot in self._slots:
                slot.kill()
            for thread in self._threads:
                thread.join(timeout=GRACE_S)

    def _serve(
        self,
        slot: Slot,
        gate: _Gate,
        waiting: Waiting,
        finished: queue.Queue[Finished | BaseException],
    ) -> None:
        try:
            while not self._stop.is_set():
                group = waiting.take()
                if not group:
                    break
                training, *others = group
                finished.put(_attempt(slot, gate, training, others))
                # Where the worker took others along, their jobs cost next to nothing.
                kept = slot.along
                waiting.give_back([other for other in others if other.key not in kept])
                own = [other for other in others if other.key in kept]
                while own and not self._stop.is_set():
                    other = own.pop(0)
                    finished.put(_attempt(slot, gate, other, own))
        except BaseException as error:
            if not self._stop.is_set():
                finished.put(error)
        finally:
            slot.close()


def _attempt(
    slot: Slot, gate: _Gate, training: TrainingSpec, companions: Sequence[TrainingSpec] = ()
) -> Finished:
    """One training; where it was lost with others, or memory ran out, once more without them."""
    with gate.shared():
        finished = slot.run(training, companions)
        _, outcome, path = finished
        if slot.stacked and path is None and outcome.status in LOST:
            log.info("%s: %s while stacked; once more, by itself", training.name, outcome.status)
            finished = slot.run(training)
    _, outcome, path = finished
    if outcome.status != "oom" and not slot.killed:
        return finished
    if path is not None:
        path.unlink(missing_ok=True)
    log.info("%s: %s; once more, alone", training.name, outcome.error)
    with gate.alone():
        _, again, path = slot.run(training)
    if again.status != "done":
        again = replace(again, error=f"{again.error} (twice; the second time alone on its device)")
    return training, again, path


class _Gate:
    """Lets slots use a device together, or one of them alone."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._inside = 0
        self._alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Beside others; waits while one is alone, or wants to be. Raises ``Gone`` at the stop."""
        with self._changed:
            self._wait_until(lambda: not self._alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With nobody else inside; those who come later wait. Raises ``Gone`` at the stop."""
        with self._changed:
            self._wait_until(lambda: not self._alone)
            self._alone = True
        try:
            with self._changed:
                self._wait_until(lambda: self._inside == 0)
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._stop.is_set():
                raise Gone("the engine stops")
            self._changed.wait(timeout=0.5)


def _devices(settings: LocalSettings) -> list[str | None]:
    """What each slot may see: the machine's CUDA devices in turn, or no restriction."""
    if settings.gpus:
        return list(settings.gpus)
    if settings.device != "cuda":
        return [None]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return list(visible.split(","))
    import torch

    return [str(number) for number in range(max(1, torch.cuda.device_count()))]

"""Trainings on this machine: one worker process a slot, replaced when it dies or misbehaves."""

from __future__ import annotations

import json
import logging
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.engines.protocol import Workplace, read_post
from bench.environment import environment
from bench.records import Outcome, TrainingSpec

log = logging.getLogger(__name__)

Finished = tuple[TrainingSpec, Outcome, "Path | None"]
"""A training, how it ended, and the outbox file that held it (None when the worker wrote none)."""

GRACE_S = 5.0
"""Seconds between SIGTERM and SIGKILL."""

START_S = 300.0
"""Seconds a worker may take to import torch and find its plugins."""

LOG_TAIL_BYTES = 4000


@dataclass(frozen=True)
class LocalSettings:
    """Machine facts of the local engine.

    Attributes:
        jobs: slots, each one worker process.
        device: ``cpu``, ``cuda``, ``mps`` or ``xpu``; on CUDA slots share the visible devices.
        threads: CPU threads of each worker.
        time_limit_s: a training that takes longer is ended and recorded as ``timeout``.
    """

    data_dir: Path
    workplace: Workplace
    plugins: tuple[Path, ...]
    jobs: int
    device: str
    threads: int
    time_limit_s: float | None = None


class LocalEngine:
    """Runs trainings through a fixed number of slots and yields how each ended."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._slots: list[_Slot] = []

    def run(
        self,
        trainings: Sequence[TrainingSpec],
        on_epoch: Callable[[TrainingSpec, int], None] = lambda spec, epoch: None,
    ) -> Iterator[Finished]:
        """Yield each training as it ends, in no fixed order. Closing the iterator ends workers."""
        waiting: queue.SimpleQueue[TrainingSpec] = queue.SimpleQueue()
        for training in trainings:
            waiting.put(training)
        finished: queue.Queue[Finished | BaseException] = queue.Queue()
        devices = _devices(self._settings)
        threads = []
        for number in range(min(self._settings.jobs, len(trainings))):
            slot = _Slot(self._settings, number, devices[number % len(devices)], on_epoch)
            self._slots.append(slot)
            thread = threading.Thread(
                target=self._serve, args=(slot, waiting, finished), daemon=True
            )
            thread.start()
            threads.append(thread)
        try:
            for _ in trainings:
                item = finished.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self._stop.set()
            for slot in self._slots:
                slot.close()
            for thread in threads:
                thread.join(timeout=GRACE_S)

    def _serve(
        self,
        slot: _Slot,
        waiting: queue.SimpleQueue[TrainingSpec],
        finished: queue.Queue[Finished | BaseException],
    ) -> None:
        try:
            while not self._stop.is_set():
                try:
                    training = waiting.get_nowait()
                except queue.Empty:
                    break
                finished.put(slot.run(training))
        except BaseException as error:
            if not self._stop.is_set():
                finished.put(error)
        finally:
            slot.close()


class _Slot:
    """One worker process at a time, on one device."""

    def __init__(
        self,
        settings: LocalSettings,
        number: int,
        visible: str | None,
        on_epoch: Callable[[TrainingSpec, int], None],
    ) -> None:
        self._settings = settings
        self._visible = visible
        self._on_epoch = on_epoch
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._worker_log = settings.workplace.root / f"worker-{number}.log"

    def run(self, spec: TrainingSpec) -> Finished:
        """One training, from a healthy worker to an outcome of any kind."""
        started_at = datetime.now(UTC).isoformat("T", "milliseconds")
        log_path = self._settings.workplace.log(spec)
        process = self._alive()
        clock = time.monotonic()  # the time limit is the training's, not that of importing torch
        limit = self._settings.time_limit_s
        deadline = None if limit is None else clock + limit
        try:
            self._send(process, {"spec": spec.to_json(), "log": str(log_path)})
            while True:
                event = self._event(process, deadline)
                if event is None:
                    break
                if event["event"] == "epoch":
                    self._on_epoch(spec, int(event["epoch"]))
                elif event["event"] == "outcome":
                    path = Path(event["path"])
                    _, outcome = read_post(path)
                    if outcome.status != "done":
                        self.close()  # a failed training may leave its process in any state
                    return spec, replace(outcome, log=self._log_name(log_path)), path
        except (BrokenPipeError, ValueError, KeyError, TypeError) as error:
            log.debug("worker of %s: %s", spec.name, error)
        timed_out = deadline is not None and time.monotonic() >= deadline
        self.close()
        return spec, self._lost(spec, started_at, clock, log_path, process, timed_out), None

    def _log_name(self, path: Path) -> str:
        return self._settings.workplace.beside_database(path)

    def close(self) -> None:
        """End the worker: closed input, then SIGTERM, then SIGKILL."""
        process, self._process = self._process, None
        self._buffer = b""
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    log.debug("the worker's input was closed already")

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._start()
            self._event(self._process, time.monotonic() + START_S)  # "ready", or it is dead
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        settings = self._settings
        variables = dict(os.environ)
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            variables[variable] = str(settings.threads)
        variables["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        variables["PYTHONUNBUFFERED"] = "1"
        if self._visible is not None:
            variables["CUDA_VISIBLE_DEVICES"] = self._visible
        settings.workplace.root.mkdir(parents=True, exist_ok=True)
        with self._worker_log.open("wb") as worker_log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=worker_log,
                env=variables,
                start_new_session=True,
            )
        self._send(
            process,
            {
                "data_dir": str(settings.data_dir.resolve()),
                "device": settings.device,
                "threads": settings.threads,
                "plugins": [str(path) for path in settings.plugins],
                "outbox": str(settings.workplace.outbox),
            },
        )
        return process

    def _send(self, process: subprocess.Popen[bytes], message: dict[str, object]) -> None:
        if process.stdin is None:
            raise BrokenPipeError
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()

    def _event(
        self, process: subprocess.Popen[bytes], deadline: float | None
    ) -> dict[str, str] | None:
        """The next event, or None when the worker died or the time is over."""
        if process.stdout is None:
            return None
        descriptor = process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            ready, _, _ = select.select([descriptor], [], [], left)
            if not ready:
                return None
            block = os.read(descriptor, 65536)
            if not block:
                return None
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        event: dict[str, str] = json.loads(line)
        return event

    def _lost(
        self,
        spec: TrainingSpec,
        started_at: str,
        clock: float,
        log_path: Path,
        process: subprocess.Popen[bytes],
        timed_out: bool,
    ) -> Outcome:
        """The outcome of a training whose worker said nothing more."""
        code = process.returncode
        if timed_out:
            status, error = "timeout", f"ended after {self._settings.time_limit_s:g} s (time limit)"
        else:
            how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            status, error = (
                "crashed",
                f"the worker process ended ({how}); see {self._log_name(log_path)}",
            )
        return Outcome(
            key=spec.key,
            status=status,
            started_at=started_at,
            wall_s=time.monotonic() - clock,
            device=self._settings.device,
            precision="",
            threads=self._settings.threads,
            environment=environment(),
            error=error,
            traceback=_tail(log_path) or _tail(self._worker_log),
            log=self._log_name(log_path),
        )


def _devices(settings: LocalSettings) -> list[str | None]:
    """What each slot may see: the machine's CUDA devices in turn, or no restriction."""
    if settings.device != "cuda":
        return [None]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return list(visible.split(","))
    import torch

    return [str(number) for number in range(max(1, torch.cuda.device_count()))]


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""

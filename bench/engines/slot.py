"""One worker process at a time: started, fed, watched, and ended."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.engines.protocol import read_post
from bench.engines.watch import resident_bytes, trim_log
from bench.environment import environment
from bench.records import Outcome
from bench.training.keeping import INTERRUPTED

if TYPE_CHECKING:
    from bench.engines.local import Finished, LocalSettings
    from bench.training_spec import TrainingSpec

log = logging.getLogger(__name__)

START_S = 300.0
"""Seconds a worker may take to import torch and find its plugins."""

TICK_S = 1.0
"""Between two looks at a worker that says nothing."""

LEAVE_S = 5.0
"""Seconds that a process may take to end after it closed its pipe."""

LOG_TAIL_BYTES = 4000


class Gone(Exception):
    """The worker process ended, or is not to be started any more."""


@dataclass(frozen=True)
class Attempt:
    """A training that a worker has."""

    spec: TrainingSpec
    started_at: str
    clock: float
    log: Path


class Slot:
    """One worker process at a time, on one device.

    Attributes:
        killed: whether the last training's worker was ended by a SIGKILL that is not ours; the
            kernel sends one to a process when memory runs out.
        along: keys of the companions that the last training's worker took along and still has.
        stacked: whether the last training was trained together with others.
    """

    def __init__(
        self,
        settings: LocalSettings,
        number: int,
        visible: str | None,
        on_epoch: Callable[[TrainingSpec, int], None],
        stop: threading.Event,
    ) -> None:
        self.killed = False
        self.along: frozenset[str] = frozenset()
        self.stacked = False
        self._settings = settings
        self._visible = visible
        self._on_epoch = on_epoch
        self._stop = stop
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._worker_log = settings.workplace.root / f"worker-{number}.log"

    def run(self, spec: TrainingSpec, companions: Sequence[TrainingSpec] = ()) -> Finished:
        """One training, from a healthy worker to an outcome of any kind.

        Args:
            spec: the training.
            companions: other seeds, which the worker may train along with it and keep for later.

        Raises:
            Gone: no worker can be had because the engine stops.
        """
        started_at = datetime.now(UTC).isoformat("T", "milliseconds")
        process = self._alive()
        self.along, self.stacked = frozenset(), False
        # The time limit is the training's, not that of importing torch.
        attempt = Attempt(spec, started_at, time.monotonic(), self._settings.workplace.log(spec))
        found: tuple[Outcome, Path] | None = None
        ended = ""
        try:
            job: dict[str, object] = {"spec": spec.to_json(), "log": str(attempt.log)}
            if companions:
                job["companions"] = [companion.to_json() for companion in companions]
            self._send(process, job)
            found, ended = self._follow(process, attempt, {c.key: c for c in companions})
        except (Gone, ValueError, KeyError, TypeError, OSError) as error:
            log.debug("worker of %s: %s", spec.name, error)
        code = process.poll()  # of itself, before it is ended
        if found is None or found[0].status != "done":
            self.close()  # a failed training may leave its process in any state
        trim_log(attempt.log)
        self.killed = found is None and not ended and code == -signal.SIGKILL
        log_name = self._settings.workplace.beside_database(attempt.log)
        if found is not None:
            return spec, replace(found[0], log=log_name), found[1]
        status, error_text = self._reason(code, ended, log_name)
        return spec, self._lost(attempt, status, error_text), None

    def interrupt(self) -> None:
        """Ask the worker to end with the epoch; one that has no training ends at once."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()

    def kill(self) -> None:
        """End the worker at once, and what it has started."""
        process = self._process
        if process is not None:
            _kill_group(process)

    def close(self) -> None:
        """End the worker: SIGTERM, and SIGKILL after the grace."""
        process, self._process = self._process, None
        self._buffer, self.along = b"", frozenset()
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=min(self._settings.grace_s, 1.0))
        _kill_group(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # its input may be closed already
                    pipe.close()

    # --------------------------------------------------------------------------- one training

    def _follow(
        self,
        process: subprocess.Popen[bytes],
        attempt: Attempt,
        companions: Mapping[str, TrainingSpec],
    ) -> tuple[tuple[Outcome, Path] | None, str]:
        """Listen to a worker until it has an outcome, or had to be ended, with the status of that.

        Raises:
            Gone: the worker ended.
            ValueError, KeyError, TypeError, OSError: what it says or wrote is no outcome.
        """
        limit = self._settings.time_limit_s
        deadline = float("inf") if limit is None else attempt.clock + limit
        look_at = attempt.clock
        ended = ""
        while True:
            now = time.monotonic()
            if now >= deadline:
                if ended:
                    return None, ended
                # An epoch that ends within the grace is saved, and a training even finished.
                ended, deadline = "timeout", now + self._settings.grace_s
                process.terminate()
            if now >= look_at:
                look_at = now + TICK_S
                trim_log(attempt.log)
                if self._is_too_large(process):
                    return None, "oom"
            try:
                event = self._event(process, min(deadline, look_at))
            except Gone:
                with suppress(subprocess.TimeoutExpired):  # the pipe closes a moment before
                    process.wait(timeout=LEAVE_S)
                return None, ended
            if event is None:
                continue
            if event["event"] == "epoch" and event["key"] in companions:
                self._on_epoch(companions[event["key"]], int(event["epoch"]))
            if event["key"] != attempt.spec.key:
                continue
            if event["event"] == "together":
                self.along, self.stacked = frozenset(event["others"]), True
                if limit is not None and not ended:  # it is the limit of each
                    deadline += limit * len(self.along)
            if event["event"] == "epoch":
                self._on_epoch(attempt.spec, int(event["epoch"]))
            elif event["event"] == "outcome":
                path = Path(event["path"])
                _, outcome = read_post(path)
                if outcome.key != attempt.spec.key:
                    raise ValueError(f"{path} is the outcome of another training")
                return (outcome, path), ended

    def _is_too_large(self, process: subprocess.Popen[bytes]) -> bool:
        limit = self._settings.memory_limit_bytes
        return limit is not None and (resident_bytes(process.pid) or 0) > limit

    def _reason(self, code: int | None, ended: str, log_name: str) -> tuple[str, str]:
        """Status and error of a training whose worker said nothing more."""
        settings = self._settings
        if ended == "timeout":
            return ended, f"ended after {settings.time_limit_s:g} s (time limit)"
        if ended == "oom":
            limit = (settings.memory_limit_bytes or 0) / 2**30
            return ended, f"the worker occupied more than {limit:g} GiB (memory limit)"
        if code == INTERRUPTED:
            return "interrupted", "asked to end; it goes on from its checkpoint"
        if code is None:
            return "crashed", f"the worker process lost its way; it was ended, see {log_name}"
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        return "crashed", f"the worker process ended ({how}); see {log_name}"

    def _lost(self, attempt: Attempt, status: str, error: str) -> Outcome:
        return Outcome(
            key=attempt.spec.key,
            status=status,
            started_at=attempt.started_at,
            wall_s=time.monotonic() - attempt.clock,
            device=self._settings.device,
            precision="",
            threads=self._settings.threads,
            environment=environment(),
            error=error,
            traceback=_tail(attempt.log) or _tail(self._worker_log),
            log=self._settings.workplace.beside_database(attempt.log),
        )

    # ------------------------------------------------------------------------------ the worker

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            process = self._process = self._start()
            deadline = time.monotonic() + START_S
            # "ready" is awaited; the training finds out if it is dead or says something else.
            with suppress(Gone, ValueError, TypeError):
                while self._event(process, deadline) is None and time.monotonic() < deadline:
                    pass
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        if self._stop.is_set():
            raise Gone("the engine stops")
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
        with suppress(BrokenPipeError):  # the first training finds it dead
            self._send(process, settings.for_worker())
        return process

    def _send(self, process: subprocess.Popen[bytes], message: dict[str, object]) -> None:
        if process.stdin is None:
            raise BrokenPipeError
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()

    def _event(self, process: subprocess.Popen[bytes], until: float) -> dict[str, Any] | None:
        """The next event; None when there is none until then (``time.monotonic``).

        Raises:
            Gone: the worker ended.
            ValueError, TypeError: what came is no event.
        """
        if process.stdout is None:
            raise Gone("no pipe")
        descriptor = process.stdout.fileno()
        while b"\n" not in self._buffer:
            has_ended = process.poll() is not None
            left = 0 if has_ended else max(0.0, until - time.monotonic())
            ready, _, _ = select.select([descriptor], [], [], left)
            block = os.read(descriptor, 65536) if ready else b""
            if not ready and not has_ended:
                return None
            if not block:  # a process that it forked may hold the pipe open
                raise Gone("it ended")
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        event = json.loads(line)
        if not isinstance(event, dict):
            raise TypeError(f"no event: {event!r}")
        return event


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the worker and to what it has forked; the session it leads is its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""

"""Which trainings may go together, and a worker's memory of those that went along with another.

A job is still one training. It may name companions, other seeds of its cell, which the worker
trains along where that gives the same bits (``bench.training.stacked``) and keeps until their own
jobs come, which are then next to nothing. A companion that is forgotten, whatever the cause, is
trained when its job comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.identity import content_sha
from bench.training_spec import TrainingSpec

if TYPE_CHECKING:
    from bench.records import EpochRecord
    from bench.training.session import Session
    from bench.training.stacked import Stack

log = logging.getLogger(__name__)

LARGEST = 8
"""Seeds in a stack at most: a worker that dies loses them all."""


def groups(trainings: Sequence[TrainingSpec]) -> list[tuple[TrainingSpec, ...]]:
    """The trainings, in order, each with those after it that differ from it in their seed alone."""
    filling: dict[str, list[TrainingSpec]] = {}
    found: list[list[TrainingSpec]] = []
    for training in trainings:
        cell = _cell(training)
        if cell not in filling or len(filling[cell]) == LARGEST:
            filling[cell] = []
            found.append(filling[cell])
        filling[cell].append(training)
    return [tuple(group) for group in found]


def _cell(training: TrainingSpec) -> str:
    noise = replace(training.noise, artefact_sha="")
    return content_sha(
        [
            *(training.dataset, training.dataset_params, noise.name, noise.label, noise.params),
            *(training.method, training.method_params, training.method_source_sha),
            training.protocol_sha,
        ]
    )


class Along:
    """Sessions that a worker trained along with another's, by the keys of their trainings."""

    def __init__(
        self,
        build: Callable[[TrainingSpec], Session],
        on_epoch: Callable[[str, int], None] = lambda key, epoch: None,
        on_gathered: Callable[[str, list[str]], None] = lambda key, others: None,
    ) -> None:
        """Nothing is kept yet.

        Args:
            build: gives the session of a specification, before its first epoch.
            on_epoch: called with the key of a companion and the epoch it has ended.
            on_gathered: called with the key of a job and those of the companions that come along.
        """
        self._build = build
        self._on_gathered = on_gathered
        self._on_epoch = on_epoch
        self._stack: Stack | None = None
        self._sessions: dict[str, Session] = {}
        self._companions: tuple[TrainingSpec, ...] = ()

    def expect(self, spec: TrainingSpec, companions: Sequence[TrainingSpec]) -> None:
        """A job begins; what was kept for others is forgotten unless it is of the same stack."""
        if spec.key not in self._sessions:
            self._stack, self._sessions = None, {}
        self._companions = tuple(companions)

    def session(self, spec: TrainingSpec) -> Session:
        """The session of a job: the one that is kept, or a new one."""
        kept = self._sessions.pop(spec.key, None)
        return self._build(spec) if kept is None else kept

    def epochs(self, spec: TrainingSpec, session: Session) -> Iterator[EpochRecord]:
        """The session's records, as ``Session.epochs`` gives them; companions come along."""
        if self._stack is None and self._companions and session.epoch == 0:
            self._gather(spec, session)
        stack = self._stack
        if stack is None or not any(member.session is session for member in stack.members):
            yield from session.epochs()
            return
        for record in stack.epochs(session):
            for key, other in self._sessions.items():
                records = stack.member(other).records
                if len(records) >= record.epoch:
                    self._on_epoch(key, record.epoch)
            yield record

    def others_s(self, session: Session) -> float:
        """Seconds that a session's job has spent on others, less what others' have spent on it."""
        for member in self._stack.members if self._stack else ():
            if member.session is session:
                return member.paid_s - member.share_s - member.built_s
        return 0.0

    def _gather(self, spec: TrainingSpec, session: Session) -> None:
        from bench.training.stacked import Stack, why_not

        reason = why_not(session)
        if reason:
            log.info("not stacked: %s", reason)
            return
        built: dict[str, Session] = {}
        took_s: dict[str, float] = {}
        for companion in self._companions:
            started = time.perf_counter()
            try:
                built[companion.key] = self._build(companion)
            except Exception as error:  # its own job will say so
                log.info("%s does not come along: %s", companion.name, error)
            took_s[companion.key] = time.perf_counter() - started
        stack = Stack([session, *built.values()])
        if stack.reason:
            log.info("not stacked: %s", stack.reason)
            return
        mine = stack.member(session)
        for key, other in built.items():
            mine.paid_s += took_s[key]
            stack.member(other).built_s = took_s[key]
        names = ", ".join(str(c.seed) for c in self._companions if c.key in built)
        log.info("seed %d is trained together with seeds %s", spec.seed, names)
        self._stack, self._sessions = stack, built
        self._on_gathered(spec.key, list(built))

"""Trainings that differ in their seed alone, trained together step by step.

Small networks keep a CPU busy with the calling of operations rather than with arithmetic. The seeds
of a cell are therefore trained as one stacked network (``bench.training.stacked_network``) where
that gives every seed the very bits that it would have alone: the stacked step is compared with the
seeds' own at the first batch of every shape, and what is not equal runs one by one, or not together
at all. Each seed keeps its own session, so that measuring, refining and saving are as ever.
"""

from __future__ import annotations

import copy
import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bench.api import Method
from bench.training.checkpoints import Saved, capture, restore
from bench.training.stacked_network import NotStackable, StackedNetwork
from bench.training.stacked_steps import StackedOptimiser

if TYPE_CHECKING:
    from bench.api import Batch
    from bench.records import EpochRecord
    from bench.training.network import ClassifierNetwork
    from bench.training.session import Session

log = logging.getLogger(__name__)

SMALL_WORK = 6_500_000
SMALL_BATCH = 20_000
"""The most parameters times batch size, and numbers in a batch of inputs, that are stacked. Beyond,
arithmetic outweighs the calls: three seeds of the digits suite (1.5 million and 4,096) gained a
factor of 1.3 a step, at 6 million 1.1, at 20 million nothing, and from 50,000 inputs on it was
slower; five seeds at a batch size of 16 gained 2.3 (two cores of an AMD EPYC, AVX2)."""


def why_not(session: Session) -> str:
    """Why a training cannot be stacked with its like; empty when it can, for all that is known.

    The training must be the plain loop over ``Method.loss``, of one network on the CPU: on other
    devices nobody has measured whether it pays.
    """
    method = session.method
    if session.device.type != "cpu":
        return "only trainings on the CPU are stacked"
    if type(method).train_epoch is not Method.train_epoch:
        return "the method has a training loop of its own"
    if method.n_networks != 1 or session.run.extra_modules:
        return "the method trains more than one network"
    if any(hasattr(value, "parameters") or hasattr(value, "step") for value in _own(method)):
        return "the method has modules or optimisers of its own"
    if session.protocol.gradient_clip is not None:
        return "the norm of gradients would be summed in another order"
    size = session.protocol.batch_size
    if size * session.n_parameters > SMALL_WORK:
        return f"batch size times parameters is more than {SMALL_WORK:,}"
    if size * session.train_given.inputs.shape[1:].numel() > SMALL_BATCH:
        return f"a batch holds more than {SMALL_BATCH:,} numbers"
    return ""


def _own(method: Method) -> list[Any]:
    return [value for key, value in vars(method).items() if key not in ("run", "networks")]


@dataclass(eq=False)
class Member:
    """One seed of a stack.

    Attributes:
        session: its training.
        records: of the epochs it has ended.
        failure: how it ended early.
        share_s: seconds it has taken: what it did alone, and its part of what was done together.
        paid_s: seconds that were waited for in its name.
        built_s: seconds that its session took to be built in another's name.
    """

    session: Session
    records: list[EpochRecord] = field(default_factory=list)
    failure: Exception | None = None
    share_s: float = 0.0
    paid_s: float = 0.0
    built_s: float = 0.0


class Stack:
    """Trainings that go on together for as long as they can.

    Args:
        sessions: before their first epoch, each of one seed.

    Attributes:
        reason: why they do not (any more) go on together; empty while they do.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.members = [Member(session) for session in sessions]
        self.reason = next((r for r in map(why_not, sessions) if r), "")
        self._together = [] if self.reason else list(self.members)
        self._steps: _Steps | None = None
        self._at_first = {id(member): _copy_of(member) for member in self._together}

    def member(self, session: Session) -> Member:
        """The member of a session."""
        return next(member for member in self.members if member.session is session)

    def epochs(self, session: Session) -> Iterator[EpochRecord]:
        """The records of one of the sessions, as ``Session.epochs`` gives them.

        The others come along; records of theirs wait here. After the first that is not here yet,
        the session stands at the end of the epoch whose record was given last.
        """
        member = self.member(session)
        given = 0
        while True:
            while given < len(member.records):
                yield member.records[given]
                given += 1
            if member.failure is not None:
                raise member.failure
            if len(member.records) == session.protocol.epochs:
                return
            started = time.perf_counter()
            if member in self._together and len(self._together) > 1:
                self._advance()
            else:
                self._go_on_alone(member)
            member.paid_s += time.perf_counter() - started

    def _go_on_alone(self, member: Member) -> None:
        """One epoch of a member without the others."""
        started = time.perf_counter() - member.share_s
        session = member.session
        try:
            while session.epoch <= len(member.records):  # what was done together may come again
                session.begin_epoch()
                record = session.end_epoch(session.method.train_epoch(session.epoch), started)
            member.records.append(record)
        except Exception as problem:
            member.failure = problem
        member.share_s = time.perf_counter() - started

    def _advance(self) -> None:
        """One epoch of all that are together; each has a record or a failure more, or none."""
        started = time.perf_counter()
        try:
            losses = self._train()
        except Exception as problem:  # a stack fails in more ways than its members alone
            self._part(str(problem) or type(problem).__name__)
            return
        part_s = (time.perf_counter() - started) / len(self._together)
        for member, loss in zip(list(self._together), losses, strict=True):
            started = time.perf_counter() - member.share_s - part_s
            try:
                member.session.seed_globals()  # what came after the seeding was another's
                member.records.append(member.session.end_epoch(loss, started))
            except Exception as problem:  # of this seed alone: the others go on
                member.failure = problem
                self._together.remove(member)
                self._steps = None
            member.share_s = time.perf_counter() - started

    def _part(self, reason: str) -> None:
        """Let each go on alone, from its beginning: records that are here come out the same."""
        self.reason = reason
        log.info("trained one by one: %s", reason)
        for member in self._together:
            restore(member.session, self._at_first[id(member)])
        self._together, self._steps = [], None

    def _train(self) -> list[float]:
        if self._steps is None:
            self._steps = _Steps([member.session for member in self._together])
        return self._steps.epoch()


def _copy_of(member: Member) -> Saved:
    """The state between two epochs, in memory of its own."""
    state = copy.deepcopy(capture(member.session))
    return Saved(state, tuple(member.records), "", member.share_s)


class _Steps:
    """The steps of some sessions, stacked where batches have the same shape."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = list(sessions)
        self._networks: list[ClassifierNetwork] = [s.networks[0] for s in sessions]
        self._stacked = StackedNetwork(self._networks)
        self._optimiser = StackedOptimiser(
            sessions[0].protocol, [s.trainer for s in sessions], self._stacked
        )
        self._exact: dict[torch.Size, bool] = {}

    def epoch(self) -> list[float]:
        """Train one epoch; the mean loss of each, as ``Method.train_epoch`` returns it.

        Raises:
            NotStackable: a seed's training turns out to need something of its own.
        """
        for session in self._sessions:
            session.begin_epoch()
        drawn = _global_draws()
        self._optimiser.begin_epoch()
        self._stacked.train()
        totals = [torch.zeros((), device=s.device) for s in self._sessions]
        loaders = [session.run.batches(session.epoch) for session in self._sessions]
        for batches in zip_longest(*loaders):
            for total, losses in zip(totals, self._step(batches), strict=True):
                if losses is not None:
                    total += losses.detach().sum()
        if not _equal(drawn, _global_draws()):
            raise NotStackable("the training draws from the global random generators")
        return [
            float(total / session.run.n)
            for total, session in zip(totals, self._sessions, strict=True)
        ]

    def _step(self, batches: Sequence[Batch | None]) -> list[Tensor | None]:
        there = [batch for batch in batches if batch is not None]
        shape = there[0].x.shape
        alike = len(there) == len(batches) and all(batch.x.shape == shape for batch in there)
        if alike and self._exact.get(shape, True):
            return [*self._together(there)]
        return [
            None if batch is None else self._alone(session, batch)
            for session, batch in zip(self._sessions, batches, strict=True)
        ]

    def _alone(self, session: Session, batch: Batch) -> Tensor:
        losses = session.method.loss(batch)
        session.run.step(losses.mean())
        return losses

    def _together(self, batches: Sequence[Batch]) -> list[Tensor]:
        shape = batches[0].x.shape
        twins = None if shape in self._exact else copy.deepcopy(self._networks)
        logits = self._stacked([batch.x for batch in batches])
        if twins is not None:
            for of_one in logits:
                of_one.retain_grad()
        losses = [
            self._loss(session, batch, of_one)
            for session, batch, of_one in zip(self._sessions, batches, logits, strict=True)
        ]
        self._optimiser.zero_grad()
        torch.autograd.backward([of_one.mean() for of_one in losses])
        if any(p.grad is not None for network in self._networks for p in network.parameters()):
            raise NotStackable("the loss depends on the weights by other ways than the logits")
        if twins is not None:
            self._compare(twins, batches, logits)
        self._optimiser.step()
        return losses

    def _loss(self, session: Session, batch: Batch, logits: Tensor) -> Tensor:
        with _answering(session.networks[0], batch.x, logits):
            losses = session.method.loss(batch)
        if losses.shape != batch.y.shape:
            raise NotStackable("the loss is not one of each sample")
        return losses

    def _compare(
        self,
        twins: Sequence[ClassifierNetwork],
        batches: Sequence[Batch],
        logits: Sequence[Tensor],
    ) -> None:
        """Hold a stacked step against the same step of copies made before it.

        Raises:
            NotStackable: logits, gradients or running figures are not the same, bit for bit.
        """
        gradients = self._optimiser.gradients()
        for number, (twin, batch, stacked) in enumerate(zip(twins, batches, logits, strict=True)):
            alone = twin(batch.x)
            same = torch.equal(alone, stacked)
            alone.backward(stacked.grad)
            found = [p.grad for p in twin.parameters()]
            same &= all(map(torch.equal, found, gradients[number]))  # type: ignore[arg-type]
            buffers = zip(twin.buffers(), self._networks[number].buffers(), strict=True)
            if not same or not all(torch.equal(a, b) for a, b in buffers):
                raise NotStackable(f"batches of {len(batch.x)} give other bits when stacked")
        self._exact[batches[0].x.shape] = True


@contextmanager
def _answering(network: ClassifierNetwork, x: Tensor, logits: Tensor) -> Iterator[None]:
    """Let a network answer one batch with logits that are there already, and nothing else."""

    def forward(asked: Tensor) -> Tensor:
        if asked is not x:
            raise NotStackable("the loss asks the network about something else than the batch")
        return logits

    def features(asked: Tensor) -> Tensor:
        raise NotStackable("the loss asks for features")

    vars(network).update(forward=forward, features=features)
    try:
        yield
    finally:
        for name in ("forward", "features"):
            vars(network).pop(name, None)


def _global_draws() -> tuple[Tensor, tuple[Any, ...], tuple[Any, ...]]:
    """Where the global generators stand."""
    legacy: Any = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state(), tuple(legacy), random.getstate()


def _equal(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    same_numpy = all(np.array_equal(one, other) for one, other in zip(a[1], b[1], strict=True))
    return torch.equal(a[0], b[0]) and same_numpy and a[2] == b[2]

"""Trainings that wait for a slot, in groups of seeds that one worker may train together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from bench.stacking import groups
from bench.training_spec import TrainingSpec


class Waiting:
    """A queue of groups; slots of several threads take from it.

    Args:
        trainings: in the order in which they shall run.
        slots: how many take.
        stack: whether several are given out at once.
    """

    def __init__(self, trainings: Sequence[TrainingSpec], slots: int, *, stack: bool) -> None:
        self._slots = slots
        self._lock = threading.Lock()
        self._groups = deque(groups(trainings) if stack else [(one,) for one in trainings])

    def take(self) -> tuple[TrainingSpec, ...]:
        """The next group, or its first training alone where there is too little for all slots.

        Empty when nothing waits.
        """
        with self._lock:
            if not self._groups:
                return ()
            group = self._groups.popleft()
            if len(self._groups) + 1 < self._slots and len(group) > 1:
                self._groups.appendleft(group[1:])
                return group[:1]
            return group

    def give_back(self, trainings: Sequence[TrainingSpec]) -> None:
        """Trainings of the group taken last that are still to run, each for any slot."""
        with self._lock:
            self._groups.extendleft((training,) for training in reversed(trainings))

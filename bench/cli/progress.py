"""The progress bar of a run: work done, time left, and the trainings that failed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from bench.records import Outcome
    from bench.training_spec import TrainingSpec


class RunProgress:
    """One bar over all trainings; it moves with every epoch, weighted by the method's cost."""

    def __init__(self, trainings: Sequence[TrainingSpec], file: TextIO | None = None) -> None:
        file = file or sys.stderr
        self._lock = threading.Lock()
        self._finished = 0
        self._failed = 0
        self._count = len(trainings)
        self._moved: dict[str, float] = {}
        self._bar: Any = tqdm(
            total=sum(_weight(t) * t.protocol["epochs"] for t in trainings),
            file=file,
            bar_format="{percentage:3.0f}%|{bar}| {desc} [{elapsed}, {remaining} left]",
            mininterval=0.2 if file.isatty() else 15,
            smoothing=0.05,
        )
        self._describe()

    def epoch(self, training: TrainingSpec, epoch: int) -> None:
        """An epoch of a training ended; called from the slots' threads."""
        with self._lock:
            self._move(training, epoch)

    def finished(self, training: TrainingSpec, outcome: Outcome) -> None:
        """A training ended; a failure is written above the bar."""
        with self._lock:
            self._move(training, training.protocol["epochs"])
            self._finished += 1
            self._failed += bool(outcome.problems)
            for problem in outcome.problems:
                self._bar.write(f"{training.name}: {problem}", file=self._bar.fp)
            self._describe()

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()

    def _move(self, training: TrainingSpec, epoch: int) -> None:
        now = _weight(training) * epoch
        before = self._moved.get(training.key, 0.0)
        if now > before:
            self._moved[training.key] = now
            # Sums of costs such as 1.3 are rounded, and a bar past its end is a warning.
            self._bar.update(min(now - before, self._bar.total - self._bar.n))

    def _describe(self) -> None:
        failed = f", {self._failed} failed" if self._failed else ""
        self._bar.set_description_str(
            f"{self._finished}/{self._count} trainings{failed}", refresh=self._bar.fp.isatty()
        )


def _weight(training: TrainingSpec) -> float:
    return training.cost

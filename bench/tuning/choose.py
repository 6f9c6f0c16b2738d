"""The winner of the trials of a cell, by noisy validation and nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.tuning.trials import Place, Setting, Trial, TunedCell

JUDGED = """
SELECT t.training_key, (
  SELECT coalesce(e.approximated_accuracy, e.noisy_val_accuracy)
  FROM epochs e WHERE e.training_id = t.id ORDER BY e.epoch DESC LIMIT 1)
FROM trainings t JOIN attempts a ON a.training_id = t.id AND a.status = 'done'
WHERE t.training_key IN (SELECT value FROM json_each(?))
"""
"""Accuracy on held-out samples against their given labels, in the last epoch; of candidate sets the
approximated accuracy. No true label and no test sample is behind either of them."""

TRIED = """
SELECT DISTINCT t.training_key FROM trainings t JOIN attempts a ON a.training_id = t.id
WHERE t.training_key IN (SELECT value FROM json_each(?))
"""


@dataclass(frozen=True)
class Winner:
    """The best trial of a cell.

    Attributes:
        trial: its number; 0 is the suite's own configuration.
        noisy_val_accuracy: mean over the trial seeds, last epoch.
        own_noisy_val_accuracy: of the suite's own configuration; None where that failed.
        failed: how many of the cell's trials gave no result; they are spent.
    """

    place: Place
    trial: int
    setting: Setting
    noisy_val_accuracy: float
    own_noisy_val_accuracy: float | None
    failed: int


@dataclass(frozen=True)
class Choice:
    """What the trials so far decide.

    Attributes:
        winners: by cell.
        open: cells with trials that were not tried yet.
        hopeless: cells all of whose trials failed.
    """

    winners: dict[Place, Winner]
    open: tuple[Place, ...]
    hopeless: tuple[Place, ...]


def choose(connection: sqlite3.Connection, cells: Iterable[TunedCell]) -> Choice:
    """The winner of every cell whose trials were all tried; of equal ones the first."""
    cells = tuple(cells)
    keys = [t.key for cell in cells for trial in cell.trials for t in trial.trainings]
    asked = [json.dumps(sorted(set(keys)))]
    tried = {row[0] for row in connection.execute(TRIED, asked)}
    judged = {key: value for key, value in connection.execute(JUDGED, asked) if value is not None}
    winners: dict[Place, Winner] = {}
    unfinished, hopeless = [], []
    for cell in cells:
        if any(t.key not in tried for trial in cell.trials for t in trial.trainings):
            unfinished.append(cell.place)
            continue
        found = [(trial, _accuracy(trial, judged)) for trial in cell.trials]
        good = [(trial, accuracy) for trial, accuracy in found if accuracy is not None]
        if not good:
            hopeless.append(cell.place)
            continue
        best, accuracy = max(good, key=lambda pair: (pair[1], -pair[0].number))
        own = next((a for trial, a in good if trial.number == 0), None)
        failed = len(found) - len(good)
        winners[cell.place] = Winner(cell.place, best.number, best.setting, accuracy, own, failed)
    return Choice(winners, tuple(unfinished), tuple(hopeless))


def _accuracy(trial: Trial, judged: dict[str, float]) -> float | None:
    """Mean over the trial seeds; None where one of them gave no result."""
    found = [judged.get(training.key) for training in trial.trainings]
    return None if None in found else fmean(a for a in found if a is not None)

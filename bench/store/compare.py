"""Whether two records of one training say the same.

Values are compared exactly. What differs with the machine and not with the result is left out: wall
seconds, and the attempts with their environments, which each side keeps. What one side never
measured (an epoch's column that an older version has not, a refiner that it was not run under) is
no difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.store.documents import unpack
from bench.store.scores import OFF

MEASURED_LATER = (
    *("approximated_accuracy", "selected_share", "selection_precision", "selection_recall"),
)
"""Columns of an epoch that a database of before them has empty."""
EPOCH = ("train_loss", "fit_given", "fit_true", "noisy_val_accuracy", "test_accuracy", "lr")
SCORE = ("test_accuracy", "noisy_val_accuracy", "k", "rank", "curve")


@dataclass(frozen=True)
class Difference:
    """The first figure that differs, which stands for all.

    Attributes:
        of: what it is of: a refiner, or an epoch.
        ours, theirs: test accuracies there, shares; None where there is none.
        parts: everything that differs, in words.
    """

    of: str
    ours: float | None
    theirs: float | None
    parts: tuple[str, ...]


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> Difference | None:
    """What differs between two records of the same training that are both done; None for nothing.

    Where several do, accuracies under the refiner ``off`` are shown first.
    """
    scores = [
        (one, other)
        for one, other in _pairs(ours["evaluations"], theirs["evaluations"], "evaluation_key")
        if any(one[name] != other[name] for name in SCORE)
        or bool(one["error"]) != bool(other["error"])
    ]
    epochs = [
        (one, other)
        for one, other in _pairs(ours["epochs"], theirs["epochs"], "epoch")
        if any(one[name] != other[name] for name in EPOCH)
        or any(_both_differ(one[name], other[name]) for name in MEASURED_LATER)
    ]
    parts = [f"{one['refiner']}" for one, _ in scores]
    lengths = len(ours["epochs"]), len(theirs["epochs"])
    if lengths[0] != lengths[1]:
        parts.append("{} and {} epochs".format(*lengths))
    elif epochs:
        first, last = epochs[0][0]["epoch"], epochs[-1][0]["epoch"]
        parts.append(f"epoch {first}" if first == last else f"epochs {first}–{last}")
    parts += [
        f"spectrum of head {one['head']}"
        for one, other in _pairs(ours["spectra"], theirs["spectra"], "head")
        if _spectra_differ(one, other)
    ]
    if not parts:
        return None
    if scores:
        one, other = min(scores, key=lambda pair: pair[0]["refiner"] != OFF)
        shown = str(one["refiner"]), one["test_accuracy"], other["test_accuracy"]
    elif epochs:
        one, other = epochs[-1]
        shown = f"epoch {one['epoch']}", one["test_accuracy"], other["test_accuracy"]
    else:
        shown = "last epoch", _last(ours), _last(theirs)
    return Difference(*shown, tuple(dict.fromkeys(parts)))


def _spectra_differ(one: dict[str, Any], other: dict[str, Any]) -> bool:
    refitted = one["refitted"].keys() & other["refitted"].keys()
    vectors = [
        None if side["right_vectors"] is None else unpack(side["right_vectors"], "right_vectors")
        for side in (one, other)
    ]
    return (
        one["singular_values"] != other["singular_values"]
        or one["effective_rank"] != other["effective_rank"]
        or any(one["refitted"][label] != other["refitted"][label] for label in refitted)
        or _both_differ(*vectors)
        or _both_differ(one["ridge"], other["ridge"])
    )


def _pairs(
    ours: Iterable[dict[str, Any]], theirs: Iterable[dict[str, Any]], key: str
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows that both sides have."""
    known = {row[key]: row for row in theirs}
    return [(row, known[row[key]]) for row in ours if row[key] in known]


def _both_differ(one: Any, other: Any) -> bool:
    return one is not None and other is not None and bool(one != other)


def _last(record: dict[str, Any]) -> float | None:
    return record["epochs"][-1]["test_accuracy"] if record["epochs"] else None

"""Does a method that reports its selection report positions in the training set?"""

from __future__ import annotations

from bench.conformance.result import Requirement
from bench.conformance.subject import MethodSubject

TOO_MANY = 8
"""Reported samples of which some must lie beyond the first batch's positions: with 32 of 144 there,
eight samples of an epoch lie all among them once in a hundred thousand times."""


def selection(subject: MethodSubject) -> str:
    """Guards the curves of precision and recall: a place in the batch is no place in the data.

    Positions of another type, or outside the training set, end the training of ``two epochs``.
    """
    session, last = subject.first.session, subject.first.records[-1]
    mask = session.run.selected.mask
    if mask is None:
        return "reports no selection"
    positions = mask.nonzero().squeeze(1)
    size = session.run.batch_size
    if len(positions) >= TOO_MANY and int(positions.max()) < size < session.run.n:
        raise subject.failed(
            f"report_selection() was given only positions below {size}, the size of a batch; it "
            f"wants positions in the training set: batch.index[kept], not places in the batch",
            "train_epoch",
        )
    if last.selection_precision is None or last.selection_recall is None:
        return f"selects {last.selected_share or 0.0:.2f} of the samples"
    return (
        f"selects {last.selected_share:.2f} of the samples, precision "
        f"{last.selection_precision:.2f}, recall {last.selection_recall:.2f}"
    )


REQUIREMENTS = (Requirement("selection", selection, ("two epochs",)),)

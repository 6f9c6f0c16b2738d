"""What a method says it learns from as rightly labelled, and how right it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


class Selected:
    """The training samples that a method has reported in the epoch so far.

    One byte a sample on the training device, allocated by the first report: nothing is drawn, and
    on an accelerator nothing waits for a result.
    """

    def __init__(self, n: int, device: torch.device) -> None:
        self._n = n
        self._device = device
        self._marks: Tensor | None = None

    @property
    def mask(self) -> Tensor | None:
        """``(n,)`` bool; None where nothing was reported."""
        return None if self._marks is None else self._marks.bool()

    def forget(self) -> None:
        """Begin an epoch."""
        self._marks = None

    def add(self, index: Tensor, kept: Tensor | None) -> None:
        """Join some samples to those reported before; see ``bench.api.Run.report_selection``.

        Raises:
            TypeError: neither positions nor a mask of all samples; or ``kept`` is no mask of them.
            IndexError: a position is outside the training set (looked for on the CPU alone).
        """
        if self._marks is None:
            self._marks = torch.zeros(self._n, dtype=torch.uint8, device=self._device)
        if index.dtype == torch.bool and index.shape == (self._n,) and kept is None:
            self._marks |= index
            return
        self._check(index, kept)
        if kept is None:
            self._marks.index_fill_(0, index, 1)
        else:  # a position may come twice with two answers: the larger counts, in whatever order
            self._marks.scatter_reduce_(0, index, kept.byte(), "amax")

    def _check(self, index: Tensor, kept: Tensor | None) -> None:
        if index.dtype != torch.int64 or index.ndim != 1:
            raise TypeError(
                f"report_selection() was given {tuple(index.shape)} {index.dtype}; give positions "
                f"in the training set (b,) int64, as in batch.index[kept], or a mask ({self._n},) "
                f"bool of the whole training set"
            )
        if kept is not None and (kept.dtype != torch.bool or kept.shape != index.shape):
            raise TypeError(
                f"report_selection() was given kept {tuple(kept.shape)} {kept.dtype} for "
                f"{len(index)} positions; it is one bool for each of them"
            )
        if index.device.type == "cpu":  # an accelerator would have to be waited for
            outside = index[(index < 0) | (index >= self._n)]
            if len(outside):
                raise IndexError(
                    f"report_selection() was given position {int(outside[0])}; positions count "
                    f"the {self._n} training samples from 0, as batch.index does"
                )


@dataclass(frozen=True)
class SelectionFigures:
    """How a selection compares with the truth; shares in 0..1, None where undefined.

    Attributes:
        selected_share: of the training samples, those selected.
        selection_precision: of those selected, the share whose given label is the true one.
        selection_recall: of those whose given label is the true one, the share selected.
    """

    selected_share: float | None = None
    selection_precision: float | None = None
    selection_recall: float | None = None


def counts(selected: Tensor | None, right: Tensor | None) -> dict[str, Tensor]:
    """What precision and recall of a selection are made of: numbers of samples, on the device.

    Args:
        selected: ``(n,)`` bool; None where nothing was reported.
        right: ``(n,)`` bool, the given label is the true one; None where nobody knows.
    """
    if selected is None:
        return {}
    found = {"selected": selected.sum()}
    if right is not None:
        found |= {"selected_right": (selected & right).sum(), "right": right.sum()}
    return found


def figures(counted: Mapping[str, float], n: int) -> SelectionFigures:
    """Precision and recall of a selection from among ``n`` samples, from ``counts`` as read."""
    n_selected, hits, n_right = (counted.get(k) for k in ("selected", "selected_right", "right"))
    if n_selected is None:
        return SelectionFigures()
    if hits is None:
        return SelectionFigures(n_selected / n)
    return SelectionFigures(
        n_selected / n,
        hits / n_selected if n_selected else None,
        hits / n_right if n_right else None,
    )

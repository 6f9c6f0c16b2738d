"""Samples with one kind of labels, and how guesses at them are scored."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.training.sources import Inputs, Streamed


@dataclass(frozen=True)
class LabelledTensors:
    """Inputs with one kind of labels, which lie on the device.

    Attributes:
        inputs: as prepared; on the device too, or streamed to it.
        labels: ``(n,)`` int64; -1 where there are candidate sets instead.
        candidates: ``(n, C)`` bool, where labels are sets.
    """

    inputs: Inputs
    labels: Tensor
    candidates: Tensor | None = None

    def hits(self, guess: Tensor) -> Tensor:
        """``(n,)`` bool: the predicted class ``(n,)`` is the label, or one of the candidates."""
        if self.candidates is None:
            return guess == self.labels
        return self.candidates.gather(1, guess[:, None])[:, 0]

    def at(self, rows: Tensor | slice) -> LabelledTensors:
        """Some of the samples."""
        sets = None if self.candidates is None else self.candidates[rows]
        return LabelledTensors(self.inputs.at(rows), self.labels[rows], sets)


def placed(labelled: LabelledTensors, whole: bool) -> LabelledTensors:
    """With its inputs on the device, or as they are."""
    if not (whole and isinstance(labelled.inputs, Streamed)):
        return labelled
    return replace(labelled, inputs=labelled.inputs.loaded())


def approximated_accuracy(logits: Tensor, candidates: Tensor) -> Tensor:
    """Mean probability ``()`` of the predicted class among the candidates, 0 outside them.

    Wang et al., Realistic Evaluation of Deep Partial-Label Learning Algorithms, ICLR 2025: model
    selection without true labels.

    Args:
        logits: ``(n, C)``.
        candidates: ``(n, C)`` bool, at least one in each row.
    """
    inside = logits.masked_fill(~candidates, -torch.inf).softmax(1)
    return inside.gather(1, logits.argmax(1, keepdim=True)).mean()

"""Strong views of training samples, made in large blocks and given out one by one."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.training.batches import Augmenter, to_device
from bench.training.sources import Inputs
from bench.training.strong import StrongAugmenter

DEPTH = 2
"""Views of each sample that are kept ready: as many as methods take at once."""
LIMIT = 2**30
"""Bytes that the views kept ready may take; larger data sets are augmented batch by batch."""
BLOCK = 2048


class StrongViews:
    """Weakly, then strongly augmented samples; no view is given out twice.

    An operation costs about as much on a thousand small images as on two, so that a block is ten
    times quicker than its batches would be.
    """

    def __init__(self, inputs: Inputs, weak: Augmenter) -> None:
        self._inputs = inputs
        self._weak = weak
        self._left = torch.zeros(len(inputs), dtype=torch.int64)
        self._augment = StrongAugmenter.of(inputs) if len(inputs.shape) == 4 else None
        small = self._augment is not None and DEPTH * inputs.shape.numel() <= LIMIT
        room = torch.empty(0, dtype=inputs.dtype, device=inputs.device)
        self._ready = room.new_empty((DEPTH, *inputs.shape)) if small else None

    def forget(self) -> None:
        """Give out none of the views that are ready: an epoch draws its own."""
        self._left.zero_()

    def take(self, index: Tensor, draws: torch.Generator) -> Tensor:
        """Raw views ``(b, c, h, w)`` float32 in the range of the data; features are unchanged.

        A sample that occurs twice in one call has one view there.
        """
        if self._augment is None:
            return self._inputs[index]
        scale = self._augment.peak / 255
        if self._ready is None:
            return scale * self._augment(self._weak(self._inputs[index], draws), draws).float()
        rows = index.cpu()
        if len(rows) and int(self._left[rows].min()) == 0:
            self._fill(self._ready, self._augment, draws)
        self._left[rows] -= 1
        return scale * self._ready[to_device(self._left[rows], index.device), index].float()

    def _fill(self, ready: Tensor, augment: StrongAugmenter, draws: torch.Generator) -> None:
        for slot in range(DEPTH):
            used = to_device((self._left <= slot).nonzero().squeeze(1), self._inputs.device)
            for rows in torch.split(used, BLOCK):
                ready[slot, rows] = augment(self._weak(self._inputs[rows], draws), draws)
        self._left.fill_(DEPTH)

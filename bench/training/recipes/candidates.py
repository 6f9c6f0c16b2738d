"""Learning from candidate sets: confidences over them, and the loop that moves these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.api import Batch, Method
from bench.training.recipes.mixing import soft_cross_entropy

if TYPE_CHECKING:
    from bench.api import Run


def uniform(sets: Tensor) -> Tensor:
    """Equal confidence in every candidate: rows of ``(n, C)`` of 0 and 1, divided by their sums."""
    return sets / sets.sum(1, keepdim=True)


def within(scores: Tensor, sets: Tensor) -> Tensor:
    """Scores ``(b, C)`` >= 0 outside the candidates set to 0, rows summing to 1.

    A row without any score inside its set (probabilities that underflowed) becomes uniform.
    """
    inside = scores * sets
    total = inside.sum(1, keepdim=True)
    return torch.where(total > 0, inside / total.clamp_min(1e-30), uniform(sets))


def softmax_within(logits: Tensor, sets: Tensor) -> Tensor:
    """Soft-max of logits ``(b, C)`` over each row's set alone: 0 outside, rows sum to 1.

    Equal to the soft-max over all classes restricted to the set and renormalised, also where the
    network is so sure of another label that every probability in the set underflows.
    """
    return logits.masked_fill(sets == 0, -torch.inf).softmax(1)


def log_inside(logits: Tensor, sets: Tensor) -> Tensor:
    """Log of the probability mass on the candidates ``(b,)``, without leaving the log domain."""
    inside = logits.masked_fill(sets == 0, -torch.inf)
    return inside.logsumexp(1) - logits.logsumexp(1)


def log_not(logits: Tensor) -> Tensor:
    """``log(1 - p_k)`` of every label ``(b, C)``, from logits.

    The likeliest label's is the log of what the others have together, so that its gradient lives
    on where ``p_k`` rounds to 1; every other ``p_k`` is at most 1/2, where ``log1p`` is accurate.
    """
    likeliest = torch.zeros_like(logits).scatter(1, logits.argmax(1, keepdim=True), 1) > 0
    others = logits.masked_fill(likeliest, -torch.inf).logsumexp(1, keepdim=True)
    p = logits.softmax(1).masked_fill(likeliest, 0)
    return torch.where(likeliest, others - logits.logsumexp(1, keepdim=True), torch.log1p(-p))


class Confident(Method):
    """A method that keeps a confidence in each candidate of each sample, in ``confidence``.

    ``confidence`` is ``(n, C)``, 0 outside the candidates, rows sum to 1; it starts uniform. The
    loss is cross entropy to it. Override ``renewed`` for how it moves.
    """

    learns_from = "candidates"
    family = "partial-label"

    def setup(self) -> None:
        """Every candidate is as likely as the others."""
        self.confidence = uniform(self.run.candidates)

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy to the confidences, which move by the same forward pass afterwards."""
        logits = self.logits(batch.x)
        losses = soft_cross_entropy(logits, self.confidence[batch.index])
        self.renew(batch.index, logits)
        return losses

    def renew(self, index: Tensor, logits: Tensor) -> None:
        """Move the confidences of some samples by their logits ``(b, C)``."""
        with torch.no_grad():
            self.confidence[index] = self.renewed(logits.detach(), self.run.candidates[index])

    def renewed(self, logits: Tensor, sets: Tensor) -> Tensor:
        """Confidences ``(b, C)`` from logits and candidate sets of a batch."""
        return softmax_within(logits, sets)

    def label_belief(self) -> Tensor:
        """The confidences."""
        return self.confidence


def train_then_renew(method: Confident, epoch: int) -> float:
    """One pass in which every step is followed by a second forward pass that moves confidences."""
    run: Run = method.run
    total = torch.zeros((), device=run.device)
    for batch in run.batches(epoch):
        losses = soft_cross_entropy(method.logits(batch.x), method.confidence[batch.index])
        run.step(losses.mean())
        total += losses.detach().sum()
        with torch.no_grad():
            logits = method.logits(batch.x)
        method.renew(batch.index, logits)
    return float(total / run.n)

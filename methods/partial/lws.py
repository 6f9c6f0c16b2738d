"""The leveraged weighted loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Batch, Field, Method
from bench.training.recipes.candidates import softmax_within, uniform, within

if TYPE_CHECKING:
    from torch import Tensor


class LeveragedWeighted(Method):
    """LWS: binary losses on candidates and on the other labels, each side with its own weights.

    ``Σ_{k in S} w_k ψ(z_k) + β Σ_{k not in S} w_k ψ(-z_k)`` with the symmetric ψ(z) = sigmoid(-z).
    Weights are the soft-max of a sample's last forward pass, renormalised inside and outside the
    candidates separately, and start uniform on each side. β = 1; the authors use 2 on MNIST and
    KMNIST, and 1, 2 or 4 on Fashion-MNIST by the ambiguity q that drew the sets, which nobody is
    told here. With β = 2 a short run can push all logits far down before it has learned anything,
    where the loss is 1, the gradient gone, and the training loss shows it. No warm-up. Told
    nothing, one network, one view, one forward and backward pass a sample, ``n × C`` numbers of
    state.

    Deviations: the authors' code starts with 1/C everywhere, so that its first pass has another
    scale; weights come from the pass that the loss is taken of and hold for the next one, where
    the authors' code makes a second pass after the step; the common optimiser and protocol.
    """

    name = "lws"
    paper = (
        "Wen et al., Leveraged Weighted Loss for Partial Label Learning, ICML 2021, "
        "arXiv 2106.05731"
    )
    family = "partial-label"
    learns_from = "candidates"
    paper_params = {"mnist": {"beta": 2.0}, "kmnist": {"beta": 2.0}}  # noqa: RUF012
    beta: Annotated[float, Field(ge=0)] = 1.0

    def setup(self) -> None:
        """Equal weights on either side."""
        inside = self.run.candidates
        outside = 1 - inside
        self.weights = uniform(inside) + outside / outside.sum(1, keepdim=True).clamp_min(1)

    def loss(self, batch: Batch) -> Tensor:
        """Both sides, after which the weights move."""
        logits, inside = self.logits(batch.x), self.run.candidates[batch.index]
        weights, outside = self.weights[batch.index], 1 - inside
        candidates = (weights * inside * (-logits).sigmoid()).sum(1)
        others = (weights * outside * logits.sigmoid()).sum(1)
        with torch.no_grad():
            everyone = outside.sum(1, keepdim=True) == 0  # an empty side has no soft-max
            apart = outside * softmax_within(logits, outside + everyone)
            self.weights[batch.index] = softmax_within(logits, inside) + apart
        return candidates + self.beta * others

    def label_belief(self) -> Tensor:
        """The weights of the candidates."""
        return within(self.weights, self.run.candidates)

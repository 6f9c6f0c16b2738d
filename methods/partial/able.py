"""Ambiguity-induced contrastive learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field
from bench.training.recipes.candidates import Confident, softmax_within
from bench.training.recipes.mixing import one_hot, soft_cross_entropy
from bench.training.recipes.projection import Projector, log_shares

if TYPE_CHECKING:
    from torch import Tensor

BASE_TEMPERATURE = 0.07


class Able(Confident):
    """ABLE: a sample contrasts once for each of its candidates, weighted by their confidences.

    ``-Σ w_k log p_k`` on the weak view plus ``weight`` = 1 times the ambiguity-induced contrast
    ``-Σ_{c in S} w_c / |P_c| Σ_{j in P_c} log(exp(q·q_j / T) / Σ_a exp(q·q_a / T))``: anchors are
    the weak and the strong view of every sample of the batch, P_c are the other views of samples
    whose likeliest candidate, on the weak view, is c, and a runs over all other views. T is 0.1
    (the authors' commands; their code's default is 0.07), and the contrast is multiplied by
    T / 0.07, as in their code. Confidences w start uniform and become ``p_k / Σ_{j in S} p_j`` of
    the weak view after the loss of each batch. No warm-up. Told nothing; one network with a
    projector, two views; two forward and backward passes a sample; ``n × C`` numbers of state.

    Here w is the sample's own; the authors' code takes row i of all confidences for the i-th
    sample of a batch. Deviations: the mean over a candidate's positives is one over views, where
    the authors' code divides the sum over both views by the number of samples, which doubles the
    contrast; one matrix product instead of a loop over candidates; a candidate without positives
    in the batch adds nothing; the common views, optimiser and protocol.
    """

    name = "able"
    paper = (
        "Xia et al., Ambiguity-Induced Contrastive Learning for Instance-Dependent Partial Label "
        "Learning, IJCAI 2022"
    )
    uses = frozenset({"strong_augmentation"})
    cost = 2.0
    weight: Annotated[float, Field(ge=0)] = 1.0
    temperature: Annotated[float, Field(gt=0)] = 0.1

    def setup(self) -> None:
        """Uniform confidences and a projector."""
        super().setup()
        self.projector = Projector(self.networks[0].head.in_features).to(self.run.device)
        self.run.also_train(self.projector)

    def train_epoch(self, epoch: int) -> float:
        """Two views of every sample."""
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            both = torch.cat([batch.x, self.run.view(batch.index, "strong")])
            features = self.networks[0].features(both)
            logits = self.networks[0].head(features[: len(batch.index)])
            sets = self.run.candidates[batch.index]
            label = softmax_within(logits.detach(), sets).argmax(1)
            weights = self.confidence[batch.index]
            contrast = self.contrast(self.projector(features), weights, label)
            losses = soft_cross_entropy(logits, weights)
            self.renew(batch.index, logits)
            self.run.step(losses.mean() + self.weight * contrast)
            total += losses.detach().sum() + self.weight * contrast.detach() * len(losses)
        return float(total / self.run.n)

    def contrast(self, projected: Tensor, weights: Tensor, label: Tensor) -> Tensor:
        """The contrastive loss, a scalar.

        Args:
            projected: unit vectors of the weak and then of the strong views ``(2 b, d)``.
            weights: confidences ``(b, C)``.
            label: each sample's likeliest candidate ``(b,)``.
        """
        shares, allowed = log_shares(projected, projected, self.temperature)
        weights = weights.repeat(2, 1)
        hot = one_hot(label.repeat(2), weights.shape[1]).to(shares)
        positives = allowed @ hot  # views of each class, without oneself
        mean = shares @ hot / positives.clamp_min(1)
        return -(weights * mean).sum(1).mean() * self.temperature / BASE_TEMPERATURE

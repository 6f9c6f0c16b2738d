"""Ambiguity-induced contrastive learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Field
from bench.training.recipes.candidates import Confident, within
from bench.training.recipes.mixing import one_hot, soft_cross_entropy
from bench.training.recipes.projection import Projector, log_shares

if TYPE_CHECKING:
    from torch import Tensor

BASE_TEMPERATURE = 0.07


class Able(Confident):
    """ABLE: a sample contrasts once for each of its candidates, weighted by their confidences.

    ``-Σ w_k log p_k`` on the weak view plus the ambiguity-induced contrast: anchors are the weak
    and the strong view of every sample of the batch; for a candidate c its positives are the views
    whose likeliest candidate is c, and the mean of their log shares counts with weight w_c. The
    temperature is 0.1, and the loss is multiplied by 0.1 / 0.07, as in the authors' code.
    Confidences are the predictions on the weak view inside the candidates, renewed with every
    batch before its loss. Told nothing; one network, two views; two forward and backward passes a
    sample; ``n × C`` numbers of state.

    Deviations: one matrix product instead of a loop over candidates; a candidate without positives
    in the batch adds nothing; the common views, optimiser and protocol.
    """

    name = "able"
    paper = "Xia et al., Ambiguity-Induced Contrastive Learning for Partial Labels, IJCAI 2022"
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
            weights = within(logits.detach().softmax(1), sets)
            self.confidence[batch.index] = weights
            contrast = self.contrast(self.projector(features), weights)
            losses = soft_cross_entropy(logits, weights)
            self.run.step(losses.mean() + self.weight * contrast)
            total += losses.detach().sum() + self.weight * contrast.detach() * len(losses)
        return float(total / self.run.n)

    def contrast(self, projected: Tensor, weights: Tensor) -> Tensor:
        """Of both views ``(2 b, d)``, a scalar."""
        shares, allowed = log_shares(projected, projected, self.temperature)
        weights = weights.repeat(2, 1)
        hot = one_hot(weights.argmax(1), weights.shape[1])
        positives = allowed @ hot  # views of each class, without oneself
        mean = shares @ hot / positives.clamp_min(1)
        return -(weights * mean).sum(1).mean() * self.temperature / BASE_TEMPERATURE

"""Forward correction with a transition matrix in two easier factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch

from bench.api import Batch, Field, Method
from bench.training.recipes.transition import (
    anchors,
    counted,
    estimator,
    forward_loss,
    posterior,
    truth,
)

if TYPE_CHECKING:
    from torch import Tensor


class DualT(Method):
    """Dual T: the transition matrix as a product over the class that a network predicts.

    ``T = T♣ T♠``: T♣[i, a] = P(predicted a | true i) from anchor samples, the posterior of the
    intermediate class being the network's own soft-max; T♠[a, j] = P(given j | predicted a) by
    counting. Then forward correction, ``-log (pᵀT)_y`` (the paper also tries T in reweighting and
    T-Revision). Told nothing. A second network is trained by cross entropy before the first epoch,
    for ``estimator_share`` of the epochs: 20 of 200 in the authors' code, and never fewer than 20
    or half of a shorter run; ``quantile`` is 0.97 there for CIFAR-10 and CIFAR-100. One network
    that predicts, one view, one forward and backward pass a sample, and the estimator's (a tenth at
    200 epochs).
    The product pays where the estimator is surer than its labels allow, which T♠ corrects; where
    its soft-max is calibrated, T♣ is nearly T itself and T♣T♠ is flatter than T.

    Deviations: the common protocol; the estimator is taken as it is after its last epoch, where the
    authors take its epoch of best noisy-validation accuracy; a class that is never predicted keeps
    itself in T♠, where the authors leave a row of zeros and T♣T♠ loses what falls there. Absent:
    their outlier filter writes zeros into the posterior that later rows then read.
    """

    name = "dual-t"
    paper = "Yao et al., Dual T, NeurIPS 2020, arXiv 2006.07805"
    family = "transition"
    cost = 1.1

    estimator_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    quantile: Annotated[float, Field(gt=0, le=1)] = 0.97

    def setup(self) -> None:
        """No matrix yet."""
        self.transition = torch.eye(self.run.n_classes, device=self.run.device)

    def train_epoch(self, epoch: int) -> float:
        """One pass; before the first one T is estimated."""
        if epoch == 0:
            p = posterior(self.run, estimator(self.run, self.estimator_share))
            spade = counted(p, self.run.labels)
            self.transition = (anchors(p, self.quantile) @ spade).float()
        return super().train_epoch(epoch)

    def loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of the given label under the corrupted prediction."""
        return forward_loss(self.logits(batch.x), batch.y, self.transition)

    def label_belief(self) -> Tensor:
        """What the network and T say of the true label, the given one seen."""
        return truth(self.run.predict(self.networks[0]), self.run.labels, self.transition)

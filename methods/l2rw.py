"""Learning to reweight: weights of a batch from how its gradients agree with clean ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Batch, Method
from bench.training.recipes.lookahead import virtual


class L2RW(Method):
    """L2RW: weighs a sample by how much a step on it alone would help on clean samples.

    Algorithm 1 of the paper, for each batch: a virtual step on ``Σ ε_i CE_i`` from ``ε = 0``; the
    gradient of the clean loss after it with respect to ε; ``w_i = max(0, -∂L_clean/∂ε_i)``, scaled
    to sum to 1 (all zero where none is positive); a real step on ``Σ w_i CE_i``. At ε = 0 the
    virtual step does not move the network, so that ``-∂L_clean/∂ε_i`` is its rate times
    ``⟨∇CE_i, ∇L_clean⟩``, and the rate cancels in the rescaled weights: none is needed. No
    parameters, for CIFAR-10 and CIFAR-100 alike; its clean batch is as large as the training batch.
    Told the clean subset (2 %, where the paper has 1,000 of 50,000). One network, one view, no
    warm-up; forward and backward passes a sample: one that keeps its graph, two thirds of one
    through that graph, one on the clean batch where it is full, and the real one.

    Deviations: the common protocol; the clean batch is not augmented. Both virtual passes use the
    statistics of their batch, as in the authors' code, and leave batch norm's running ones alone.
    """

    name = "l2rw"
    paper = "Ren et al., Learning to Reweight Examples, ICML 2018, arXiv 1803.09050"
    family = "meta"
    knows = frozenset({"clean_subset"})
    cost = 3.7

    def train_epoch(self, epoch: int) -> float:
        """Weigh every batch by a clean one, and train on it; returns the mean weighted loss."""
        inputs, true = self.run.known.clean_subset
        clean = self.run.shuffled(torch.arange(len(true), device=true.device), forever=True)
        total, n_batches = torch.zeros((), device=self.run.device), 0
        for batch in self.run.batches(epoch):
            rows = next(clean)
            weights = self.weights(batch, inputs[rows], true[rows])
            losses = F.cross_entropy(self.logits(batch.x), batch.y, reduction="none")
            loss = (weights * losses).sum()
            self.run.step(loss)
            total += loss.detach()
            n_batches += 1
        return float(total / n_batches)

    def weights(self, batch: Batch, clean_x: Tensor, clean_y: Tensor) -> Tensor:
        """Weights ``(b,)`` of a batch: at least 0, sum 1 or all 0."""
        network = self.networks[0]
        assert isinstance(network, nn.Module)  # noqa: S101
        theta = dict(network.named_parameters())
        losses = F.cross_entropy(virtual(network, theta, batch.x), batch.y, reduction="none")
        epsilon = torch.zeros_like(losses, requires_grad=True)
        step = torch.autograd.grad(epsilon @ losses, list(theta.values()), create_graph=True)
        clean_loss = F.cross_entropy(virtual(network, theta, clean_x), clean_y)
        gradient = torch.autograd.grad(clean_loss, list(theta.values()))
        # step = Σ ε_i ∇CE_i, so that its derivative towards the gradient is ⟨∇CE_i, gradient⟩.
        (agreement,) = torch.autograd.grad(step, epsilon, gradient)
        helpful = agreement.clamp_min(0)
        total = helpful.sum()
        return helpful / torch.where(total > 0, total, 1.0)

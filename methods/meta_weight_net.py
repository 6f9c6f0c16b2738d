"""Meta-Weight-Net: a small network learns, from clean samples, how to weigh a loss."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.api import Batch, Field, Method
from bench.training.recipes.lookahead import virtual


class MetaWeightNet(Method):
    """Meta-Weight-Net: a small network V turns a sample's loss into its weight, and is learned.

    Algorithm 1 of the paper, for each batch: (1) a virtual step on ``mean(V(CE_i) CE_i)``, V's
    input a constant; (2) the clean loss after that step, whose gradient passes through the step
    into V, and a step of Adam (rate 1e-3, weight decay 1e-4) on V; (3) a real step on
    ``mean(V(CE_i) CE_i)`` with the new V held fixed. V is 1-100-1 with ReLU and a sigmoid; weights
    lie in 0 … 1 and are not rescaled. Values are those of the paper and its code, equal for
    CIFAR-10 and CIFAR-100. Told the clean subset (2 %, where the paper has 1,000 of 50,000); the
    clean batch is as large as the training batch. One network that predicts, one view, no warm-up;
    forward and backward passes a sample: one that keeps its graph, two thirds of one through that
    graph, one on the clean batch where it is full, and the real one.

    Deviations: the common protocol; the virtual step has a rate of its own, the paper's first
    learning rate, as a method is not told the network's current one (Adam makes V's step almost
    independent of its scale); the clean batch is not augmented. Both virtual passes use the
    statistics of their batch, as in the authors' code, and leave batch norm's running ones alone.
    """

    name = "meta-weight-net"
    paper = "Shu et al., Meta-Weight-Net, NeurIPS 2019, arXiv 1902.07379"
    family = "meta"
    knows = frozenset({"clean_subset"})
    cost = 3.7

    virtual_lr: Annotated[float, Field(gt=0)] = 0.1
    hidden: Annotated[int, Field(ge=1)] = 100
    weight_lr: Annotated[float, Field(gt=0)] = 1e-3

    def setup(self) -> None:
        """V with torch's usual initial weights, drawn from a generator, and its optimiser."""
        layers = nn.Linear(1, self.hidden), nn.Linear(self.hidden, 1)
        draws = self.run.generator("weights")
        with torch.no_grad():
            for layer in layers:
                for parameter in layer.parameters():
                    bound = layer.in_features**-0.5
                    parameter.uniform_(-bound, bound, generator=draws)
        v = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.Sigmoid())
        self.v = v.to(self.run.device)
        self.v_optimiser = torch.optim.Adam(self.v.parameters(), self.weight_lr, weight_decay=1e-4)

    def weights(self, losses: Tensor) -> Tensor:
        """V of every loss ``(b,)``; the losses are constants."""
        weights: Tensor = self.v(losses.detach()[:, None]).squeeze(1)
        return weights

    def train_epoch(self, epoch: int) -> float:
        """Learn V on a clean batch and the network on a batch, in turn; the mean weighted loss."""
        inputs, true = self.run.known.clean_subset
        clean = self.run.shuffled(torch.arange(len(true), device=true.device), forever=True)
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            rows = next(clean)
            self.learn_weights(batch, inputs[rows], true[rows])
            losses = F.cross_entropy(self.logits(batch.x), batch.y, reduction="none")
            losses = self.weights(losses).detach() * losses
            self.run.step(losses.mean())
            total += losses.detach().sum()
        return float(total / self.run.n)

    def learn_weights(self, batch: Batch, clean_x: Tensor, clean_y: Tensor) -> None:
        """One step of V by the clean loss after a virtual step of the network."""
        network = self.networks[0]
        assert isinstance(network, nn.Module)  # noqa: S101
        theta = dict(network.named_parameters())
        losses = F.cross_entropy(virtual(network, theta, batch.x), batch.y, reduction="none")
        loss = (self.weights(losses) * losses).mean()
        step = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
        moved = {
            name: parameter.detach() - self.virtual_lr * part
            for (name, parameter), part in zip(theta.items(), step, strict=True)
        }
        clean_loss = F.cross_entropy(virtual(network, moved, clean_x), clean_y)
        trained = list(self.v.parameters())
        for parameter, gradient in zip(
            trained, torch.autograd.grad(clean_loss, trained), strict=True
        ):
            parameter.grad = gradient
        self.v_optimiser.step()

"""Contrastive label disambiguation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
from torch.nn import functional as F

from bench.api import Field
from bench.training.recipes.averaging import average_of, follow
from bench.training.recipes.candidates import Confident, softmax_within
from bench.training.recipes.mixing import one_hot, soft_cross_entropy
from bench.training.recipes.phases import ramp, shortened
from bench.training.recipes.projection import Projector, log_shares

if TYPE_CHECKING:
    from torch import Tensor

    from bench.api import Batch


class Pico(Confident):
    """PiCO: contrast between samples of one pseudo-label, prototypes that move the confidences.

    Algorithm 1 of the paper. A network and a projector see the weak view, their moving averages
    (0.999) the strong one. A pseudo-label is the likeliest candidate. Confidences start uniform
    and follow the nearest prototype among the candidates, ``w ← φ w + (1 - φ) onehot``, φ falling
    linearly from 0.95 to 0.8, before the loss of their batch; then prototypes follow the
    projections, ``μ_c ← γ μ_c + (1 - γ) q`` with γ 0.99, sample by sample, and are normalised. The
    loss is cross entropy to w plus 0.5 times ``-mean_{j in P} log(exp(q·k_j / τ) /
    Σ_a exp(q·k_a / τ))``, where a runs over batch, its averaged views and queue, P are those of
    the same pseudo-label, and τ is 0.07. For the first ``start_epochs`` (1 on CIFAR, 100 on
    CUB-200) it is MoCo's contrast instead, own averaged view against the queue, and confidences
    stay uniform. Defaults are those of the paper and the authors' commands for CIFAR.

    Told nothing; one network and its average, each with a projector, two views; one forward and
    backward and one more forward pass a sample, and similarities to the queue; ``n × C`` numbers of
    state and the queue of 8192 projections.

    Deviations: prototypes are normalised once a batch, as in the authors' code, not after every
    sample, as in the paper; the queue has at most as many places as there are samples, batches need
    not divide it, and it counts only what was put into it (the authors' starts with random
    vectors); prototypes that were never set are no one's nearest (there they score as if orthogonal
    to all); averages are in evaluation mode with the network's own running statistics, where the
    authors shuffle batches between devices; the common views, optimiser and protocol.
    """

    name = "pico"
    paper = "Wang et al., PiCO, ICLR 2022, arXiv 2201.08984"
    uses = frozenset({"strong_augmentation"})
    cost = 1.7
    gamma: Annotated[float, Field(ge=0, lt=1)] = 0.99
    average: Annotated[float, Field(ge=0, lt=1)] = 0.999
    phi_first: Annotated[float, Field(ge=0, le=1)] = 0.95
    phi_last: Annotated[float, Field(ge=0, le=1)] = 0.8
    weight: Annotated[float, Field(ge=0)] = 0.5
    temperature: Annotated[float, Field(gt=0)] = 0.07
    queue: Annotated[int, Field(ge=1)] = 8192
    start_epochs: Annotated[int, Field(ge=0)] = 1

    def setup(self) -> None:
        """Uniform confidences, no prototype, an empty queue."""
        super().setup()
        q, device = self.networks[0].head.in_features, self.run.device
        self.projector = Projector(q).to(device)
        self.run.also_train(self.projector)
        self.slow_network = average_of(self.networks[0])  # type: ignore[arg-type]
        self.slow_projector = average_of(self.projector)
        self.prototypes = torch.zeros(self.run.n_classes, 128, device=device)
        places = min(self.queue, self.run.n)
        self.kept = torch.zeros(places, 128, device=device)
        self.kept_label = torch.full((places,), -1, device=device)
        self.position = torch.zeros((), dtype=torch.int64)

    def train_epoch(self, epoch: int) -> float:
        """Two views of every sample."""
        self.slow_network.eval()
        phase = ramp(epoch, self.run.n_epochs)
        phi = self.phi_first + (self.phi_last - self.phi_first) * phase
        start = shortened(self.start_epochs, 0.5, self.run.n_epochs) if self.start_epochs else 0
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            features = self.networks[0].features(batch.x)
            logits, projected = self.networks[0].head(features), self.projector(features)
            sets = self.run.candidates[batch.index]
            label = softmax_within(logits.detach(), sets).argmax(1)
            other = self.slow_view(batch)
            if epoch >= start:
                near = projected.detach() @ self.prototypes.T
                self.follow_prototypes(batch.index, near, sets, phi)
            self.move_prototypes(projected.detach(), label)
            if epoch >= start:
                contrast = self.contrast(projected, other, label)
            else:
                contrast = self.instance_contrast(projected, other)
            losses = soft_cross_entropy(logits, self.confidence[batch.index])
            self.run.step(losses.mean() + self.weight * contrast)
            total += losses.detach().sum() + self.weight * contrast.detach() * len(label)
            follow(self.slow_network, self.networks[0], self.average)  # type: ignore[arg-type]
            follow(self.slow_projector, self.projector, self.average)
            self.put(other, label)
        return float(total / self.run.n)

    def slow_view(self, batch: Batch) -> Tensor:
        """Projections of a strong view by the averages, without gradient."""
        with torch.no_grad():
            view = self.run.view(batch.index, "strong")
            projected: Tensor = self.slow_projector(self.slow_network.features(view))  # type: ignore[operator]
            return projected

    def follow_prototypes(self, index: Tensor, near: Tensor, sets: Tensor, phi: float) -> None:
        """Move confidences toward the candidate with the nearest prototype."""
        known = self.prototypes.square().sum(1) > 0
        best = near.masked_fill((sets == 0) | ~known, -torch.inf)
        chosen = F.one_hot(best.argmax(1), sets.shape[1]).to(sets.dtype)
        moved = phi * self.confidence[index] + (1 - phi) * chosen
        possible = ((sets > 0) & known).any(1, keepdim=True)
        self.confidence[index] = torch.where(possible, moved, self.confidence[index])

    def move_prototypes(self, projected: Tensor, label: Tensor) -> None:
        """The exponential average of a class over its samples of the batch, in their order."""
        hot = one_hot(label, self.run.n_classes)
        after = hot.flip(0).cumsum(0).flip(0) - hot  # of the same class, later in the batch
        share = (hot * self.gamma**after).T @ projected * (1 - self.gamma)
        moved = self.gamma ** hot.sum(0)[:, None] * self.prototypes + share
        self.prototypes = F.normalize(moved, dim=1)

    def contrast(self, projected: Tensor, other: Tensor, label: Tensor) -> Tensor:
        """The supervised contrast, a scalar: positives are all of one's pseudo-label."""
        filled = self.kept_label >= 0
        everything = torch.cat([projected, other, self.kept[filled]])
        shares, allowed = log_shares(projected, everything, self.temperature)
        labels = torch.cat([label, label, self.kept_label[filled]])
        positive = (label[:, None] == labels[None]).float() * allowed
        return -((shares * positive).sum(1) / positive.sum(1)).mean()

    def instance_contrast(self, projected: Tensor, other: Tensor) -> Tensor:
        """MoCo's contrast, a scalar: one's own other view against the queue."""
        own = (projected * other).sum(1, keepdim=True)
        queue = projected @ self.kept[self.kept_label >= 0].T
        return -(torch.cat([own, queue], 1) / self.temperature).log_softmax(1)[:, 0].mean()

    def put(self, other: Tensor, label: Tensor) -> None:
        """Into the queue, over its oldest entries."""
        places = len(self.kept_label)
        other, label = other[-places:], label[-places:]
        start = int(self.position)
        rows = (torch.arange(len(label), device=label.device) + start) % places
        self.kept[rows] = other
        self.kept_label[rows] = label
        self.position = torch.tensor((start + len(label)) % places)

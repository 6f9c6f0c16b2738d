"""PES: progressive early stopping, earlier layers longer than later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Batch, Field, Method
from bench.training.recipes.layers import last_layers
from bench.training.recipes.matching import mean_prediction, mixmatch_loss
from bench.training.recipes.mixing import one_hot, sharpen
from bench.training.recipes.phases import ramp, shortened

if TYPE_CHECKING:
    from torch import Tensor


class PES(Method):
    """PES: stop early block by block, then learn from the labels that the network agrees with.

    Algorithm 1 of the paper. The whole network trains for T1 epochs; then its last block and head
    begin anew and train for T2 epochs, the rest frozen, and then the head alone for T3 (Adam,
    1e-4). From there on, each epoch keeps the samples whose label is the argmax of the mean
    prediction on two views, and trains on them by cross entropy weighted by class; with ``semi``
    (PES(semi)) by MixMatch, the others unlabelled.

    Defaults: T1 25 (CIFAR-10) or 30 (CIFAR-100) of 200 epochs, T2 7, T3 5 (the paper's). PES(semi)
    in the authors' code: T1 20 of 300 (CIFAR-100: 35), the head alone for 5, λ_u 5 (75), mixup's α
    4 and 0.75 in the second half: a suite sets ``{semi: true, stop_epochs: 20, block_epochs: 0}``.
    Told nothing; one network, two weak views; about 1.7 forward and backward passes a sample, and
    3.5 with ``semi``.

    Deviations: the common optimiser; ``phase_share`` shortens T1, T2 and T3 to at most that share
    of short runs; the last block is the last one with weights of the backbone at hand (the paper's
    is ResNet's fourth stage). Adam's 1e-4 belongs to 352 steps an epoch (45,000 samples, batches of
    128); where a refinement has fewer steps than the paper's, the rate is raised in proportion.
    """

    name = "pes"
    paper = "Bai et al., Understanding and Improving Early Stopping, NeurIPS 2021, arXiv 2106.15853"
    family = "semi-supervised"
    cost = 1.7
    paper_params = {"cifar100": {"stop_epochs": 30, "weight_untrusted": 75.0}}  # noqa: RUF012

    semi: bool = False
    stop_epochs: Annotated[int, Field(ge=1)] = 25
    block_epochs: Annotated[int, Field(ge=0)] = 7
    head_epochs: Annotated[int, Field(ge=0)] = 5
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    refine_lr: Annotated[float, Field(gt=0)] = 1e-4
    refine_steps: Annotated[int, Field(ge=1)] = 352
    largest_weight: Annotated[float, Field(gt=0)] = 3.0
    weight_untrusted: Annotated[float, Field(ge=0)] = 5.0
    temperature: Annotated[float, Field(gt=0)] = 0.5
    ramp_epochs: Annotated[int, Field(ge=1)] = 16

    def setup(self) -> None:
        """Every label counts until the network disagrees."""
        self.stop = shortened(self.stop_epochs, self.phase_share, self.run.n_epochs)
        self.ramp = shortened(self.ramp_epochs, self.phase_share, self.run.n_epochs)
        self.belief = one_hot(self.run.labels, self.run.n_classes)

    def train_epoch(self, epoch: int) -> float:
        """The whole network, or its refinement once and then the confident samples."""
        if epoch < self.stop:
            return super().train_epoch(epoch)
        if epoch == self.stop:
            self.refine(1, self.block_epochs)
            self.refine(0, self.head_epochs)
        self.belief = self.two_view_prediction()
        agrees = self.belief.argmax(1) == self.run.labels
        confident, doubtful = agrees.nonzero().squeeze(1), (~agrees).nonzero().squeeze(1)
        if len(confident) < 2:
            return super().train_epoch(epoch)
        self.run.report_selection(confident)
        weights = self.class_weights(self.run.labels[confident])
        if self.semi:
            return self.match(epoch, confident, doubtful, weights.clamp_max(self.largest_weight))
        return self.weighted(confident, weights)

    def two_view_prediction(self) -> Tensor:
        """Mean soft-max ``(n, C)`` of two weak views, in evaluation mode."""
        network = self.networks[0]
        network.eval()
        parts = torch.arange(self.run.n, device=self.run.device).split(1024)
        found = [
            mean_prediction([network], [self.run.view(part), self.run.view(part)]) for part in parts
        ]
        network.train()
        return torch.cat(found)

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy of the first phase."""
        return F.cross_entropy(self.networks[0](batch.x), batch.y, reduction="none")

    def refine(self, blocks: int, epochs: int) -> None:
        """Begin the last ``blocks`` blocks and the head anew and train only them."""
        if epochs == 0:
            return
        network = self.networks[0]
        later = last_layers(network, blocks)
        for layer, fresh in zip(
            later, last_layers(self.run.new_network("pes", blocks), blocks), strict=True
        ):
            layer.load_state_dict(fresh.state_dict())
        parameters = [p for layer in later for p in layer.parameters()]
        passes = shortened(epochs, self.phase_share, self.run.n_epochs)
        steps = passes * max(1, self.run.n // self.run.batch_size)
        lr = self.refine_lr * max(1.0, epochs * self.refine_steps / steps)
        optimiser = torch.optim.Adam(parameters, lr=lr)
        everything = torch.arange(self.run.n, device=self.run.device)
        for _ in range(passes):
            for index in self.run.shuffled(everything):
                loss = F.cross_entropy(network(self.run.view(index)), self.run.labels[index])
                gradients = torch.autograd.grad(loss, parameters)
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                optimiser.step()

    def class_weights(self, labels: Tensor) -> Tensor:
        """Mean class size over each class's ``(C,)``; 0 for a class without a sample."""
        sizes = torch.bincount(labels, minlength=self.run.n_classes).float()
        present = sizes > 0
        mean = sizes.sum() / present.sum()
        return torch.where(present, mean / sizes.clamp_min(1), torch.zeros_like(sizes))

    def weighted(self, confident: Tensor, weights: Tensor) -> float:
        """One pass over the confident samples."""
        total, steps = torch.zeros((), device=self.run.device), 0
        for index in self.run.shuffled(confident):
            logits = self.networks[0](self.run.view(index))
            loss = F.cross_entropy(logits, self.run.labels[index], weight=weights)
            self.run.step(loss)
            total += loss.detach()
            steps += 1
        return float(total / steps)

    def match(self, epoch: int, confident: Tensor, doubtful: Tensor, weights: Tensor) -> float:
        """As many steps of MixMatch as an epoch has batches, split between the parts."""
        network, size = self.networks[0], self.run.batch_size
        share = min(0.5, len(doubtful) / self.run.n)
        n_doubtful = round(share * size) if len(doubtful) else 0
        trusted = self.run.shuffled(confident, max(2, size - n_doubtful), forever=True)
        untrusted = self.run.shuffled(doubtful, n_doubtful, forever=True) if n_doubtful else None
        steps = max(1, self.run.n // size)
        total = torch.zeros((), device=self.run.device)
        for step in range(steps):
            index = next(trusted)
            views = [self.run.view(index), self.run.view(index)]
            labels = one_hot(self.run.labels[index], self.run.n_classes).repeat(2, 1)
            rest = None
            if untrusted is not None:
                other = next(untrusted)
                pair = [self.run.view(other), self.run.view(other)]
                guess = sharpen(mean_prediction([network], pair), self.temperature)
                rest = (torch.cat(pair), guess.repeat(2, 1))
            loss = mixmatch_loss(
                network,
                (torch.cat(views), labels),
                rest,
                alpha=4.0 if epoch < self.run.n_epochs / 2 else 0.75,
                weight_untrusted=self.weight_untrusted
                * ramp(epoch + step / steps - self.stop, self.ramp),
                draws=self.run.draws,
                class_weights=weights,
                prior=False,
            )
            self.run.step(loss)
            total += loss.detach()
        return float(total / steps)

    def label_belief(self) -> Tensor:
        """The mean prediction on two views once training on confident samples began."""
        return self.belief

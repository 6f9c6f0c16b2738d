"""DivideMix: two networks split the data for each other and learn semi-supervised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F

from bench.api import Field, Method
from bench.training.recipes.matching import mean_prediction, mixmatch_loss, refined
from bench.training.recipes.mixing import one_hot, sharpen
from bench.training.recipes.mixture import clean_probability
from bench.training.recipes.phases import ramp, shortened

if TYPE_CHECKING:
    from torch import Tensor


class DivideMix(Method):
    """DivideMix: a mixture on losses splits the data, MixMatch learns from both parts.

    Algorithm 1 of the paper. After a warm-up by cross entropy, each epoch fits two Gaussians to
    each network's losses; samples with clean probability w above ``threshold`` are trusted by the
    *other* network. Trusted targets are ``w y + (1 - w) p`` (p the mean over two views) and
    untrusted ones the mean of both networks on two views, all sharpened; then MixMatch with
    ``L_X + λ_u L_U + L_reg``, λ_u rising over 16 epochs. ``confidence_penalty`` adds the negative
    entropy to the warm-up, as the paper does for asymmetric noise.

    Defaults: CIFAR-10, warm-up 10 epochs, λ_u 25 (the paper's table: 0 at 20 % and asymmetric, 25
    at 50 % and 80 %, 50 at 90 %); CIFAR-100, 30 epochs, λ_u 150. The authors choose λ_u by the
    noise rate, which we are not told: one value for all. Two networks, two weak views. Steps are as
    many as the trusted fill: about six forward and backward passes a sample where half are trusted,
    and in proportion. Both networks predict.

    Deviations: the common optimiser in place of a learning rate cut at half of 300 epochs;
    ``phase_share`` shortens warm-up and ramp to at most that share of short runs; losses are those
    of one epoch, where the authors' code takes the mean of five at 90 % noise, which we are not
    told; where fewer than two samples are trusted (their code stops there), the network sees all.
    """

    name = "dividemix"
    paper = "Li et al., DivideMix, ICLR 2020, arXiv 2002.07394"
    family = "semi-supervised"
    uses = frozenset({"two_networks"})
    n_networks = 2
    cost = 6.0
    predicts = "mean logits of both networks"
    paper_params = {"cifar100": {"warmup_epochs": 30, "weight_untrusted": 150.0}}  # noqa: RUF012

    warmup_epochs: Annotated[int, Field(ge=1)] = 10
    ramp_epochs: Annotated[int, Field(ge=1)] = 16
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    temperature: Annotated[float, Field(gt=0)] = 0.5
    weight_untrusted: Annotated[float, Field(ge=0)] = 25.0
    alpha: Annotated[float, Field(gt=0)] = 4.0
    confidence_penalty: bool = False

    def setup(self) -> None:
        """Every label is trusted until a mixture says otherwise."""
        self.warmup = shortened(self.warmup_epochs, self.phase_share, self.run.n_epochs)
        self.ramp = shortened(self.ramp_epochs, self.phase_share, self.run.n_epochs)
        self.clean = torch.ones(2, self.run.n, device=self.run.device)
        self.guess = one_hot(self.run.labels, self.run.n_classes)

    def train_epoch(self, epoch: int) -> float:
        """Warm up, or divide and match; returns the mean loss of both networks."""
        if epoch < self.warmup:
            return (self.warm_up(0, epoch) + self.warm_up(1, epoch)) / 2
        logits = [self.run.predict(network) for network in self.networks]
        self.guess = torch.stack(logits).softmax(2).mean(0)
        self.clean = torch.stack(
            [
                clean_probability(F.cross_entropy(z, self.run.labels, reduction="none"))
                for z in logits
            ]
        )
        return (self.match(0, epoch) + self.match(1, epoch)) / 2

    def warm_up(self, which: int, epoch: int) -> float:
        """One pass of cross entropy on all labels."""
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch, repeat=which):
            logits = self.networks[which](batch.x)
            loss = F.cross_entropy(logits, batch.y)
            if self.confidence_penalty:
                loss = loss + (logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
            self.run.step(loss)
            total += loss.detach() * len(batch.y)
        return float(total / self.run.n)

    def match(self, which: int, epoch: int) -> float:
        """One pass of MixMatch over what the other network trusts."""
        network, peer = self.networks[which], self.networks[1 - which]
        clean = self.clean[1 - which]
        trusted = (clean > self.threshold).nonzero().squeeze(1)
        untrusted = (clean <= self.threshold).nonzero().squeeze(1)
        if len(trusted) < 2:
            return self.warm_up(which, epoch)
        if which == 0:
            self.run.report_selection(trusted)
        rest = self.run.shuffled(untrusted, forever=True) if len(untrusted) else None
        peer.eval()
        total = torch.zeros((), device=self.run.device)
        n_steps = max(1, len(trusted) // self.run.batch_size)
        steps = 0
        for index in self.run.shuffled(trusted):
            rate = ramp(epoch + steps / n_steps - self.warmup, self.ramp)
            loss = mixmatch_loss(
                network,
                self.trusted_part(network, index, clean),
                None if rest is None else self.untrusted_part([network, peer], next(rest)),
                alpha=self.alpha,
                weight_untrusted=rate * self.weight_untrusted,
                draws=self.run.draws,
            )
            self.run.step(loss)
            total += loss.detach()
            steps += 1
        peer.train()
        return float(total / steps)

    def trusted_part(self, network: object, index: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Two views and their refined targets (equations 3 and 4)."""
        views = [self.run.view(index), self.run.view(index)]
        labels = one_hot(self.run.labels[index], self.run.n_classes)
        guess = mean_prediction([network], views)
        target = refined(labels, clean[index], guess, self.temperature)
        return torch.cat(views), target.repeat(2, 1)

    def untrusted_part(self, networks: list[object], index: Tensor) -> tuple[Tensor, Tensor]:
        """Two views and what both networks guess together (algorithm 1, co-guessing)."""
        views = [self.run.view(index), self.run.view(index)]
        guess = mean_prediction(networks, views)
        return torch.cat(views), sharpen(guess, self.temperature).repeat(2, 1)

    def label_belief(self) -> Tensor:
        """``w y + (1 - w) p`` with both networks' mean w and p."""
        w = self.clean.mean(0)[:, None]
        return w * super().label_belief() + (1 - w) * self.guess

"""UNICON: class-balanced selection by divergence, and contrast against memorisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F
from torch import nn

from bench.api import Field, Method
from bench.training.recipes.matching import (
    contrastive_loss,
    mean_prediction,
    mixmatch_loss,
    refined,
)
from bench.training.recipes.mixing import one_hot, sharpen
from bench.training.recipes.phases import ramp, shortened

if TYPE_CHECKING:
    from torch import Tensor


class UNICON(Method):
    """UNICON: the labels closest to the prediction, equally many a class, teach; the rest contrast.

    Algorithm 1 of the paper. After a warm-up by cross entropy, each network in turn: the
    Jensen-Shannon divergence d (base 2) of the networks' mean prediction from the given label;
    cut-off = mean d, lowered by (mean - min) / τ where the mean exceeds d_μ; the share R of samples
    below it is taken from every class, those with smallest d. Targets as in DivideMix from two weak
    views with w = 1 - d; MixMatch on two strong views, plus λ_c times SimCLR's loss between the
    strong views of the unselected.

    Defaults of the authors' code: τ 5, d_μ 0.7, λ_u 30 (rising over 16 epochs), λ_c 0.025,
    temperature 0.5, α 4, warm-up 10 of 350 epochs on CIFAR-10, 30 on CIFAR-100; of the contrast
    0.07. Told nothing; two networks with projectors, two weak and two strong views. Steps are as
    many as the selected fill: about 8 forward and backward passes a sample where half are selected,
    and in proportion. Both networks predict.

    Deviations: the common optimiser; ``phase_share`` shortens warm-up and ramp to at most that
    share of short runs; RandAugment and cutout as strong views. The authors' code takes natural
    logarithms, with which d cannot exceed 0.69 and d_μ is never reached, and fails on a misspelt
    name if it were; it also writes d in batches whose last may be misplaced. Neither is so here.
    """

    name = "unicon"
    paper = "Karim et al., UNICON, CVPR 2022, arXiv 2203.14542"
    family = "semi-supervised"
    uses = frozenset({"two_networks", "strong_augmentation"})
    n_networks = 2
    cost = 8.0
    predicts = "mean logits of both networks"
    paper_params = {"cifar100": {"warmup_epochs": 30}}  # noqa: RUF012

    warmup_epochs: Annotated[int, Field(ge=1)] = 10
    ramp_epochs: Annotated[int, Field(ge=1)] = 16
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    tau: Annotated[float, Field(ge=1)] = 5.0
    high_divergence: Annotated[float, Field(ge=0, le=1)] = 0.7
    weight_untrusted: Annotated[float, Field(ge=0)] = 30.0
    weight_contrast: Annotated[float, Field(ge=0)] = 0.025
    contrast_temperature: Annotated[float, Field(gt=0)] = 0.07
    temperature: Annotated[float, Field(gt=0)] = 0.5
    alpha: Annotated[float, Field(gt=0)] = 4.0

    def setup(self) -> None:
        """A projector for each network; no label is doubted yet."""
        self.warmup = shortened(self.warmup_epochs, self.phase_share, self.run.n_epochs)
        self.ramp = shortened(self.ramp_epochs, self.phase_share, self.run.n_epochs)
        q = self.networks[0].head.in_features
        projectors = [
            nn.Sequential(nn.Linear(q, q), nn.ReLU(inplace=True), nn.Linear(q, 128))
            for _ in self.networks
        ]
        self.projectors = nn.ModuleList(projectors).to(self.run.device)
        self.run.also_train(self.projectors)
        self.divergence = torch.zeros(self.run.n, device=self.run.device)
        self.guess = one_hot(self.run.labels, self.run.n_classes)

    def train_epoch(self, epoch: int) -> float:
        """Warm up, or select and match for each network in turn."""
        losses = []
        for which in (0, 1):
            if epoch < self.warmup:
                losses.append(self.warm_up(which, epoch))
                continue
            outputs = [self.run.predict(network).softmax(1) for network in self.networks]
            self.guess = sum(outputs) / 2
            self.divergence = jensen_shannon(
                self.guess, one_hot(self.run.labels, self.run.n_classes)
            )
            losses.append(self.match(which, epoch))
        return sum(losses) / 2

    def warm_up(self, which: int, epoch: int) -> float:
        """One pass of cross entropy on all labels."""
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch, repeat=which):
            loss = F.cross_entropy(self.networks[which](batch.x), batch.y)
            self.run.step(loss)
            total += loss.detach() * len(batch.y)
        return float(total / self.run.n)

    def selected(self) -> Tensor:
        """Which samples ``(n,)`` teach: a share R of the mean class size from every class."""
        d = self.divergence
        cut = d.mean()
        lowered = cut - (cut - d.min()) / self.tau
        cut = torch.where(cut > self.high_divergence, lowered, cut)
        count = ((d < cut).sum() / self.run.n_classes).long()
        order = torch.argsort(d)
        hot = one_hot(self.run.labels[order], self.run.n_classes)
        rank = (hot.cumsum(0) * hot).sum(1)  # within its class, from 1
        chosen = torch.zeros_like(d, dtype=torch.bool)
        chosen[order] = rank <= count
        return chosen

    def match(self, which: int, epoch: int) -> float:
        """One pass of MixMatch and contrast."""
        network, peer = self.networks[which], self.networks[1 - which]
        chosen = self.selected()
        trusted, untrusted = chosen.nonzero().squeeze(1), (~chosen).nonzero().squeeze(1)
        if len(trusted) < 2:
            return self.warm_up(which, epoch)
        if which == 0:
            self.run.report_selection(trusted)
        rest = self.run.shuffled(untrusted, forever=True) if len(untrusted) else None
        peer.eval()
        total = torch.zeros((), device=self.run.device)
        n_steps, steps = max(1, len(trusted) // self.run.batch_size), 0
        for index in self.run.shuffled(trusted):
            untrusted_part, contrast = None, 0.0
            if rest is not None:
                other = next(rest)
                weak, strong = self.views(other)
                guess = sharpen(mean_prediction([network, peer], weak), self.temperature)
                untrusted_part = (torch.cat(strong), guess.repeat(2, 1))
                projected = [self.projectors[which](network.features(view)) for view in strong]
                contrast = contrastive_loss(*projected, self.contrast_temperature)
            weak, strong = self.views(index)
            labels = one_hot(self.run.labels[index], self.run.n_classes)
            guess = mean_prediction([network], weak)
            target = refined(labels, 1 - self.divergence[index], guess, self.temperature)
            rate = ramp(epoch + steps / n_steps - self.warmup, self.ramp)
            loss = mixmatch_loss(
                network,
                (torch.cat(strong), target.repeat(2, 1)),
                untrusted_part,
                alpha=self.alpha,
                weight_untrusted=rate * self.weight_untrusted,
                draws=self.run.draws,
            )
            loss = loss + self.weight_contrast * contrast
            self.run.step(loss)
            total += loss.detach()
            steps += 1
        peer.train()
        return float(total / steps)

    def views(self, index: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Two weak and two strong views."""
        weak = [self.run.view(index), self.run.view(index)]
        return weak, [self.run.view(index, "strong"), self.run.view(index, "strong")]

    def label_belief(self) -> Tensor:
        """``(1 - d) y + d p`` with the divergence d of the label from the mean prediction p."""
        d = self.divergence[:, None]
        return (1 - d) * super().label_belief() + d * self.guess


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Divergence in bits ``(n,)``, 0 to 1, of rows of shares ``(n, C)``."""
    m = (p + q) / 2
    entropy = [-torch.xlogy(x, x).sum(1) for x in (m, p, q)]
    divergence = entropy[0] - (entropy[1] + entropy[2]) / 2
    return (divergence / torch.log(torch.tensor(2.0))).clamp(0, 1)

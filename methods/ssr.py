"""SSR: relabel confident samples, select by neighbours, learn from what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F
from torch import nn

from bench.api import Field, Method
from bench.training.recipes.mixing import mixup, one_hot, soft_cross_entropy
from bench.training.recipes.neighbours import balanced_votes

if TYPE_CHECKING:
    from torch import Tensor


class SSR(Method):
    """SSR: the network relabels where it is sure, and neighbours decide who may teach.

    Section 3 of the paper, each epoch: a sample's label becomes the argmax where the largest
    probability exceeds θ_r; it is selected where its label's share of the balanced votes of its k
    nearest neighbours is at least θ_s of the largest. Cross entropy on mixup (α 4, λ ≥ 1/2) of two
    strong views of the selected, drawn evenly over the classes, plus λ_fc times the feature
    consistency of a weak and a strong view of all samples: ``consistency: 1`` is SSR+ (and the
    authors' default), 0 is SSR.

    Defaults of the authors' code for CIFAR-10 and CIFAR-100: θ_r 0.9 (0.8 on CIFAR-100 at 50 %
    noise or more, which we are not told), θ_s 1, k 200. Told nothing, no warm-up; one network with
    projector and predictor; two strong views and, for the consistency, a weak and a strong one:
    about 4.3 forward and backward passes a sample. The selection on record leaves out those that
    were relabelled.

    Deviations: RandAugment and cutout in place of AutoAugment's CIFAR-10 policy; k is at most half
    the mean class size, for data sets smaller than the paper's; features and probabilities are
    those of the un-augmented sample.
    """

    name = "ssr"
    paper = "Feng et al., SSR, BMVC 2022, arXiv 2111.11288"
    family = "semi-supervised"
    uses = frozenset({"strong_augmentation"})
    cost = 4.3

    relabel_above: Annotated[float, Field(gt=0, le=1)] = 0.9
    select_from: Annotated[float, Field(gt=0, le=1)] = 1.0
    neighbours: Annotated[int, Field(ge=1)] = 200
    consistency: Annotated[float, Field(ge=0)] = 1.0
    alpha: Annotated[float, Field(gt=0)] = 4.0

    def setup(self) -> None:
        """Projector and predictor of the consistency; labels as given."""
        q = self.networks[0].head.in_features
        self.projector = _two_layers(q).to(self.run.device)
        self.predictor = _two_layers(128).to(self.run.device)
        self.run.also_train(self.projector)
        self.run.also_train(self.predictor)
        self.labels = self.run.labels.clone()

    def train_epoch(self, epoch: int) -> float:
        """Relabel, select, train."""
        network = self.networks[0]
        features = self.run.map(network.features)
        with torch.no_grad():
            p = network.head(features).softmax(1)
        self.labels = self.relabelled(p)
        teachers = self.selected(features)
        classes = self.labels[teachers]
        self.run.report_selection(teachers, classes == self.run.labels[teachers])
        weight = 1 / torch.bincount(classes, minlength=self.run.n_classes).float()[classes].cpu()
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            chosen = torch.multinomial(
                weight, len(batch.y), replacement=True, generator=self.run.draws
            )
            index = teachers[chosen.to(teachers.device)]
            views = torch.cat([self.run.view(index, "strong"), self.run.view(index, "strong")])
            target = one_hot(self.labels[index], self.run.n_classes).repeat(2, 1)
            x, t = mixup(views, target, self.alpha, self.run.draws, keep_first=True)
            loss = soft_cross_entropy(network(x), t).mean()
            if self.consistency:
                loss = loss + self.consistency * self.disagreement(batch.x, batch.index)
            self.run.step(loss)
            total += loss.detach() * len(batch.y)
        return float(total / self.run.n)

    def relabelled(self, p: Tensor) -> Tensor:
        """Given labels, or the argmax where the probability ``(n, C)`` is high enough."""
        largest, guess = p.max(1)
        return torch.where(largest > self.relabel_above, guess, self.run.labels)

    def selected(self, features: Tensor) -> Tensor:
        """Indices of the samples whose label their neighbours support; all if there are none."""
        k = max(1, min(self.neighbours, self.run.n // (2 * self.run.n_classes)))
        votes = balanced_votes(features, self.labels, k, self.run.n_classes)
        mine = votes.gather(1, self.labels[:, None]).squeeze(1)
        chosen = (mine >= self.select_from * votes.max(1).values).nonzero().squeeze(1)
        return chosen if len(chosen) else torch.arange(self.run.n, device=self.run.device)

    def disagreement(self, weak: Tensor, index: Tensor) -> Tensor:
        """Negative cosine of the predicted strong and the projected weak view, a scalar."""
        strong = self.run.view(index, "strong")
        network = self.networks[0]
        target = self.projector(network.features(weak)).detach()
        found = self.predictor(self.projector(network.features(strong)))
        return -F.cosine_similarity(found, target).mean()

    def label_belief(self) -> Tensor:
        """The labels after relabelling."""
        return one_hot(self.labels, self.run.n_classes)


def _two_layers(inputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, 256), nn.BatchNorm1d(256), nn.ReLU(inplace=True), nn.Linear(256, 128)
    )

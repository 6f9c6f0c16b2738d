"""ProMix: choose as many clean samples as possible, and keep the bias of guessing apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import torch
import torch.nn.functional as F
from torch import nn

from bench.api import Field, Method
from bench.training.recipes.fmix import fmix
from bench.training.recipes.mixing import mixup, one_hot, sharpen, soft_cross_entropy
from bench.training.recipes.phases import ramp, shortened

if TYPE_CHECKING:
    from torch import Tensor

CHOSEN, UNCHOSEN = 0, 1


class ProMix(Method):
    """ProMix: class-wise small losses, then confident matches, then guesses that networks share.

    Section 3 of the paper, with two networks side by side, each with an auxiliary pseudo head.
    Chosen are, a class, the ⌈ρ n / C⌉ samples of smallest loss (CSS); in a batch also those whose
    label's probability exceeds τ (MHCS); in the last epochs also those on which both networks agree
    above τ, with the guess as label, until ``guess_up_to`` of the batch is chosen (LGA). On the
    chosen: ``CE(weak) + w [CE(strong) + mixup + FMix]`` for both heads. The others train the pseudo
    head alone, on sharpened debiased guesses. Logits in losses are shifted by ``+ 0.8 log π`` and
    guesses are ``softmax(z - 0.8 log π)``, π a moving average of predictions (0.9999), one each for
    the chosen and the others. w, ρ (0.2 to 0.6) and the weight of guesses (to 0.1) rise.

    Defaults of the authors' code for CIFAR-10: 600 epochs, of which 10 warm-up, 50 ramp and LGA in
    the last 250, τ 0.99; CIFAR-100: warm-up 30, τ 0.95, debiasing 0.5. Their commands set ρ by the
    noise rate (CIFAR-10: 0.7 at 20 %, else 0.5), which we are not told: the code's own default, the
    range above, serves all. Told nothing; two networks, a weak and a strong view; about 8 forward
    and backward passes a sample. The primary heads of both predict.
    The selection on record is that of CSS and MHCS, whose labels are the given ones.

    Deviations: the common optimiser; epochs of warm-up, ramp and guessing are shares of the run;
    both heads learn from the same mixed batches (the authors mix again for the second head), which
    saves a quarter of the passes. The weight of guesses stays after its rise, where the authors'
    code sets it to zero.
    """

    name = "promix"
    paper = "Xiao et al., ProMix, IJCAI 2023, arXiv 2207.10276"
    family = "semi-supervised"
    uses = frozenset({"two_networks", "strong_augmentation"})
    n_networks = 2
    cost = 8.0
    predicts = "mean logits of both networks"
    paper_params = {  # noqa: RUF012
        "cifar100": {"warmup_epochs": 30, "tau": 0.95, "debias": 0.5}
    }

    warmup_epochs: Annotated[int, Field(ge=1)] = 10
    phase_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    ramp_share: Annotated[float, Field(gt=0, le=1)] = 50 / 600
    guess_share: Annotated[float, Field(ge=0, le=1)] = 250 / 600
    share_first: Annotated[float, Field(gt=0, le=1)] = 0.2
    share_last: Annotated[float, Field(gt=0, le=1)] = 0.6
    tau: Annotated[float, Field(gt=0, le=1)] = 0.99
    guess_up_to: Annotated[float, Field(ge=0, le=1)] = 0.9
    debias: Annotated[float, Field(ge=0)] = 0.8
    bias_decay: Annotated[float, Field(ge=0, le=1)] = 0.9999
    temperature: Annotated[float, Field(gt=0)] = 0.5
    weight_guessed: Annotated[float, Field(ge=0)] = 0.1
    alpha: Annotated[float, Field(gt=0)] = 4.0

    def setup(self) -> None:
        """Pseudo heads, uniform biases, every label its own."""
        self.warmup = shortened(self.warmup_epochs, self.phase_share, self.run.n_epochs)
        self.ramp = max(1.0, self.ramp_share * self.run.n_epochs)
        q, c, device = self.networks[0].head.in_features, self.run.n_classes, self.run.device
        self.pseudo_heads = nn.ModuleList([nn.Linear(q, c) for _ in self.networks]).to(device)
        self.run.also_train(self.pseudo_heads)
        self.bias = torch.full((2, 2, c), 1 / c, device=device)  # network, chosen or not, class
        self.small_loss = torch.ones(2, self.run.n, dtype=torch.bool, device=device)
        self.belief = one_hot(self.run.labels, c)

    def train_epoch(self, epoch: int) -> float:
        """Warm up by cross entropy, or choose and train both networks together."""
        if epoch < self.warmup:
            return self.warm_up(epoch)
        logits = [self.run.predict(network) for network in self.networks]
        rise = ramp(epoch, self.ramp)
        share = self.share_first + (self.share_last - self.share_first) * rise
        self.small_loss = torch.stack([self.smallest(z, share) for z in logits])
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            strong = self.run.view(batch.index, "strong")
            views = [(n.features(batch.x), n.features(strong)) for n in self.networks]
            weak = [n.head(f).detach() for n, (f, _) in zip(self.networks, views, strict=True)]
            chosen, labels = self.choose(epoch, batch.index, batch.y, weak)
            loss = torch.zeros((), device=self.run.device)
            for which in (0, 1):
                targets = one_hot(labels[which], self.run.n_classes)
                inputs = (batch.x, chosen[which], targets)
                loss = loss + self.objective(which, epoch, inputs, views[which], weak[which])
            self.run.step(loss)
            p = torch.stack(weak).softmax(2).mean(0)
            hot = torch.stack([one_hot(found, self.run.n_classes) for found in labels]).mean(0)
            sure = torch.stack(chosen).float().mean(0)[:, None]
            self.belief[batch.index] = sure * hot + (1 - sure) * p
            total += loss.detach() * len(batch.y)
        return float(total / self.run.n)

    def warm_up(self, epoch: int) -> float:
        """Cross entropy of both networks' primary heads."""
        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            loss = sum(F.cross_entropy(network(batch.x), batch.y) for network in self.networks)
            self.run.step(loss)
            total += loss.detach() * len(batch.y)
        return float(total / self.run.n)

    def smallest(self, logits: Tensor, share: float) -> Tensor:
        """CSS: which samples ``(n,)`` have the smallest losses of their class."""
        losses = F.cross_entropy(logits, self.run.labels, reduction="none")
        count = -int(-share * self.run.n // self.run.n_classes)
        order = losses.argsort()
        hot = one_hot(self.run.labels[order], self.run.n_classes)
        chosen = torch.zeros_like(self.run.labels, dtype=torch.bool)
        chosen[order] = (hot.cumsum(0) * hot).sum(1) <= max(1, count)
        return chosen

    def choose(
        self, epoch: int, index: Tensor, given: Tensor, logits: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """For each network which samples of a batch are chosen ``(b,)``, and with which label."""
        p = [z.softmax(1) for z in logits]
        match = p[0].argmax(1) == p[1].argmax(1)
        sure = (p[0].max(1).values > self.tau) & (p[1].max(1).values > self.tau) & match
        guessing = epoch >= self.run.n_epochs - self.guess_share * self.run.n_epochs
        chosen, labels = [], []
        for which in (0, 1):
            mine = p[which].gather(1, given[:, None]).squeeze(1)
            kept = self.small_loss[which, index] | (mine > self.tau)
            if which == 0:
                self.run.report_selection(index, kept)
            guess = (logits[which] - self.debias * self.bias[which, CHOSEN].log()).argmax(1)
            labels.append(torch.where(kept, given, guess))
            if guessing:
                room = int(self.guess_up_to * len(given)) - kept.sum()
                score = torch.where(sure & ~kept, (p[0] + p[1]).max(1).values, -1.0)
                place = score.argsort(descending=True).argsort()
                kept = kept | ((score > 0) & (place < room))
            chosen.append(kept)
        return chosen, labels

    def objective(
        self,
        which: int,
        epoch: int,
        inputs: tuple[Tensor, Tensor, Tensor],
        views: tuple[Tensor, Tensor],
        weak: Tensor,
    ) -> Tensor:
        """The loss of one network's two heads on a batch, a scalar; moves its biases."""
        x, chosen, targets = inputs
        network, pseudo = self.networks[which], self.pseudo_heads[which]
        w = ramp(epoch, self.ramp)
        shift = self.debias * self.bias[which].log()
        guess = sharpen((weak - shift[UNCHOSEN]).softmax(1), self.temperature)
        loss = x.new_zeros(())
        yes, no = chosen.nonzero().squeeze(1), (~chosen).nonzero().squeeze(1)
        if len(yes) > 1:
            mixed = mixup(x[yes], targets[yes], self.alpha, self.run.draws, keep_first=True)
            masked = fmix(x[yes], targets[yes], self.run.draws)
            features = network.features(torch.cat([mixed[0], masked[0]]))
            for head in (network.head, pseudo):
                plain, strong = (head(view[yes]) + shift[CHOSEN] for view in views)
                by_mixup, by_mask = (head(features) + shift[CHOSEN]).chunk(2)
                rest = (
                    soft_cross_entropy(strong, targets[yes])
                    + soft_cross_entropy(by_mixup, mixed[1])
                    + soft_cross_entropy(by_mask, masked[1])
                )
                loss = loss + (soft_cross_entropy(plain, targets[yes]) + w * rest).mean()
        weight = self.weight_guessed * ramp(epoch, 2 * self.ramp)
        if len(no):
            plain, strong = (pseudo(view[no]) + shift[UNCHOSEN] for view in views)
            both = soft_cross_entropy(plain, guess[no]) + w * soft_cross_entropy(strong, guess[no])
            loss = loss + weight * both.mean()
        p = weak.softmax(1)
        for group, rows in ((CHOSEN, yes), (UNCHOSEN, no)):
            if len(rows):
                self.bias[which, group].lerp_(p[rows].mean(0), 1 - self.bias_decay)
        return loss

    def label_belief(self) -> Tensor:
        """Labels of the chosen, predictions for the others."""
        return self.belief

"""A method that uses all that a method may use is not held up by the kit."""

from __future__ import annotations

from collections.abc import Callable

from bench.conformance.result import Check

TEXT = '''"""Averaged twins, learned offsets, a mixture model, boolean masks, mixed inputs."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.mixture import GaussianMixture

from bench.api import Method


class Demanding(Method):
    """A bit of everything that published methods do."""

    name = "demanding"
    paper = "none"
    knows = frozenset({"noise_rate", "transition_matrix"})
    uses = frozenset({"two_networks"})
    n_networks = 2
    cost = 2.0
    predicts = "the mean logits of both averaged networks"

    def setup(self):
        twins = [copy.deepcopy(network) for network in self.networks]
        self.teachers = torch.nn.ModuleList(twins).requires_grad_(False)
        device = self.run.device
        self.offset = torch.zeros(self.run.n, 1, device=device, requires_grad=True)
        self.own = torch.optim.SGD([self.offset], lr=1.0, momentum=0.9)
        self.trusted = torch.ones(self.run.n, device=device, dtype=torch.bool)

    def train_epoch(self, epoch):
        draws, rng, total = self.run.generator("mix", epoch), np.random.default_rng(epoch), 0.0
        for batch in self.run.batches(epoch):
            other = torch.randperm(len(batch.x), generator=draws).to(self.run.device)
            share = 1 - rng.beta(1, 1) / 2
            x = share * batch.x + (1 - share) * batch.x[other]
            loss = self.offset.sum() * 0
            for network in self.networks:
                shift = F.one_hot(batch.y, self.run.n_classes) * self.offset[batch.index]
                logits = network(x) + shift
                losses = share * F.cross_entropy(logits, batch.y, reduction="none")
                losses = losses + (1 - share) * F.cross_entropy(
                    logits, batch.y[other], reduction="none"
                )
                kept = self.trusted[batch.index]
                loss = loss + (losses[kept] if bool(kept.any()) else losses * 0).mean()
            self.own.zero_grad()
            self.run.step(loss)
            self.own.step()
            total += loss.item() * len(batch.y)
            self.average()
        return total / self.run.n

    @torch.no_grad()
    def average(self):
        for teacher, network in zip(self.teachers, self.networks, strict=True):
            pairs = zip(teacher.state_dict().values(), network.state_dict().values(), strict=True)
            for mean, new in pairs:
                mean.copy_(0.8 * mean + 0.2 * new if mean.is_floating_point() else new)

    def on_epoch_end(self, epoch):
        logits = self.run.predict(self.teachers[0])
        losses = F.cross_entropy(logits, self.run.labels, reduction="none")
        values = losses.cpu().numpy()[:, None]
        mixture = GaussianMixture(2, random_state=0).fit(values)
        low = mixture.predict_proba(values)[:, mixture.means_.argmin()]
        self.trusted = torch.from_numpy(low > 0.5).to(self.run.device)

    def predictors(self):
        return list(self.teachers)

    def label_belief(self):
        guess = self.run.predict(self.teachers[1]).softmax(1)
        return torch.where(self.trusted[:, None], super().label_belief(), guess)
'''


def test_demanding_method_passes_everything(examine: Callable[[str], list[Check]]) -> None:
    checks = examine(TEXT)
    assert [check for check in checks if check.skipped or not check.ok] == []

"""How the repositories of the field train: the loops that ours is measured against.

Written anew after the authors' code, step for step, with our networks in the place of theirs: a
``DataLoader`` with worker processes, PIL images and torchvision's transforms (crop with padding 4,
flip, to tensor, normalise), float32 in NCHW, and what is read from the device in every step.

- ``cross_entropy``: the warm-up of LiJunnan1992/DivideMix, ``Train_CIFAR.py`` (five workers, the
  loss printed in every step).
- ``elr``: shengliu66/ELR, ``ELR/trainer/trainer.py``, ``model/loss.py`` and ``model/metric.py``
  (eight workers; the loss is read three times and two metrics six times a step).
- ``co_teaching``: bhanML/Co-teaching, ``main.py`` and ``loss.py`` (four workers; losses are sorted
  by NumPy). Its transform is ``ToTensor`` alone; here it crops and flips as ours does.
- ``dividemix``: LiJunnan1992/DivideMix, ``Train_CIFAR.py`` and ``dataloader_cifar.py``.

To their favour: no more workers than cores; workers live on and their queues are full when the
clock starts; pinned memory on a GPU; no progress bars, image grids or TensorBoard; no data set
rebuilt in every epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import cycle, islice

import numpy as np
import torch
from PIL import Image
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler
from torchvision import transforms

from bench.api import Split

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
TO_TENSOR = (transforms.ToTensor(), transforms.Normalize(MEAN, STD))
TRAIN = transforms.Compose(
    [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *TO_TENSOR]
)
PLAIN = transforms.Compose(TO_TENSOR)
WORKERS = {"ce": 5, "elr": 8, "co-teaching": 4, "dividemix": 5}
"""Of the authors' code; never more than there are cores."""
MANY = 10**7


class PilImages(Dataset[tuple[object, ...]]):
    """Images one by one, through PIL: one view, its label and position, or two views."""

    def __init__(self, data: Split, transform: Callable[..., Tensor], views: int = 1) -> None:
        self._images, self._labels = data.inputs, data.labels
        self._transform, self._views = transform, views

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[object, ...]:
        image = Image.fromarray(self._images[index])
        views = [self._transform(image) for _ in range(self._views)]
        return (*views, self._labels[index], index)


class InOrder(Sampler[int]):
    """All positions in order, over and over."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __iter__(self) -> Iterator[int]:
        return cycle(range(self._n))


class FieldLoop:
    """One of the loops, ready to make steps; its workers end with it.

    Args:
        method: ``ce``, ``elr``, ``co-teaching`` or ``dividemix``.
        networks: trained, one or two, float32.
        data: images and given labels.
        batch_size: of a step.
        device: of the networks.
    """

    def __init__(
        self,
        method: str,
        networks: list[nn.Module],
        data: Split,
        batch_size: int,
        device: torch.device,
    ) -> None:
        self.networks = [n.to(memory_format=torch.contiguous_format).train() for n in networks]
        self.device = device
        self.data = data
        self.batch_size = batch_size
        self.workers = min(WORKERS[method], len(os.sched_getaffinity(0)))
        self.optimisers = [
            torch.optim.SGD(n.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
            for n in networks
        ]
        self.screen = open(os.devnull, "w")  # noqa: SIM115 - open for as long as the loop is
        self.targets = torch.zeros(len(data.labels), 10, device=device)
        self.noise_or_not = np.random.default_rng(0).random(len(data.labels)) < 0.5
        self._run = LOOPS[method]
        self._streams: dict[str, Iterator[list[Tensor]]] = {}

    def __call__(self) -> None:
        """One pass over as many images as there are."""
        self._run(self)

    def stream(self, name: str, images: Dataset[tuple[object, ...]], ordered: bool = False) -> None:
        """Start the workers of a loader that goes on for ever, and wait for its first batch."""
        n = len(images)  # type: ignore[arg-type]
        sampler = InOrder(n) if ordered else RandomSampler(images, True, num_samples=MANY)  # type: ignore[arg-type]
        loader = DataLoader(
            images,
            self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )
        self._streams[name] = iter(loader)
        next(self._streams[name])

    def batches(
        self,
        name: str,
        images: Callable[[], Dataset[tuple[object, ...]]],
        n_steps: int,
        ordered: bool = False,
    ) -> Iterator[list[Tensor]]:
        """Batches of a stream, which begins when it is first asked for."""
        if name not in self._streams:
            self.stream(name, images(), ordered)
        return islice(self._streams[name], n_steps)

    @property
    def n_steps(self) -> int:
        """Batches of a pass over everything."""
        return len(self.data.labels) // self.batch_size

    def say(self, text: str) -> None:
        """Write to a screen that nobody watches."""
        self.screen.write("\r" + text)
        self.screen.flush()

    def training_batches(self) -> Iterator[list[Tensor]]:
        """A pass over everything, augmented."""
        return self.batches("train", lambda: PilImages(self.data, TRAIN), self.n_steps)


def cross_entropy(loop: FieldLoop) -> None:
    """Cross entropy, the loss printed in every step."""
    (network,), (optimiser,) = loop.networks, loop.optimisers
    for step, (inputs, labels, _) in enumerate(loop.training_batches()):
        inputs, labels = inputs.to(loop.device), labels.to(loop.device)
        optimiser.zero_grad()
        loss = F.cross_entropy(network(inputs), labels)
        loss.backward()
        optimiser.step()
        loop.say(f"Iter[{step + 1:3d}/{loop.n_steps:3d}]\t CE-loss: {loss.item():.4f}")


def elr(loop: FieldLoop) -> None:
    """Early-learning regularisation, with two metrics in every step."""
    (network,), (optimiser,) = loop.networks, loop.optimisers
    beta, weight, total, metrics, seen = 0.7, 3.0, 0.0, np.zeros(2), []
    for inputs, given, index in loop.training_batches():
        inputs, labels = inputs.to(loop.device), given.long().to(loop.device)
        output = network(inputs)
        rows = index.cpu().detach().numpy().tolist()
        p = torch.clamp(F.softmax(output, dim=1), 1e-4, 1.0 - 1e-4)
        fixed = p.data.detach()
        fresh = fixed / fixed.sum(dim=1, keepdim=True)
        loop.targets[rows] = beta * loop.targets[rows] + (1 - beta) * fresh
        regulariser = (1 - (loop.targets[rows] * p).sum(dim=1)).log().mean()
        loss = F.cross_entropy(output, labels) + weight * regulariser
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loop.say(f"{loss.item()}")
        seen.append(loss.item())
        total += loss.item()
        with torch.no_grad():
            best = torch.argmax(output, dim=1)
            metrics[0] += torch.sum(best == labels).item() / len(labels)
            five = torch.topk(output, 5, dim=1)[1]
            hits = sum(torch.sum(five[:, place] == labels).item() for place in range(5))
            metrics[1] += hits / len(labels)


def precision_at(logits: Tensor, labels: Tensor, ranks: tuple[int, ...]) -> list[Tensor]:
    """Per cent of labels among the first so many."""
    _, guessed = F.softmax(logits, dim=1).topk(max(ranks), 1, True, True)
    hits = guessed.t().eq(labels.view(1, -1).expand(max(ranks), -1))
    return [hits[:k].reshape(-1).float().sum(0, keepdim=True) * (100 / len(labels)) for k in ranks]


def co_teaching(loop: FieldLoop) -> None:
    """Two networks that choose each other's samples with small losses."""
    one, other = loop.networks
    first, second = loop.optimisers
    correct: list[Tensor] = [torch.zeros(1, device=loop.device) for _ in range(2)]
    pure: list[list[float]] = [[], []]
    for inputs, given, index in loop.training_batches():
        positions = index.cpu().numpy().transpose()
        inputs, labels = inputs.to(loop.device), given.to(loop.device)
        logits = [one(inputs)]
        correct[0] = correct[0] + precision_at(logits[0], labels, (1, 5))[0]
        logits.append(other(inputs))
        correct[1] = correct[1] + precision_at(logits[1], labels, (1, 5))[0]
        order = [
            np.argsort(F.cross_entropy(z, labels, reduction="none").data.cpu().numpy())
            for z in logits
        ]
        kept = int(0.5 * len(labels))
        for which in range(2):
            share = np.sum(loop.noise_or_not[positions[order[which][:kept]]]) / float(kept)
            pure[which].append(100 * share)
        chosen = [torch.from_numpy(rows[:kept]).to(loop.device) for rows in order]
        losses = [
            F.cross_entropy(logits[which][chosen[1 - which]], labels[chosen[1 - which]])
            for which in range(2)
        ]
        for loss, optimiser in zip(losses, (first, second), strict=True):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    float(correct[0])
    float(correct[1])


def dividemix(loop: FieldLoop) -> None:
    """One epoch: losses of everything, two mixtures, and MixMatch for each network."""
    for network in loop.networks:
        losses_and_mixture(loop, network)
    matched(loop, 0)
    matched(loop, 1)


def losses_and_mixture(loop: FieldLoop, network: nn.Module) -> np.ndarray[tuple[int], np.dtype]:
    """Losses written one by one, and the probability of each to be clean."""
    network.eval()
    losses = torch.zeros(len(loop.data.labels))
    with torch.no_grad():
        plain = loop.batches("plain", lambda: PilImages(loop.data, PLAIN), loop.n_steps, True)
        for inputs, given, index in plain:
            inputs, labels = inputs.to(loop.device), given.to(loop.device)
            loss = F.cross_entropy(network(inputs), labels, reduction="none")
            for b in range(inputs.size(0)):
                losses[index[b]] = loss[b]
    losses = ((losses - losses.min()) / (losses.max() - losses.min())).reshape(-1, 1)
    mixture = GaussianMixture(n_components=2, max_iter=10, tol=1e-2, reg_covar=5e-4)
    mixture.fit(losses)
    return mixture.predict_proba(losses)[:, mixture.means_.argmin()]


def matched(loop: FieldLoop, which: int) -> None:
    """MixMatch over one half as labelled and the other as unlabelled images."""
    network, peer, optimiser = (
        loop.networks[which],
        loop.networks[1 - which],
        loop.optimisers[which],
    )
    network.train()
    peer.eval()
    half, device, temperature = len(loop.data.labels) // 2, loop.device, 0.5
    parts = [
        Split(loop.data.inputs[rows], loop.data.labels[rows], loop.data.index[rows])
        for rows in (slice(0, half), slice(half, None))
    ]
    n_steps = half // loop.batch_size
    labelled = loop.batches("labelled", lambda: PilImages(parts[0], TRAIN, 2), n_steps)
    unlabelled = loop.batches("unlabelled", lambda: PilImages(parts[1], TRAIN, 2), n_steps)
    for step, (x1, x2, given, _) in enumerate(labelled):
        u1, u2, _, _ = next(unlabelled)
        b = x1.size(0)
        labels = torch.zeros(b, 10).scatter_(1, given.view(-1, 1), 1)
        clean = torch.full((b, 1), 0.9)
        x1, x2, labels, clean = (v.to(device) for v in (x1, x2, labels, clean))
        u1, u2 = u1.to(device), u2.to(device)
        with torch.no_grad():
            guesses = [torch.softmax(net(u), dim=1) for net in (network, peer) for u in (u1, u2)]
            powered = (sum(guesses) / 4) ** (1 / temperature)
            targets_u = (powered / powered.sum(dim=1, keepdim=True)).detach()
            guess = (torch.softmax(network(x1), dim=1) + torch.softmax(network(x2), dim=1)) / 2
            powered = (clean * labels + (1 - clean) * guess) ** (1 / temperature)
            targets_x = (powered / powered.sum(dim=1, keepdim=True)).detach()
        share = np.random.beta(4, 4)  # noqa: NPY002 - as the authors draw it
        share = max(share, 1 - share)
        inputs = torch.cat([x1, x2, u1, u2], dim=0)
        targets = torch.cat([targets_x, targets_x, targets_u, targets_u], dim=0)
        order = torch.randperm(inputs.size(0))
        mixed = share * inputs + (1 - share) * inputs[order]
        wanted = share * targets + (1 - share) * targets[order]
        logits = network(mixed)
        on_labelled = -torch.mean(
            torch.sum(F.log_softmax(logits[: 2 * b], dim=1) * wanted[: 2 * b], dim=1)
        )
        on_unlabelled = torch.mean((torch.softmax(logits[2 * b :], dim=1) - wanted[2 * b :]) ** 2)
        prior = (torch.ones(10) / 10).to(device)
        penalty = torch.sum(prior * torch.log(prior / torch.softmax(logits, dim=1).mean(0)))
        loss = on_labelled + 25 * on_unlabelled + penalty
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loop.say(f"Iter[{step + 1:3d}] {on_labelled.item():.2f} {on_unlabelled.item():.2f}")


LOOPS = {"ce": cross_entropy, "elr": elr, "co-teaching": co_teaching, "dividemix": dividemix}

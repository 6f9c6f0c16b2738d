"""What a method can reach during its training, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.api import KNOWLEDGE, Batch
from bench.errors import KnowledgeError
from bench.identity import axis_seed
from bench.protocol import Protocol
from bench.training.batches import (
    Augmenter,
    Draws,
    Normaliser,
    in_groups,
    index_batches,
    order,
    to_device,
)
from bench.training.network import ClassifierNetwork
from bench.training.optimise import Trainer
from bench.training.selected import Selected
from bench.training.sources import Inputs, Resident

if TYPE_CHECKING:
    from bench.api import Network
    from bench.training.views import StrongViews


class Known:
    """What a method declared in ``knows``; asking for anything else raises ``KnowledgeError``.

    Values are made by the harness only for what was declared: the rest is not hidden, it is absent.
    """

    def __init__(self, method: str, values: dict[str, Any]) -> None:
        self._method = method
        self._values = values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        if name in KNOWLEDGE:
            raise KnowledgeError(
                f"method {self._method!r} asked for {name} ({KNOWLEDGE[name]}) without declaring "
                f"it; add it to the class: knows = frozenset({{{name!r}}})"
            )
        raise KnowledgeError(
            f"method {self._method!r} asked for {name!r}, which no method is told; "
            f"what can be declared: {', '.join(KNOWLEDGE)}"
        )


class RunContext:
    """One training as its method sees it; implements ``bench.api.Run``."""

    def __init__(
        self,
        *,
        inputs: Inputs,
        labels: Tensor,
        candidates: Tensor,
        n_classes: int,
        protocol: Protocol,
        normaliser: Normaliser,
        known: Known,
        seed: int,
        fingerprint: str,
        new_network: Callable[..., ClassifierNetwork],
    ) -> None:
        self.n = len(labels)
        self.n_classes = n_classes
        self.n_epochs = protocol.epochs
        self.batch_size = protocol.batch_size
        self.device = labels.device
        self.labels = labels
        self.candidates = candidates
        self.known = known
        self.samples = 0
        self.draws = torch.Generator()
        self.extra_modules: list[nn.Module] = []
        self.selected = Selected(self.n, self.device)
        self._inputs = inputs
        self._protocol = protocol
        self._augment = Augmenter(protocol.augmentation, normaliser.mean)
        self._normalise = normaliser
        self._axes = (fingerprint, seed)
        self._new_network = new_network
        self._networks: tuple[ClassifierNetwork, ...] = ()
        self._trainer: Trainer | None = None
        self.begin_epoch(-1)

    def attach(self, networks: tuple[ClassifierNetwork, ...], trainer: Trainer) -> None:
        """Give the run its networks and what trains them."""
        self._networks = networks
        self._trainer = trainer

    def begin_epoch(self, epoch: int) -> None:
        """Start the epoch's own stream of draws and its selection; -1 is ``setup``."""
        self.selected.forget()
        self.draws.manual_seed(axis_seed("draws", *self._axes, epoch))
        if "_strong" in vars(self):
            self._strong.forget()

    @cached_property
    def _strong(self) -> StrongViews:
        # torchvision takes seconds to import, and few methods ask for strong views.
        from bench.training.views import StrongViews

        return StrongViews(self._inputs, self._augment)

    @property
    def trainer(self) -> Trainer:
        """What trains the networks; raises before training started."""
        if self._trainer is None:
            raise RuntimeError("no training step before training started; do it in train_epoch()")
        return self._trainer

    # ------------------------------------------------------------------------------- samples

    def batches(self, epoch: int, repeat: int = 0) -> Iterator[Batch]:
        """The training set once, shuffled and augmented.

        The order depends on data set, seed, epoch and ``repeat`` alone, so it is the same for every
        method; a method that makes several passes in an epoch numbers them with ``repeat``.
        """
        draws = torch.Generator().manual_seed(axis_seed("augment", *self._axes, epoch, repeat))
        shuffle = axis_seed("order", *self._axes, epoch, repeat)
        batches = index_batches(order(self.n, shuffle), self.batch_size)
        groups = list(in_groups(batches, self._inputs))
        for group, rows in zip(groups, self._inputs.ahead(map(torch.cat, groups)), strict=True):
            sizes = [len(index) for index in group]
            shape = self._inputs.shape[1:]
            chance = Draws.joined([self._augment.draw(n, shape, draws) for n in sizes])
            x = self._normalise(self._augment.apply(self._inputs[rows], chance))
            for part, index in zip(torch.split(x, sizes), torch.split(rows, sizes), strict=True):
                self.samples += len(index)
                yield Batch(part, self.labels[index], index)

    def shuffled(
        self, rows: Tensor, size: int | None = None, *, forever: bool = False
    ) -> Iterator[Tensor]:
        """Index batches over some training samples, in an order drawn from ``draws``."""
        if len(rows) == 0:
            raise ValueError("shuffled() of no samples; decide first what an empty set means")
        while True:
            chosen = to_device(torch.randperm(len(rows), generator=self.draws), rows.device)
            batches = index_batches(chosen, size or self.batch_size)
            yield from self._inputs.ahead(rows[part] for part in batches)
            if not forever:
                return

    def view(self, index: Tensor, kind: str = "weak") -> Tensor:
        """A fresh normalised view of training samples, drawn from ``draws``."""
        self.samples += len(index)
        if kind == "plain":
            return self._normalise(self._inputs[index])
        if kind == "weak":
            return self._normalise(self._augment(self._inputs[index], self.draws))
        if kind == "strong":
            return self._normalise(self._strong.take(index, self.draws))
        raise ValueError(f"unknown view {kind!r}; there are plain, weak and strong")

    def raw(self, x: Tensor) -> Tensor:
        """Inputs as the data set has them, from normalised ones; to rounding."""
        return x * self._normalise.std + self._normalise.mean

    def generator(self, *parts: int | str) -> torch.Generator:
        """A seeded CPU generator for a method's own draws; equal parts, equal draws."""
        return torch.Generator().manual_seed(axis_seed("method", *self._axes, *parts))

    def predict(self, network: Network) -> Tensor:
        """Logits ``(n, C)`` of the un-augmented training set, in evaluation mode."""
        return self.map(network)

    def map(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """``function`` over the un-augmented training set, networks in evaluation mode."""
        owner = getattr(function, "__self__", function)
        with evaluating(owner, *self._networks):
            return self.in_blocks(self._inputs, function)

    def in_blocks(self, inputs: Inputs | Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """``function`` over normalised inputs in large blocks; networks in evaluation mode."""
        modules = [function] if isinstance(function, torch.nn.Module) else []
        source = Resident(inputs) if isinstance(inputs, Tensor) else inputs
        with evaluating(*modules):
            blocks = [function(self._normalise(block)) for block in source.blocks(EVALUATION_BATCH)]
        return torch.cat(blocks)

    # ------------------------------------------------------------------------------ training

    def step(self, loss: Tensor) -> None:
        """Zero the gradients, back-propagate, clip, and take an optimiser step."""
        self.trainer.step(loss)

    def report_selection(self, index: Tensor, kept: Tensor | None = None) -> None:
        """Note which training samples this epoch learns from as rightly labelled."""
        self.selected.add(index, kept)

    def also_train(self, module: nn.Module) -> None:
        """Let the networks' optimiser train a module of the method's; call in ``setup``."""
        if self._trainer is not None:
            raise RuntimeError("also_train() belongs into setup(): training has started")
        self.extra_modules.append(module)

    def reschedule(self, epochs: int, *, constant: bool = False) -> None:
        """Begin the learning-rate schedule anew over the next ``epochs`` epochs."""
        self.trainer.reschedule(epochs, constant=constant)

    def reinitialise(self, *parts: int | str) -> None:
        """Give the networks fresh weights and forget the optimiser's momentum."""
        for position, network in enumerate(self._networks):
            network.load_state_dict(self._new_network(*parts, position).state_dict())
        self.trainer.forget()

    def new_network(self, *parts: int | str) -> ClassifierNetwork:
        """One more network of the protocol's backbone; equal parts, equal weights."""
        return self._new_network(*parts)

    def fit(self, network: ClassifierNetwork, rows: Tensor, epochs: int) -> None:
        """Train a network on the given labels of some samples: cross entropy, the protocol's way.

        For auxiliary networks, such as an estimator of the transition matrix. Order and views come
        from ``draws``.
        """
        trainer = Trainer(self._protocol, [network], epochs)
        was_training = network.training
        network.train()
        for _ in range(epochs):
            for index in self.shuffled(rows):
                loss = F.cross_entropy(network(self.view(index)), self.labels[index])
                trainer.step(loss)
            trainer.end_epoch()
        network.train(was_training)


EVALUATION_BATCH = 1024


@contextmanager
def evaluating(*networks: object) -> Iterator[None]:
    """Evaluation mode without gradients; training modes are restored afterwards."""
    modules = [network for network in networks if isinstance(network, torch.nn.Module)]
    modes = [module.training for module in modules]
    for module in modules:
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.train(mode)

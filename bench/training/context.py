"""What a method can reach during its training, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bench.api import KNOWLEDGE, Batch
from bench.errors import KnowledgeError
from bench.identity import axis_seed
from bench.training.batches import Augmenter, Normaliser, index_batches

if TYPE_CHECKING:
    from bench.api import Network


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
        inputs: Tensor,
        labels: Tensor,
        n_classes: int,
        n_epochs: int,
        batch_size: int,
        augmentation: tuple[str, ...],
        normaliser: Normaliser,
        known: Known,
        seed: int,
        fingerprint: str,
        gradient_clip: float | None,
    ) -> None:
        self.n = len(labels)
        self.n_classes = n_classes
        self.n_epochs = n_epochs
        self.device = labels.device
        self.labels = labels
        self.known = known
        self.samples = 0
        self._inputs = inputs
        self._batch_size = batch_size
        self._augment = Augmenter(augmentation)
        self._normalise = normaliser
        self._axes = (fingerprint, seed)
        self._gradient_clip = gradient_clip
        self._optimiser: torch.optim.Optimizer | None = None

    def attach(self, optimiser: torch.optim.Optimizer) -> None:
        """Give the run the optimiser of all its networks."""
        self._optimiser = optimiser

    def batches(self, epoch: int, repeat: int = 0) -> Iterator[Batch]:
        """The training set once, shuffled and augmented.

        The order depends on data set, seed, epoch and ``repeat`` alone, so it is the same for every
        method; a method that makes several passes in an epoch numbers them with ``repeat``.
        """
        draws = torch.Generator().manual_seed(axis_seed("augment", *self._axes, epoch, repeat))
        shuffle = axis_seed("order", *self._axes, epoch, repeat)
        for index in index_batches(self.n, self._batch_size, shuffle):
            index = index.to(self.device)
            x = self._normalise(self._augment(self._inputs[index], draws))
            self.samples += len(index)
            yield Batch(x, self.labels[index], index)

    def step(self, loss: Tensor) -> None:
        """Zero the gradients, back-propagate, clip, and take an optimiser step."""
        if self._optimiser is None:
            raise RuntimeError("step() before training started")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._gradient_clip is not None:
            parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self._gradient_clip)
        self._optimiser.step()

    def generator(self, *parts: int | str) -> torch.Generator:
        """A seeded CPU generator for a method's own draws; equal parts, equal draws."""
        return torch.Generator().manual_seed(axis_seed("method", *self._axes, *parts))

    def predict(self, network: Network) -> Tensor:
        """Logits ``(n, C)`` of the un-augmented training set, in evaluation mode."""
        return self.in_blocks(self._inputs, network)

    def in_blocks(self, inputs: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """``function`` over normalised inputs in large blocks; networks in evaluation mode."""
        modules = [function] if isinstance(function, torch.nn.Module) else []
        with evaluating(*modules):
            blocks = [
                function(self._normalise(block)) for block in torch.split(inputs, EVALUATION_BATCH)
            ]
        return torch.cat(blocks)


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

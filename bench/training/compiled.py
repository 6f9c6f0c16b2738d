"""A network's body by ``torch.compile``, for the batch sizes that come again and again.

Compiled code rounds otherwise, and what comes again is counted anew when a training is resumed: it
then equals the uninterrupted one to within rounding, not to the bit as without compilation.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import Parameter

log = logging.getLogger(__name__)

SETTLED = 10
"""Calls with a batch size before it is compiled for."""
SHARE = 1 / 8
"""Of the calls, that a batch size must have: the last, smaller batch of an epoch has less."""
SIZES = 4
"""Batch sizes, in training or evaluation, with or without gradients, that one body is compiled
for; what comes after them runs as it is. torch keeps eight of a code, for two networks."""
AUTO_STEPS = 10_000
"""Steps of a training from which ``auto`` compiles on CUDA. Compiling takes about a minute."""


def pays(wanted: str, device: torch.device, n_steps: int) -> bool:
    """Whether to compile: what ``compile`` of a protocol means for a training of ``n_steps``.

    ``auto`` never compiles on a CPU, where it was no quicker (``benchmarks/compiled_network.py``).
    """
    return WANTED[wanted](device, n_steps)


def _expected(device: torch.device, n_steps: int) -> bool:
    return device.type == "cuda" and n_steps >= AUTO_STEPS


WANTED: dict[str, Callable[[torch.device, int], bool]] = {
    "off": lambda device, n_steps: False,
    "auto": _expected,
    "on": lambda device, n_steps: True,
}
"""By the names in ``bench.protocol.Protocol.compile``."""


def start_afresh() -> None:
    """Forget what this process compiled for earlier networks; torch keeps a few shapes of a code.

    Past its limit it would run everything as it is, and say so once.
    """
    torch.compiler.reset()


def has_its_own(body: nn.Module, buffers: Sequence[Tensor]) -> bool:
    """Whether parameters and buffers are the body's, and not lent for the moment.

    ``torch.func.functional_call`` lends a body other ones, for gradients of gradients.
    """
    own = all(a is b for a, b in zip(body.buffers(), buffers, strict=True))
    return own and all(isinstance(p, Parameter) for p in body.parameters())


class Size(NamedTuple):
    """What a body is compiled for."""

    n: int
    training: bool
    gradients: bool


class CompiledBody:
    """Calls a body, compiled where that is worth it; the body itself stays as it is.

    On CUDA the compiled steps are captured as graphs (``triton.cudagraphs``). Where compilation
    fails the reason is logged and the body runs as it is. A call with other parameters or buffers
    than the body's own (``torch.func.functional_call``, for gradients of gradients) does too, since
    compiled code has no second derivative.

    Args:
        body: on its device. Its state dict does not change.

    Attributes:
        sizes: what it was compiled for.
    """

    def __init__(self, body: nn.Module) -> None:
        device = next(body.parameters()).device
        if not any(True for _ in body.buffers()):  # so that there is one to tell strangers by
            body.register_buffer("own", torch.zeros(0, device=device), persistent=False)
        self._body = body
        self._buffers = list(body.buffers())
        self._calls: Counter[Size] = Counter()
        self.sizes: set[Size] = set()
        self._failed = False
        options: dict[str, Any] = {"fallback_random": True, "compile_threads": 1}
        if device.type == "cuda":
            options["triton.cudagraphs"] = True
        self._compiled = torch.compile(body, dynamic=False, options=options)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledBody:
        return CompiledBody(copy.deepcopy(self._body, memo))

    def __call__(self, x: Tensor) -> Tensor:
        """Features of a batch, as the body gives them to within rounding."""
        size = Size(len(x), self._body.training, torch.is_grad_enabled())
        self._calls[size] += 1
        if self._failed or not has_its_own(self._body, self._buffers):
            return self._as_it_is(x)
        if size in self.sizes:
            return self._kept(self._compiled(x))
        if len(self.sizes) >= SIZES or not self._worth(size):
            return self._as_it_is(x)
        self.sizes.add(size)
        try:
            return self._kept(self._compiled(x))
        except Exception as error:  # compilers fail in many ways
            self._failed = True
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            log.warning("the network runs as it is, for it could not be compiled: %s", reason)
            return self._as_it_is(x)

    def _worth(self, size: Size) -> bool:
        """Whether a batch size comes often enough to compile for it."""
        alike = sum(n for other, n in self._calls.items() if other[1:] == size[1:])
        return self._calls[size] >= SETTLED and self._calls[size] >= SHARE * alike

    def _as_it_is(self, x: Tensor) -> Tensor:
        found: Tensor = self._body(x)
        return found

    def _kept(self, found: Tensor) -> Tensor:
        """A captured graph writes its next result to where this one lies."""
        return found.clone() if found.device.type == "cuda" else found

"""A network's body as captured CUDA graphs: the same kernels, started by one call.

Starting some hundred kernels a step takes a processor longer than a GPU needs to run them. A graph
holds the kernels of a whole forward or backward pass of one batch size. It is the very kernels that
the body calls, so that results are the same to the bit: a capture is compared with the body before
it is used, and where a bit differs the body goes on as it is. So are calls that a capture was not
made for.

Source: CUDA graphs in PyTorch, https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call
from torch.nn import Parameter

from bench.training.compiled import has_its_own

log = logging.getLogger(__name__)

SETTLED = 16
"""Calls of a kind before it is captured; a capture takes a fraction of a second."""
CAPTURES = 6
"""Of one body at most: each holds its activations for good."""
WARM_UP = 3
"""Passes before a capture, as torch's documentation asks for: libraries choose and allocate."""


class Kind(NamedTuple):
    """What a capture is made for."""

    shape: torch.Size
    dtype: torch.dtype
    training: bool
    gradients: bool


class Capture(Protocol):
    """A body's passes over inputs of one kind. What it gives lies where its next result will."""

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch."""

    def backward(self, gradient: Tensor) -> list[Tensor]:
        """Gradients of ``parameters`` after the latest ``forward``."""


class Slot:
    """A capture, and whether somebody still needs the activations of its latest pass."""

    def __init__(self, capture: Capture, parameters: Sequence[Parameter]) -> None:
        self.capture = capture
        self.parameters = tuple(parameters)
        self.is_free = True


class _Hold:
    """Keeps a slot for as long as this object lives, which is as long as a graph of autograd."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        slot.is_free = False

    def __del__(self) -> None:
        self._slot.is_free = True


class GraphedBody:
    """Calls a body, by captured graphs where a kind of batch comes again and again.

    Several batches may be under way at once: each that is not yet back-propagated has a capture of
    its own, up to ``CAPTURES``, and those beyond run as they are.

    Args:
        body: on its device; its state dict does not change.
        make: captures a body for inputs like these, or raises.
    """

    def __init__(
        self,
        body: nn.Module,
        make: Callable[[nn.Module, Sequence[Parameter], Tensor], Capture] | None = None,
    ) -> None:
        self._body = body
        self._make = make or CudaCapture
        self._buffers = list(body.buffers())
        self._calls: Counter[Kind] = Counter()
        self._slots: dict[Kind, list[Slot]] = {}
        self._addresses: list[int] = []
        self._failed = False

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphedBody:
        return GraphedBody(copy.deepcopy(self._body, memo), self._make)

    @property
    def captures(self) -> int:
        """How many there are."""
        return sum(map(len, self._slots.values()))

    def __call__(self, x: Tensor) -> Tensor:
        """Features of a batch, as the body gives them."""
        if self._failed or x.requires_grad:
            return self._as_it_is(x)
        kind = Kind(x.shape, x.dtype, self._body.training, torch.is_grad_enabled())
        self._calls[kind] += 1
        if self._calls[kind] <= SETTLED or not self._is_its_own():
            return self._as_it_is(x)
        slot = self._slot(kind, x)
        if slot is None:
            return self._as_it_is(x)
        if not kind.gradients:
            return slot.capture.forward(x).clone()
        found: Tensor = _Replayed.apply(slot, x, *slot.parameters)
        return found

    def _slot(self, kind: Kind, x: Tensor) -> Slot | None:
        """A capture that nobody is using."""
        slots = self._slots.setdefault(kind, [])
        free = next((slot for slot in slots if slot.is_free), None)
        if free is not None or self.captures >= CAPTURES:
            return free
        trained = [p for p in self._body.parameters() if p.requires_grad]
        if kind.gradients and not trained:
            return None
        try:
            slots.append(Slot(self._make(self._body, trained, x), trained))
        except Exception as error:  # whatever a library does that cannot be captured
            self._failed = True
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            log.warning("the network runs without captured graphs: %s", reason)
            return None
        self._addresses = self._where()
        return slots[-1]

    def _is_its_own(self) -> bool:
        """Whether nothing is lent; what moved since it was captured is captured anew."""
        if not has_its_own(self._body, self._buffers):
            return False
        if not self._addresses or self._addresses == self._where():
            return True
        self._slots, self._addresses = {}, []  # moved, frozen or thawed: captured anew
        return True

    def _where(self) -> list[int]:
        places = [b.data_ptr() for b in self._buffers]
        for p in self._body.parameters():
            places += (p.data_ptr(), p.requires_grad)
        return places

    def _as_it_is(self, x: Tensor) -> Tensor:
        found: Tensor = self._body(x)
        return found


class _Replayed(torch.autograd.Function):
    """A captured forward pass, whose backward pass is captured too."""

    @staticmethod
    def forward(ctx: Any, slot: Slot, x: Tensor, *parameters: Parameter) -> Tensor:
        ctx.slot, ctx.hold = slot, _Hold(slot)
        return slot.capture.forward(x).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        static = ctx.slot.capture.backward(gradient)
        found = [torch.empty_like(of_one) for of_one in static]
        torch._foreach_copy_(found, static)  # autograd may keep what it is given as ``grad``
        return (None, None, *found)


class CudaCapture:
    """The passes of a body over one batch, as two CUDA graphs.

    They are recorded with leaves that share the parameters' memory: autograd's nodes of the
    parameters themselves may still belong to the step before, which is on another stream, and that
    would spoil the recording.

    Args:
        body: on a CUDA device.
        parameters: whose gradients are wanted, where gradients are enabled.
        x: the batch at hand, which is used to hold the capture against the body.

    Raises:
        RuntimeError: the body cannot be captured, or gives other bits when it is.
    """

    def __init__(self, body: nn.Module, parameters: Sequence[Parameter], x: Tensor) -> None:
        self._body, self._leaves = body, leaves_of(body, parameters)
        self._gradients = torch.is_grad_enabled()
        self._x = x.detach().clone()
        self._stream = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
        with _left_as_it_was(body, x.device) as again:
            with torch.cuda.stream(self._stream):
                self._stream.wait_stream(torch.cuda.current_stream(x.device))
                for _ in range(WARM_UP):
                    self._pass(torch.ones_like)
            torch.cuda.current_stream(x.device).wait_stream(self._stream)
            again()
            expected = [t.clone() for t in (*self._pass(_waves), *body.buffers())]
            again()
            self._record()
            again()
            found = [self.forward(x)]
            if self._gradients:
                found += self.backward(_waves(found[0]))
            found += body.buffers()
            if not all(map(torch.equal, expected, found)):
                raise RuntimeError("captured graphs give other bits than the network itself")

    def _features_of(self, x: Tensor) -> Tensor:
        with _uncached():
            found: Tensor = functional_call(self._body, self._leaves, (x,))
        return found

    def _pass(self, gradient: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Features, and gradients where they are enabled."""
        features = self._features_of(self._x)
        if not self._gradients:
            return [features]
        return [features.detach(), *self._gradients_of(features, gradient(features.detach()))]

    def _gradients_of(self, features: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(features, list(self._leaves.values()), gradient)

    def _record(self) -> None:
        forward = torch.cuda.CUDAGraph()
        how: dict[str, Any] = {"stream": self._stream, "capture_error_mode": "thread_local"}
        with torch.cuda.graph(forward, **how):
            features = self._features_of(self._x)
        self._forward, self._features = forward, features.detach()
        if not self._gradients:
            return
        backward = torch.cuda.CUDAGraph()
        self._gradient = torch.empty_like(self._features)
        with torch.cuda.graph(backward, pool=forward.pool(), **how):
            found = self._gradients_of(features, self._gradient)
        self._backward, self._found = backward, list(found)

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch."""
        self._x.copy_(x)
        self._forward.replay()
        return self._features

    def backward(self, gradient: Tensor) -> list[Tensor]:
        """Gradients after the latest ``forward``."""
        self._gradient.copy_(gradient)
        self._backward.replay()
        return self._found


def _waves(like: Tensor) -> Tensor:
    """A gradient that is different everywhere, without a draw."""
    waves = torch.arange(like.numel(), device=like.device, dtype=torch.float32).sin()
    return waves.view(like.shape).to(like.dtype)


@contextmanager
def _uncached() -> Iterator[None]:
    """Autocast as it is, but each weight is cast in the graph that uses it."""
    with torch.autocast(
        "cuda",
        torch.get_autocast_dtype("cuda"),
        enabled=torch.is_autocast_enabled("cuda"),
        cache_enabled=False,
    ):
        yield


def leaves_of(body: nn.Module, parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    """Leaves of autograd in the memory of some of a body's parameters, by their names."""
    wanted = {id(p) for p in parameters}
    return {
        name: p.detach().requires_grad_() for name, p in body.named_parameters() if id(p) in wanted
    }


@contextmanager
def _left_as_it_was(body: nn.Module, device: torch.device) -> Iterator[Callable[[], None]]:
    """Running figures and draws as they were, at the end and whenever what is given is called.

    A capture that fails leaves torch on its stream, and the generator as if it still recorded.
    """
    buffers = list(body.buffers())
    values, draws = [b.clone() for b in buffers], torch.cuda.get_rng_state(device)
    stream = torch.cuda.current_stream(device)

    def again() -> None:
        with torch.no_grad():
            for buffer, value in zip(buffers, values, strict=True):
                buffer.copy_(value)
        torch.cuda.set_rng_state(draws, device)

    try:
        yield again
    except BaseException:
        torch.cuda.set_stream(stream)
        generator = torch.cuda.default_generators[stream.device_index]
        generator.graphsafe_set_state(generator.clone_state())
        raise
    finally:
        again()

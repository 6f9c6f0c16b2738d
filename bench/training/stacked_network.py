"""Several networks of one architecture as one: channels side by side, weights stacked.

A batch of S seeds is ``(b, S * c, h, w)`` or ``(b, S * d)``, and layers without weights do to it
what they do to each seed's part. Convolutions become grouped ones, batch norms are wider, and
linear layers are batched. Each is used only where it gives the very bits of the seeds' own layers,
which is tried out on the first batch of every shape; elsewhere the seeds' own are called.
``torch.func.vmap`` over ``functional_call`` does the same more generally, and was slower than one
network after the other (``benchmarks/small_runs.py``).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from bench.training.network import ClassifierNetwork

Variant = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""One way to compute a layer: input, stacked weight, stacked bias -> output."""


class NotStackable(Exception):
    """These trainings cannot be done as one with the same results; the message says why."""


class StackedNetwork(nn.Module):
    """The logits of S networks for a batch each; the networks' weights become views of stacks.

    Raises:
        NotStackable: a layer is not known to keep the seeds apart, or the networks differ.
    """

    def __init__(self, networks: Sequence[ClassifierNetwork]) -> None:
        super().__init__()
        if any(network.is_compiled for network in networks):
            raise NotStackable("its network is compiled")
        self._n = len(networks)
        template = copy.deepcopy(networks[0])
        modules = [dict(network.named_modules(remove_duplicate=False)) for network in networks]
        tied = [*networks[0].parameters()]
        if len(tied) != len([*networks[0].named_parameters(remove_duplicate=False)]):
            raise NotStackable("layers share weights")
        self.stacks: list[nn.Parameter] = []
        self.parts: list[list[nn.Parameter]] = []
        for name, module in [*template.named_modules()]:
            of_each = [of_network[name] for of_network in modules]
            stacked = self._replacement(module, of_each)
            if stacked is not None and name != "head":
                parent, _, child = name.rpartition(".")
                setattr(template.get_submodule(parent), child, stacked)
            elif isinstance(stacked, StackedLinear):
                head = stacked
        if len(self.stacks) != len(tied):
            raise NotStackable("not all weights belong to layers that can be stacked")
        del template.head
        self._head = head
        self._template = template

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Logits ``(b, C)`` of every network, from inputs ``(b, ...)`` of one shape."""
        x = torch.cat(list(inputs), 1)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        features = self._template.features(x)
        return list(self._head.apart(features))

    def _replacement(self, module: nn.Module, of_each: Sequence[nn.Module]) -> nn.Module | None:
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if isinstance(module, _DropoutNd):
            raise NotStackable("its network draws random numbers")
        if not own:
            return None
        make = LAYERS.get(type(module))
        if make is None or getattr(module, "weight", None) is None:
            raise NotStackable(f"no stacked form of {type(module).__name__} is known")
        weight = self._stacked([m.weight for m in of_each])
        bias = None if of_each[0].bias is None else self._stacked([m.bias for m in of_each])
        layer: nn.Module = make(of_each, weight, bias)
        return layer

    def _stacked(self, parts: Sequence[Any]) -> nn.Parameter:
        stack = nn.Parameter(stack_of([part.detach() for part in parts]))
        for part, row in zip(parts, stack.detach(), strict=True):
            part.data = row
        self.stacks.append(stack)
        self.parts.append(list(parts))
        return stack


def stack_of(parts: Sequence[Tensor]) -> Tensor:
    """``(S, ...)``, a copy, each row laid out in memory as the part was."""
    first = parts[0]
    if any(part.shape != first.shape for part in parts):
        raise NotStackable("the networks differ")
    stack = torch.empty_strided(
        (len(parts), *first.shape),
        (first.numel(), *first.stride()),
        dtype=first.dtype,
        device=first.device,
    )
    for row, part in zip(stack, parts, strict=True):
        row.copy_(part)
    return stack


class _Stacked(nn.Module, ABC):
    """A layer that finds out for each shape of its input which of its variants is exact."""

    def __init__(self, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias
        self._n = len(weight)
        self._chosen: dict[Any, Variant] = {}

    @abstractmethod
    def _variants(self) -> Sequence[Variant]:
        """Ways to apply the layers; the last calls each seed's own."""

    def _best(self, x: Tensor) -> Tensor:
        key = (x.shape, x.requires_grad, torch.is_grad_enabled())
        if key not in self._chosen:
            self._chosen[key] = self._tried(x)
        return self._chosen[key](x, self.weight, self.bias)

    def _tried(self, x: Tensor) -> Variant:
        """The first variant with the bits of the last, which calls the seeds' layers."""
        *faster, exact = self._variants()
        wanted = self._bits(exact, x)
        return next((v for v in faster if _same(self._bits(v, x), wanted)), exact)

    def _bits(self, variant: Variant, x: Tensor) -> list[Tensor]:
        """Output and gradients for some input; what comes back is of no other use."""
        leaves = [x, self.weight] + ([] if self.bias is None else [self.bias])
        wanted = [leaf.requires_grad for leaf in leaves]
        leaves = [
            leaf.detach().requires_grad_(needs) for leaf, needs in zip(leaves, wanted, strict=True)
        ]
        with torch.enable_grad():
            found = variant(leaves[0], leaves[1], leaves[2] if len(leaves) > 2 else None)
            trained = [leaf for leaf in leaves if leaf.requires_grad]
            return [found, *torch.autograd.grad(found, trained, found.detach().cos())]


def _same(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


class StackedConv(_Stacked):
    """Convolutions ``(b, S * c, h, w) -> (b, S * o, h', w')``: grouped, or one after the other."""

    def __init__(
        self, of_each: Sequence[Any], weight: nn.Parameter, bias: nn.Parameter | None
    ) -> None:
        super().__init__(weight, bias)
        like: nn.Conv2d = of_each[0]
        if like.padding_mode != "zeros":
            raise NotStackable(f"no stacked form of padding {like.padding_mode!r} is known")
        self._groups = like.groups
        self._how: dict[str, Any] = {
            name: getattr(like, name) for name in ("stride", "padding", "dilation")
        }

    def forward(self, x: Tensor) -> Tensor:
        """All seeds' convolutions of their parts."""
        return self._best(x)

    def _variants(self) -> Sequence[Variant]:
        return self._grouped, self._regrouped, self._each

    def _grouped(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        flat = None if bias is None else bias.flatten()
        return F.conv2d(x, weight.flatten(0, 1), flat, groups=self._n * self._groups, **self._how)

    def _regrouped(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """With weights in the other layout, for which another kernel may be taken."""
        return self._grouped(x, weight.contiguous(), bias)

    def _each(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        parts = x.chunk(self._n, 1)
        biases = [None] * self._n if bias is None else bias.unbind()
        laid_out = [part.contiguous(memory_format=torch.channels_last) for part in parts]
        found = [
            F.conv2d(part, w, b, groups=self._groups, **self._how)
            for part, w, b in zip(laid_out, weight.unbind(), biases, strict=True)
        ]
        return torch.cat(found, 1)


class StackedLinear(_Stacked):
    """Linear layers ``(b, S * d) -> (b, S * o)``: as one batch of products, or one by one."""

    def __init__(
        self, of_each: Sequence[Any], weight: nn.Parameter, bias: nn.Parameter | None
    ) -> None:
        super().__init__(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        """All seeds' layers on their parts."""
        if x.ndim != 2:
            raise NotStackable("a linear layer is given more than one vector a sample")
        return torch.stack(list(self.apart(x)), 1).flatten(1)

    def apart(self, x: Tensor) -> Sequence[Tensor]:
        """The seeds' results ``(b, o)``, from ``(b, S * d)``."""
        return self._best(x.view(len(x), self._n, -1).transpose(0, 1).contiguous()).unbind()

    def _variants(self) -> Sequence[Variant]:
        return self._batched, self._each

    def _batched(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        turned = weight.transpose(1, 2)
        return torch.bmm(x, turned) if bias is None else torch.baddbmm(bias[:, None], x, turned)

    def _each(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        biases = [None] * self._n if bias is None else bias.unbind()
        found = [
            F.linear(part, w, b)
            for part, w, b in zip(x.unbind(), weight.unbind(), biases, strict=True)
        ]
        return torch.stack(found)


RUNNING = ("running_mean", "running_var", "num_batches_tracked")


class StackedNorm(nn.Module):
    """Batch norms as one wider one: channels do not meet; running figures are the layers' own."""

    def __init__(
        self, of_each: Sequence[Any], weight: nn.Parameter, bias: nn.Parameter | None
    ) -> None:
        super().__init__()
        like: _BatchNorm = of_each[0]
        if like.momentum is None or not like.track_running_stats:
            raise NotStackable("a batch norm without a moving average")
        self.weight, self.bias = weight, bias
        self._how = (like.momentum, like.eps)
        self._running = {name: stack_of([getattr(m, name) for m in of_each]) for name in RUNNING}
        for name, stack in self._running.items():
            for layer, row in zip(of_each, stack, strict=True):
                setattr(layer, name, row)

    def forward(self, x: Tensor) -> Tensor:
        """In training mode."""
        mean, var, count = (self._running[name] for name in RUNNING)
        bias = None if self.bias is None else self.bias.flatten()
        count.add_(1)
        weight = self.weight.flatten()
        return F.batch_norm(x, mean.view(-1), var.view(-1), weight, bias, True, *self._how)


LAYERS: dict[type[nn.Module], Any] = {
    nn.Conv2d: StackedConv,
    nn.Linear: StackedLinear,
    nn.BatchNorm1d: StackedNorm,
    nn.BatchNorm2d: StackedNorm,
}
"""The layers with weights that can be stacked, by their exact type."""

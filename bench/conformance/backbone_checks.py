"""Does a backbone give features of the size it says, all of it trained?"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from bench.conformance.compare import first_difference
from bench.conformance.plugin_checks import COMMON
from bench.conformance.result import Failed, Requirement, explain
from bench.conformance.subject import Subject
from bench.training.context import evaluating
from bench.training.network import ClassifierNetwork, build_network

SHAPES = ((3, 32, 32), (1, 8, 8), (3, 224, 224), (20,))
"""Inputs that are tried in turn: small colour images, digits, large images, feature tables."""
BATCH, N_CLASSES = 4, 5


class BackboneSubject(Subject):
    """A backbone and a shape of input that it takes."""

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The first of ``SHAPES`` that it builds and runs on. Raises ``Failed``: none."""
        first: Exception | None = None
        for shape in SHAPES:
            try:
                body, _ = self.new().build(shape)
                body(inputs(shape))
                return shape
            except Exception as error:  # which of them a plugin takes is its own affair
                first = first or error
        reason = explain(first, self.info) if first else ""
        raise Failed(f"{reason} (it takes none of the shapes {SHAPES})") from first

    @cached_property
    def network(self) -> ClassifierNetwork:
        """One network, shared by the checks that look at what it computes."""
        return self.initialised(seed=0)

    def initialised(self, seed: int) -> ClassifierNetwork:
        """The backbone under a classifier, as a training builds it."""
        return build_network(
            self.new(),
            self.shape,
            N_CLASSES,
            seed=seed,
            device=torch.device("cpu"),
            precision="fp32",
        )


def inputs(shape: tuple[int, ...]) -> Tensor:
    """A batch ``(BATCH, *shape)``, equal every time."""
    return torch.randn(BATCH, *shape, generator=torch.Generator().manual_seed(0))


def features(subject: BackboneSubject) -> str:
    """Guards the head: features ``(b, q)``, finite, of the q that ``build`` returns."""
    body, q = subject.new().build(subject.shape)
    found = body(inputs(subject.shape))
    if not isinstance(body, nn.Module) or tuple(found.shape) != (BATCH, q):
        raise subject.failed(
            f"features are {tuple(found.shape)} for a batch of {BATCH}, but build() says q = {q}; "
            f"expected {(BATCH, q)}",
            "build",
        )
    if not torch.isfinite(found).all():
        raise subject.failed("features are not finite at initialisation", "build")
    count = sum(p.numel() for p in body.parameters())
    return f"q = {q} on inputs {subject.shape}, {count:,} parameters"


def gradients(subject: BackboneSubject) -> str:
    """Guards training: every parameter takes part."""
    network = subject.network
    network(inputs(subject.shape)).square().sum().backward()
    idle = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    if idle:
        raise subject.failed(f"no gradient reaches {idle[0]} ({len(idle)} in all)", "build")
    broken = [
        name
        for name, p in network.named_parameters()
        if p.grad is not None and not torch.isfinite(p.grad).all()
    ]
    if broken:
        raise subject.failed(f"the gradient of {broken[0]} is not finite", "build")
    return "a finite gradient reaches every parameter"


def independent(subject: BackboneSubject) -> str:
    """Guards evaluation: a sample's features do not depend on the batch it is in."""
    network, x = subject.network, inputs(subject.shape)
    with evaluating(network):
        whole = network.features(x)
        single = torch.cat([network.features(row) for row in torch.split(x, 1)])
    scale = max(1.0, float(whole.abs().max()))
    if not torch.allclose(whole / scale, single / scale, atol=1e-4):
        raise subject.failed(
            "in evaluation mode a sample's features depend on the rest of its batch", "build"
        )
    return "samples are independent in evaluation mode"


def layouts(subject: BackboneSubject) -> str:
    """Guards speed: channels-last inputs, which the loop uses, give the same features."""
    network, x = subject.network, inputs(subject.shape)
    if x.ndim != 4:
        return "feature tables have one layout"
    with evaluating(network):
        plain = network.features(x.contiguous())
        last = network.features(x.contiguous(memory_format=torch.channels_last))
    if not torch.allclose(plain, last, rtol=1e-3, atol=1e-3 * max(1.0, float(plain.abs().max()))):
        raise subject.failed("features depend on the memory layout of the inputs", "build")
    return "channels-last gives the same features"


def initialisation(subject: BackboneSubject) -> str:
    """Guards repeatability: initial weights follow the seed and nothing else."""
    torch.manual_seed(1)
    first = subject.initialised(seed=0).state_dict()
    torch.manual_seed(2)
    difference = first_difference(first, subject.initialised(seed=0).state_dict())
    if difference:
        raise subject.failed(
            f"equal seeds give unequal weights ({difference}); initialise from torch's global "
            f"generator, which is seeded for build()",
            "build",
        )
    other = subject.initialised(seed=1).state_dict()
    if _body(first) and not first_difference(_body(first), _body(other)):
        raise subject.failed(
            "another seed gives equal weights; do not seed inside build()", "build"
        )
    return "follows the seed alone"


def _body(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the classifier, which is initialised by the harness."""
    return {name: value for name, value in state.items() if name.startswith("body.")}


REQUIREMENTS = (
    *COMMON,
    Requirement("features", features),
    Requirement("gradients", gradients, ("features",)),
    Requirement("evaluation", independent, ("features",)),
    Requirement("memory layout", layouts, ("features",)),
    Requirement("initialisation", initialisation, ("features",)),
)

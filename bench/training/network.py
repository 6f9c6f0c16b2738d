"""A backbone with its linear classifier, in the precision of the run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.api import Backbone
from bench.settings import graphs
from bench.training.compiled import CompiledBody
from bench.training.graphed import GraphedBody


class ClassifierNetwork(nn.Module):
    """``forward(x) = head(features(x))``; the body may run in bfloat16, what it returns is float32.

    Losses therefore always see float32 logits, and refiners float32 features.
    """

    def __init__(self, body: nn.Module, n_features: int, n_classes: int, precision: str) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(n_features, n_classes)
        self._bf16 = precision == "bf16"
        self._compiled: CompiledBody | None = None
        self._graphed: GraphedBody | None = None

    def compile_body(self) -> None:
        """Let the body be compiled where that pays; on its device, before anything is run."""
        self._compiled = CompiledBody(self.body)

    def capture_body(self) -> None:
        """Let the body be replayed from CUDA graphs; on its device, before anything is run."""
        self._graphed = GraphedBody(self.body)

    @property
    def is_compiled(self) -> bool:
        """Whether ``compile_body`` was called."""
        return self._compiled is not None

    def features(self, x: Tensor) -> Tensor:
        """Penultimate features ``(b, q)`` float32."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._bf16):
            found: Tensor = (self._compiled or self._graphed or self.body)(x)
        return found.float()

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(b, C)`` float32."""
        logits: Tensor = self.head(self.features(x))
        return logits


def build_network(
    backbone: Backbone,
    shape: tuple[int, ...],
    n_classes: int,
    *,
    seed: int,
    device: torch.device,
    precision: str,
    compiled: bool = False,
) -> ClassifierNetwork:
    """A network whose initial weights depend on ``seed`` alone (not on the device)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body, n_features = backbone.build(shape)
        network = ClassifierNetwork(body, n_features, n_classes, precision)
    layout = torch.channels_last if len(shape) == 3 else torch.contiguous_format
    network = network.to(device).to(memory_format=layout)
    if compiled:
        network.compile_body()
    elif device.type == "cuda" and torch.cuda.is_available() and graphs() == "auto":
        network.capture_body()
    return network

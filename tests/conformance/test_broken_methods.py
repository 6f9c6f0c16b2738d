"""A method broken in one way is caught by one check, whose detail says what to change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.conformance.result import Check

Examine = Callable[[str], list[Check]]

HEAD = '''"""A broken method."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from bench.api import Method

KEPT = {}


class Broken(Method):
'''

BODY = {
    "doc": '"""Cross entropy."""',
    "name": 'name = "broken"',
    "paper": 'paper = "none"',
    "loss": """
def loss(self, batch):
    return F.cross_entropy(self.logits(batch.x), batch.y, reduction="none")
""",
}


def method(**parts: str) -> str:
    """A plugin file: plain cross entropy with some parts of its class replaced or added."""
    body = "\n".join({**BODY, **parts}.values())
    return HEAD + "\n".join(f"    {line}" for line in body.splitlines()) + "\n"


TWO = 'n_networks = 2\nuses = frozenset({"two_networks"})\npredicts = "the mean"'

BROKEN = {
    "no kebab case": ("metadata", method(name='name = "Broken_One"'), "kebab-case"),
    "no docstring": ("metadata", method(doc=""), "no docstring"),
    "no paper": ("metadata", method(paper=""), "cite the source"),
    "misspelt paper_params": (
        "parameters",
        method(beta="beta: float = 0.5", digits='paper_params = {"digits": {"betta": 1.0}}'),
        "did you mean 'beta'",
    ),
    "default of another type": (
        "parameters",
        method(beta='beta: float = "0.5"'),
        "the default of beta is '0.5'",
    ),
    "no cost": ("declarations", method(cost="cost = 0.0"), "cost is 0.0"),
    "undeclared network": ("declarations", method(n="n_networks = 2"), "two_networks"),
    "unexplained prediction": (
        "declarations",
        method(n='n_networks = 2\nuses = frozenset({"two_networks"})'),
        "say in predicts",
    ),
    "undeclared knowledge": (
        "declared knowledge",
        method(more="def on_epoch_end(self, epoch):\n    self.rate = self.run.known.noise_rate"),
        "add it to the class: knows = frozenset({'noise_rate'})",
    ),
    "exception": (
        "two epochs",
        method(more="def on_epoch_end(self, epoch):\n    self.run.labels.nonsense()  # here"),
        "AttributeError",
    ),
    "infinite loss": (
        "two epochs",
        method(loss="def loss(self, batch):\n    return self.logits(batch.x).sum(1) / 0"),
        "Diverged",
    ),
    "loss as a tensor": (
        "two epochs",
        method(
            more="def train_epoch(self, epoch):\n"
            "    return torch.tensor(super().train_epoch(epoch))"
        ),
        "return the mean loss as a float",
    ),
    "selection of another type": (
        "two epochs",
        method(
            more="def on_epoch_end(self, epoch):\n"
            "    self.run.report_selection(torch.ones(32, dtype=torch.bool))"
        ),
        "batch.index[kept]",
    ),
    "selection outside the training set": (
        "two epochs",
        method(
            more="def on_epoch_end(self, epoch):\n"
            "    self.run.report_selection(torch.tensor([0, self.run.n]))"
        ),
        "position 144",
    ),
    "places in the batch": (
        "selection",
        method(
            loss="def loss(self, batch):\n"
            "    losses = F.cross_entropy(self.logits(batch.x), batch.y, reduction='none')\n"
            "    self.run.report_selection(losses.detach().argsort()[:16])\n"
            "    return losses"
        ),
        "batch.index[kept]",
    ),
    "constant loss": (
        "learns clean labels",
        method(loss="def loss(self, batch):\n    return self.logits(batch.x).sum(1) * 0"),
        "never fell",
    ),
    "wrong sign": (
        "learns clean labels",
        method(
            loss="def loss(self, batch):\n"
            "    p = self.logits(batch.x).softmax(1)\n"
            "    return p.gather(1, batch.y[:, None]).squeeze(1)"
        ),
        "training accuracy is",
    ),
    "own generator": (
        "repeats",
        method(
            loss="def loss(self, batch):\n"
            "    scale = np.random.default_rng().random()\n"
            "    return scale * F.cross_entropy(self.logits(batch.x), batch.y, reduction='none')"
        ),
        "self.run.generator",
    ),
    "fixed seed and order": (
        "follows the seed",
        method(
            more="""
def setup(self):
    with torch.no_grad():
        draws = torch.Generator().manual_seed(0)
        for p in self.networks[0].parameters():
            p.copy_(torch.randn(p.shape, generator=draws) * 0.2)
    inputs = self.run._normalise(self.run._inputs[:])
    self.x, self.y = inputs.contiguous(), self.run.labels

def train_epoch(self, epoch):
    total = 0.0
    for _ in self.run.batches(epoch):
        torch.manual_seed(0)
        loss = F.cross_entropy(self.logits(self.x), self.y)
        self.run.step(loss)
        total += float(loss.detach()) / 5
    return total
"""
        ),
        "seeds 0 and 1",
    ),
    "number as state": (
        "resumes",
        method(
            more="""
def setup(self):
    self.scale = 1.0

def on_epoch_end(self, epoch):
    self.scale *= 0.5
""",
            loss="def loss(self, batch):\n"
            "    return self.scale * F.cross_entropy(self.logits(batch.x), batch.y, "
            "reduction='none')",
        ),
        "keep other state as a tensor",
    ),
    "state that is no plain data": (
        "resumes",
        method(
            more="def state_dict(self):\n    return {**super().state_dict(), 'at': Path('.')}\n"
        ),
        "state_dict() may hold",
    ),
    "tensor without a device": (
        "fake CUDA",
        method(
            more="def setup(self):\n"
            "    self.targets = torch.zeros(self.run.n, self.run.n_classes)\n"
            "def on_epoch_end(self, epoch):\n"
            "    self.targets[self.run.labels] += 1  # here"
        ),
        "DeviceMismatch",
    ),
    "generator on the wrong device": (
        "fake CUDA",
        method(
            more="def on_epoch_end(self, epoch):\n"
            "    draws = self.run.generator(epoch)\n"
            "    torch.rand(3, generator=draws, device=self.run.device)"
        ),
        "draw on the CPU",
    ),
    "straight to NumPy": (
        "fake CUDA",
        method(more="def on_epoch_end(self, epoch):\n    self.run.labels.numpy()"),
        "use .cpu() first",
    ),
    "belief left on the CPU": (
        "fake CUDA",
        method(more="def label_belief(self):\n    return super().label_belief().cpu()"),
        "label_belief() returns a tensor on cpu",
    ),
    "something after the head": (
        "linear heads",
        method(
            more="""
def predictors(self):
    class Doubled(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network, self.head = network, network.head
        def features(self, x):
            return self.network.features(x)
        def forward(self, x):
            return 2 * self.network(x)
    return [Doubled(self.networks[0])]
"""
        ),
        "is not head(features(x))",
    ),
    "no head": (
        "linear heads",
        method(more="def predictors(self):\n    return [self.networks[0].body]")
        .replace("self.logits(batch.x)", "self.networks[0](batch.x)")
        .replace(
            "def predictors",
            "def logits(self, x):\n        return self.networks[0](x)\n\n    def predictors",
        ),
        "is no nn.Linear",
    ),
    "another network predicts": (
        "prediction",
        method(two=TWO, more="def logits(self, x):\n    return self.networks[1](x)"),
        "override predictors()",
    ),
    "network in training mode": (
        "prediction",
        method(
            more="def logits(self, x):\n"
            "    self.networks[0].train()\n"
            "    return self.networks[0](x)"
        ),
        "evaluation mode",
    ),
    "belief that is no distribution": (
        "label belief",
        method(more="def label_belief(self):\n    return 2 * super().label_belief()"),
        "divide by the row sum",
    ),
    "belief of one column": (
        "label belief",
        method(more="def label_belief(self):\n    return super().label_belief()[:, :1]"),
        "not (144, 4)",
    ),
    "true labels in a dictionary": (
        "clean labels",
        method(
            more="def setup(self):\n"
            "    found = sys._getframe(1).f_locals\n"
            "    self.cache = {'labels': [found['true'][found['rows']].tolist()]}"
        ),
        "method.cache['labels'][0] holds the true training labels",
    ),
    "true labels in a closure": (
        "clean labels",
        method(
            more="def setup(self):\n"
            "    found = sys._getframe(1).f_locals\n"
            "    truth = F.one_hot(found['true'][found['rows']])\n"
            "    self.ask = lambda i: truth[i]"
        ),
        "method.ask closure",
    ),
    "a frame of the harness": (
        "clean labels",
        method(more="def setup(self):\n    KEPT['frame'] = sys._getframe(1)"),
        "KEPT['frame']",
    ),
    "which labels are wrong": (
        "clean labels",
        method(
            more="def setup(self):\n"
            "    found = sys._getframe(1).f_locals\n"
            "    self.bad = found['true'][found['rows']] != self.run.labels"
        ),
        "method.bad",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_method_is_caught_by_one_check(case: str, examine: Examine) -> None:
    expected, text, words = BROKEN[case]
    checks = examine(text)
    failed = {check.name: check.detail for check in checks if not check.ok}
    assert list(failed) == [expected], failed
    assert words in failed[expected]
    line = next((n for n, t in enumerate(text.splitlines(), 1) if "# here" in t), None)
    assert f"broken.py:{line or ''}" in failed[expected]


def test_unbroken_method_passes_everything(examine: Examine) -> None:
    checks = examine(method())
    assert [check.name for check in checks if check.skipped or not check.ok] == []


def test_what_a_failure_makes_pointless_is_skipped_with_the_reason(examine: Examine) -> None:
    text = method(loss="def loss(self, batch):\n    raise ValueError('boom')")
    skipped = {check.name: check.skipped for check in examine(text) if check.skipped}
    assert skipped["fake CUDA"] == "needs 'two epochs'"
    assert skipped["prediction"] == "needs 'two epochs'"

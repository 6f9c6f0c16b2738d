"""Noises, refiners, backbones and data sets broken in one way are caught by one check."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.conformance.result import Check

Examine = Callable[[str], list[Check]]

HEAD = '''"""A broken plugin."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import nn

from bench.api import Backbone, Dataset, HeadPath, Incompatible, Noise, RankRule, Refiner, Split

'''


def plugin(kind: str, *parts: str) -> str:
    """A plugin file of one class; ``parts`` are statements of its body."""
    named = ('"""A summary."""', 'name = "broken"', 'paper = "none"', *parts)
    body = "\n".join(part.strip("\n") for part in named)
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"{HEAD}\nclass Broken({kind}):\n{lines}\n"


MATRIX = """
def transition_matrix(self, data):
    return 0.6 * np.eye(data.n_classes) + 0.4 * np.roll(np.eye(data.n_classes), 1, axis=1)
"""


def noise(corrupt: str = "", matrix: str = MATRIX, *more: str) -> str:
    """A noise that is well but for what is given."""
    header = "def corrupt(self, train, rng):\n    labels = train.labels\n"
    return plugin("Noise", matrix, header + corrupt if corrupt else "", *more)


NOISES = {
    "refuses all data": (
        "accepts data",
        noise("", MATRIX, "def check(self, data):\n    raise Incompatible('no')"),
        "check() refuses every data set (no)",
    ),
    "no label": ("accepts data", noise("", MATRIX, "describe = lambda self: ''"), "describe()"),
    "rows above 1": (
        "matrix",
        noise("", "def transition_matrix(self, data):\n    return 1.1 * np.eye(data.n_classes)"),
        "row 0 of the matrix sums to 1.1000",
    ),
    "label out of range": ("labels", noise("    return labels + 1"), "the classes are 0..3"),
    "labels as shares": ("labels", noise("    return labels / 1.0"), "float64, not (8000,) int"),
    "another rate": (
        "realised rate",
        noise("    return np.where(rng.random(len(labels)) < 0.3, (labels + 1) % 4, labels)"),
        "but the matrix says",
    ),
    "generator of its own": (
        "deterministic",
        noise("    return super().corrupt(train, np.random.default_rng())"),
        "take all random numbers from rng",
    ),
    "fixed seed": (
        "deterministic",
        noise("    return super().corrupt(train, np.random.default_rng(0))"),
        "draws from different generators are equal",
    ),
    "moves numpy": (
        "global generators",
        noise("    np.random.seed(0)\n    return super().corrupt(train, rng)"),
        "numpy.random",
    ),
    "moves random": (
        "global generators",
        noise("    random.random()\n    return super().corrupt(train, rng)"),
        "global generator of random",
    ),
    "in place": (
        "source labels",
        noise("    labels[:] = super().corrupt(train, rng)\n    return labels"),
        "start from train.labels.copy()",
    ),
}


def refiner(weight: str, bias: str = "problem.bias[None]", *more: str) -> str:
    """A refiner of one head with this weight and bias; ``more`` comes before it."""
    return plugin(
        "Refiner",
        "has_rank = False",
        f"""
def path(self, problem):
    eye = torch.eye(len(problem.bias), dtype=torch.float64, device=problem.bias.device)
    one = torch.ones(1, len(eye), dtype=torch.float64, device=eye.device)
    return HeadPath((len(eye),), {weight}, eye, one, {bias})
""",
        *more,
    )


RANKED = """
k: RankRule = "noisy-val"

def path(self, problem):
    left, values, right = torch.linalg.svd(problem.weight, full_matrices=False)
    r = len(values)
    scale = values * torch.ones(r + 1, r, dtype=torch.float64, device=values.device).tril(-1)
    ks, bias = tuple(range(r + 1)), problem.bias.expand(r + 1, -1)
    return HeadPath(ks, left, right.T, scale, bias)
"""

REFINERS = {
    "bias of one head": ("shapes", refiner("problem.weight", "problem.bias"), "bias is (5,)"),
    "single precision": (
        "shapes",
        refiner("problem.weight.float()"),
        "left is (12, 5) torch.float32",
    ),
    "ks descending": (
        "shapes",
        plugin("Refiner", RANKED.replace("range(r + 1)", "range(r, -1, -1)")),
        "ascending",
    ),
    "no guard": (
        "finite",
        refiner("problem.cross / problem.gram.diagonal()[:, None]"),
        "a feature that is always 0",
    ),
    "away from the trained head": (
        "ranks",
        plugin("Refiner", RANKED.replace("scale, bias", "scale.flip(0), bias")),
        "ks runs toward the trained head",
    ),
    "short of the rank": (
        "ranks",
        plugin("Refiner", RANKED.replace("tuple(range(r + 1))", "tuple(range(-1, r))")),
        "the last k is 4, not the rank 5",
    ),
    "no rule for k": (
        "ranks",
        plugin("Refiner", RANKED.replace('k: RankRule = "noisy-val"', "")),
        "has_rank needs the parameter k",
    ),
    "many heads undeclared": (
        "ranks",
        plugin("Refiner", "has_rank = False", RANKED),
        "has_rank is False, but path() gives 6 heads",
    ),
    "random": (
        "deterministic",
        refiner("problem.weight + torch.randn(len(problem.bias)).to(problem.bias)"),
        "different heads",
    ),
    "in place": (
        "deterministic",
        refiner("problem.weight", "problem.bias[None] + problem.gram.zero_().sum()"),
        "path() changes problem.gram",
    ),
    "left on the CPU": (
        "fake CUDA",
        refiner("problem.weight @ torch.eye(len(problem.bias), dtype=torch.float64)"),
        "device=problem.weight.device",
    ),
}


def backbone(forward: str, setup: str = "", build: str = "return body, 6") -> str:
    """A backbone of one linear layer; ``x`` in ``forward`` is flattened."""
    return plugin(
        "Backbone",
        f"""
def build(self, shape):
    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(int(np.prod(shape)), 6)
            {setup or "pass"}
        def forward(self, image):
            x = image.flatten(1)
            return {forward}
    body = Body()
    {build}
""",
    )


BACKBONES = {
    "another q": ("features", backbone("self.layer(x)", build="return body, 7"), "q = 7"),
    "not finite": ("features", backbone("self.layer(x) / 0"), "not finite at initialisation"),
    "takes nothing": ("features", backbone("self.layer(x, x)"), "takes none of the shapes"),
    "idle layer": (
        "gradients",
        backbone("self.layer(x)", "self.idle = nn.Linear(2, 2)"),
        "no gradient reaches body.idle.weight",
    ),
    "statistics of the batch": (
        "evaluation",
        backbone("self.layer(x) - self.layer(x).mean(0)"),
        "the rest of its batch",
    ),
    "reads the memory": (
        "memory layout",
        backbone("self.layer(x) * (1.0 if image.is_contiguous() else 2.0)"),
        "memory layout",
    ),
    "own seed": (
        "initialisation",
        backbone("self.layer(x)", "torch.manual_seed(0); self.layer.reset_parameters()"),
        "do not seed inside build()",
    ),
    "another generator": (
        "initialisation",
        backbone("self.layer(x)", "self.layer.bias.data[0] = np.random.default_rng().random()"),
        "equal seeds give unequal weights",
    ),
}


def dataset(build: str, declared: str = "", rng: str = "np.random.default_rng(0)") -> str:
    """A data set of random points; ``build`` may change ``train`` and ``test``."""
    return plugin(
        "Dataset",
        "bundled = True",
        'class_names = ("a", "b")',
        declared,
        f"""
def build(self, raw):
    rng = {rng}
    train, test = (
        Split(rng.random((n, 3), dtype=np.float32), np.arange(n) % 2, np.arange(n)) for n in (8, 4)
    )
    {build or "pass"}
    return train, test, ("a", "b")
""",
    )


def changed(part: str) -> str:
    return f"train = Split(**{{**vars(train), {part}}})"


DATASETS = {
    "class named twice": (
        "declarations",
        dataset("", 'class_names = ("a", "a")\nbundled = False'),
        "twice",
    ),
    "no class names": ("declarations", dataset("", "class_names = ()\nbundled = False"), "empty"),
    "too few labels": ("arrays", dataset(changed("'labels': train.labels[:5]")), "equally many"),
    "double precision": (
        "arrays",
        dataset(changed("'inputs': train.inputs * 1.0e0 * np.ones(3)")),
        "float32",
    ),
    "short labels": ("arrays", dataset(changed("'labels': train.labels.astype('i4')")), "int32"),
    "label out of range": ("arrays", dataset(changed("'labels': train.labels + 1")), "1..2 for 2"),
    "index twice": ("arrays", dataset(changed("'index': train.index // 2")), "twice"),
    "another size": ("as declared", dataset("", "official_size = (9, 4)"), "built (8, 4)"),
    "absent class": ("as declared", dataset(changed("'labels': train.labels * 0")), "class 'b'"),
    "random": ("repeats", dataset("", rng="np.random.default_rng()"), "fix every seed"),
}

BROKEN = {
    f"{kind}: {name}": case
    for kind, cases in {
        "noise": NOISES,
        "refiner": REFINERS,
        "backbone": BACKBONES,
        "dataset": DATASETS,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_plugin_is_caught_by_one_check(case: str, examine: Examine) -> None:
    expected, text, words = BROKEN[case]
    failed = {check.name: check.detail for check in examine(text) if not check.ok}
    assert list(failed) == [expected], failed
    assert words in failed[expected]
    assert "broken.py:" in failed[expected]


@pytest.mark.parametrize(
    "text",
    [
        noise(),
        refiner("problem.weight"),
        plugin("Refiner", RANKED),
        backbone("self.layer(x)"),
        dataset(""),
    ],
    ids=["noise", "refiner", "ranked refiner", "backbone", "dataset"],
)
def test_unbroken_plugin_passes_everything(text: str, examine: Examine) -> None:
    skipped = [check.skipped for check in examine(text) if check.skipped]
    assert [check for check in examine(text) if not check.ok] == []
    assert set(skipped) <= {"replaces no inputs"}


def test_noise_without_a_matrix_is_not_held_to_one(examine: Examine) -> None:
    text = plugin(
        "Noise", "def corrupt(self, train, rng):\n    return rng.permutation(train.labels)"
    )
    checks = {check.name: check for check in examine(text)}
    assert "no transition matrix" in checks["matrix"].skipped
    assert checks["realised rate"].skipped == checks["matrix"].skipped
    assert all(check.ok for check in checks.values())

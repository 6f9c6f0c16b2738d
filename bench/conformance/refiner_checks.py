"""Does a refiner give finite heads of the right shape, for every shape of head?"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from bench.api import HeadPath, HeadProblem
from bench.conformance.fake_cuda import DeviceMismatch, fake_cuda
from bench.conformance.plugin_checks import COMMON
from bench.conformance.result import Failed, Requirement, explain
from bench.conformance.subject import Subject
from bench.errors import BenchError

SHAPES = {"q > C": (12, 5), "q = C": (5, 5), "q < C": (3, 7)}
"""(features, classes) of the heads that are tried."""
ROWS = 60


def problem(q: int, n_classes: int) -> HeadProblem:
    """A head that fits its features about as well as a trained one does, in float64."""
    generator = torch.Generator().manual_seed(q * 100 + n_classes)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = normal(ROWS, q).relu() + 0.1
    weight, bias = normal(q, n_classes), normal(n_classes)
    guess = (features @ weight + bias + normal(ROWS, n_classes)).argmax(1)
    targets = torch.nn.functional.one_hot(guess, n_classes).double()

    def of(rows: slice) -> HeadProblem:
        x, y = features[rows], targets[rows]
        sums = (x.T @ x, x.T @ y, x.sum(0), y.sum(0), len(x))
        return HeadProblem(weight, bias, *sums, label_gram=y.T @ y)

    return replace(of(slice(0, 40)), held=of(slice(40, ROWS)))


def shapes(subject: Subject) -> str:
    """Guards evaluation: heads as ``HeadPath`` documents them, whether q or C is larger."""
    for name, (q, n_classes) in SHAPES.items():
        path = subject.new().path(problem(q, n_classes))
        if not path.ks or list(path.ks) != sorted(set(path.ks)):
            raise subject.failed(f"ks is {path.ks}; it must be ascending, not empty", "path")
        n, r = len(path.ks), path.left.shape[-1]
        expected = {
            "left": (q, r),
            "right": (n_classes, r),
            "scale": (n, r),
            "bias": (n, n_classes),
        }
        for field, shape in expected.items():
            found = getattr(path, field)
            if tuple(found.shape) != shape or found.dtype != torch.float64:
                raise subject.failed(
                    f"{field} is {tuple(found.shape)} {found.dtype}, not {shape} float64, for "
                    f"{name} (q {q}, C {n_classes})",
                    "path",
                )
    return ", ".join(SHAPES)


def finite(subject: Subject) -> str:
    """Guards against division by nothing: finite heads even where a feature is always 0."""
    for q, n_classes in SHAPES.values():
        whole = problem(q, n_classes)
        dead = _with_dead_feature(whole)
        for given, name in ((whole, "an ordinary head"), (dead, "a feature that is always 0")):
            try:
                path = subject.new().path(given)
            except BenchError:
                continue  # a refiner may say that there is no answer
            if not all(bool(torch.isfinite(part).all()) for part in _tensors(path)):
                raise subject.failed(
                    f"the heads are not finite for {name} (q {q}, C {n_classes}); guard the "
                    f"denominators, or raise BenchError",
                    "path",
                )
    return "finite, with a dead feature too"


def rank(subject: Subject) -> str:
    """Guards the choice of k: the last entry is the way back to the trained head."""
    has_rank = subject.info.declared["has_rank"]
    if has_rank and "k" not in subject.info.parameters:
        raise subject.failed("has_rank needs the parameter k: RankRule = 'noisy-val'")
    for q, n_classes in SHAPES.values():
        given = problem(q, n_classes)
        path = subject.new().path(given)
        if not has_rank and len(path.ks) != 1:
            raise subject.failed(
                f"has_rank is False, but path() gives {len(path.ks)} heads", "path"
            )
        if not has_rank:
            continue
        away = [float((path.weight(i) - given.weight).norm()) for i in range(len(path.ks))]
        if path.ks[-1] != min(q, n_classes):
            raise subject.failed(
                f"the last k is {path.ks[-1]}, not the rank {min(q, n_classes)} of the head", "path"
            )
        if away[-1] > min(away) + 1e-9:
            raise subject.failed(
                f"the head at k = {path.ks[-1]} is further from the trained one ({away[-1]:.3g}) "
                f"than another ({min(away):.3g}); ks runs toward the trained head, which is what "
                f"the one-standard-error rule falls back on",
                "path",
            )
    return "runs toward the trained head" if has_rank else "one head"


def deterministic(subject: Subject) -> str:
    """Guards the database: equal problems give equal heads, and the problem is left as it was."""
    given = problem(*SHAPES["q > C"])
    copy = {name: value.clone() for name, value in _fields(given).items()}
    first, second = subject.new().path(given), subject.new().path(given)
    for one, other in zip(_tensors(first), _tensors(second), strict=True):
        if not torch.equal(one, other):
            raise subject.failed("two calls on one problem give different heads", "path")
    for name, value in copy.items():
        if not torch.equal(value, getattr(given, name)):
            raise subject.failed(f"path() changes problem.{name}; other refiners share it", "path")
    return "equal problems, equal heads"


def on_fake_cuda(subject: Subject) -> str:
    """Guards accelerators without having one: no tensor may be left on the CPU."""
    given = problem(*SHAPES["q > C"])
    device = torch.device("cuda")
    with fake_cuda():
        moved: dict[str, Any] = {name: part.to(device) for name, part in _fields(given).items()}
        if given.held is not None:
            held = {name: part.to(device) for name, part in _fields(given.held).items()}
            moved["held"] = replace(given.held, **held)  # type: ignore[arg-type]
        try:
            path = subject.new().path(replace(given, **moved))
        except (DeviceMismatch, TypeError) as error:
            raise Failed(
                f"{explain(error, subject.info)}; create tensors with device=problem.weight.device"
            ) from error
        left_behind = [name for name, value in _fields(path).items() if not value.is_cuda]
    if left_behind:
        raise subject.failed(f"path() leaves {left_behind[0]} on the CPU", "path")
    return "no tensor left on the CPU"


def _fields(value: HeadProblem | HeadPath) -> dict[str, Tensor]:
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: item for name, item in found.items() if isinstance(item, Tensor)}


def _tensors(path: HeadPath) -> list[Tensor]:
    return list(_fields(path).values())


def _with_dead_feature(given: HeadProblem) -> HeadProblem:
    gram, cross, total = given.gram.clone(), given.cross.clone(), given.feature_sum.clone()
    gram[0], gram[:, 0], cross[0], total[0] = 0, 0, 0, 0
    return replace(given, gram=gram, cross=cross, feature_sum=total)


REQUIREMENTS = (
    *COMMON,
    Requirement("shapes", shapes),
    Requirement("finite", finite, ("shapes",)),
    Requirement("ranks", rank, ("shapes",)),
    Requirement("deterministic", deterministic, ("shapes",)),
    Requirement("fake CUDA", on_fake_cuda, ("shapes",)),
)

"""Errors of official code and habits of the field that are absent here by construction."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor

from bench.conformance import fixture
from bench.registry import Registry, discover
from bench.spec import load_suite
from bench.training.session import LabelledTensors, Session
from bench.training.sources import Resident

Planted = Callable[..., Session]
METHODS = Path(inspect.getfile(discover)).parent.parent / "methods"


def state(session: Session) -> list[Tensor]:
    return [value for network in session.networks for value in network.state_dict().values()]


@pytest.mark.parametrize(
    "name",
    ["ce", "elr", "co-teaching", "t-revision", "joint-optimization", "pes", "confident-learning"],
)
def test_test_labels_change_no_weight(name: str, planted: Planted) -> None:
    """Official code keeps the epoch that is best on the test set; here they cannot be told apart.

    The methods whose code selects an epoch somewhere, and one of each other kind.
    """
    one, other = planted(name), planted(name)
    test = other.test
    other.test = LabelledTensors(Resident(255 - test.inputs[:]), (test.labels + 1) % 4)
    mine = [record.test_accuracy for record in one.epochs()]
    theirs = [record.test_accuracy for record in other.epochs()]
    assert mine != theirs
    assert all(torch.equal(a, b) for a, b in zip(state(one), state(other), strict=True))


def test_no_methods_source_names_the_test_set_or_true_labels() -> None:
    """Neither is an attribute of what a run offers; who wants the truth declares a subset."""
    reached = [
        path.name
        for path in METHODS.glob("*.py")
        if re.search(r"\.(test|true_labels|_train_true|clean_labels|noisy_val)\b", path.read_text())
    ]
    assert reached == []


@pytest.mark.parametrize(
    "name",
    ["selc", "dividemix", "disc", "sop", "promix", "ssr", "elr-plus", "peer-loss", "unicon", "gjs"],
)
def test_a_parameter_that_official_code_sets_by_the_noise_rate_is_the_same_at_every_rate(
    name: str, planted: Planted
) -> None:
    """Numbers that ``setup`` and the declaration leave behind, at 10 % and at 60 % wrong labels."""

    def numbers(wrong: float) -> dict[str, Any]:
        method = planted(name, epochs=200, wrong=wrong).method
        kept = {key: getattr(method, key) for key in method.parameters()}
        return kept | {
            key: value for key, value in vars(method).items() if isinstance(value, int | float)
        }

    assert numbers(0.1) == numbers(0.6)
    assert planted(name).method.told() == []


@pytest.mark.parametrize("suite", ["zoo", "cifar10", "cifar100"])
def test_symmetric_noise_of_the_suites_says_its_convention(suite: str, registry: Registry) -> None:
    """Half of the field redraws the true class too, which makes 0.9 of 10 classes 0.81 wrong."""
    labels = np.arange(5000) % 10
    found = load_suite(suite, None, registry)
    symmetric = [item for item in found.noises if item.name == "symmetric"]
    assert symmetric
    for item in symmetric:
        params = registry.get("noise", "symmetric").resolve(item.params)
        assert params["convention"] == "exclusive"
        matrix = registry.create("noise", "symmetric", params).transition_matrix(
            fixture.data_info(10)
        )
        wrong = 1 - matrix[labels, labels].mean()
        assert wrong == pytest.approx(params["rate"])
        inclusive = registry.create(
            "noise", "symmetric", {**params, "convention": "inclusive"}
        ).transition_matrix(fixture.data_info(10))
        assert 1 - np.diag(inclusive).mean() == pytest.approx(0.9 * params["rate"])


def test_co_teaching_steps_on_the_mean_of_what_is_kept(planted: Planted) -> None:
    """The authors' code divides by the number kept a second time."""
    session = planted("co-teaching", epochs=40, wrong=0.25)
    run = session.run
    batch = next(run.batches(0))
    steps: list[float] = []
    run.batches = lambda epoch, repeat=0: iter([batch])  # type: ignore[method-assign]
    run.step = lambda loss: steps.append(float(loss.detach()))  # type: ignore[method-assign]
    tables = [np.random.default_rng(seed).normal(0, 2, (len(batch.y), 4)) for seed in (0, 1)]
    given = [torch.from_numpy(table) for table in tables]
    session.method.networks = tuple((lambda x, z=z: z) for z in given)  # type: ignore[assignment]
    session.method.train_epoch(30)
    rows = np.arange(len(batch.y))
    losses = [-np.log(softmax(table, axis=1)[rows, batch.y.numpy()]) for table in tables]
    n_kept = int((1 - run.known.noise_rate) * len(rows))
    small = [np.argsort(values)[:n_kept] for values in losses]
    expected = losses[0][small[1]].mean() + losses[1][small[0]].mean()
    assert steps == [pytest.approx(expected, rel=1e-6)]


def test_semi_supervised_pes_learns_from_the_confident_and_from_the_doubtful(
    planted: Planted,
) -> None:
    """The authors' code throws one of its two loaders away in a refinement."""
    session = planted("pes", semi=True, epochs=8)
    run = session.run
    run.begin_epoch(4)
    seen: set[int] = set()
    view = run.view

    def watched(index: Tensor, kind: str = "weak") -> Tensor:
        seen.update(index.tolist())
        return view(index, kind)

    run.view = watched  # type: ignore[method-assign]
    confident, doubtful = torch.arange(0, 40), torch.arange(100, 130)
    session.method.match(4, confident, doubtful, torch.ones(4))
    assert seen & set(confident.tolist())
    assert seen & set(doubtful.tolist())
    assert seen <= set(confident.tolist()) | set(doubtful.tolist())

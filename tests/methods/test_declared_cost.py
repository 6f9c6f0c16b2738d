"""The declared cost is what a training does: samples that pass a network are counted.

A pass with gradient counts as one, a pass without as a third, as a backward pass costs about twice
the forward one. Measuring after an epoch is not the method's, and is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.training.network import ClassifierNetwork
from bench.training.session import Session

Planted = Callable[..., Session]


def passes(session: Session) -> list[float]:
    """Passes a training sample of every epoch's ``train_epoch``."""
    method: Any = session.method
    train_epoch, build = method.train_epoch, session.run.new_network
    counts: list[float] = []
    inside = False

    def count(module: Any, inputs: tuple[torch.Tensor], output: Any) -> None:
        if inside:
            counts[-1] += len(inputs[0]) * (1 if torch.is_grad_enabled() else 1 / 3)

    def watched(*parts: Any) -> Any:
        network = build(*parts)
        network.body.register_forward_hook(count)
        return network

    def counting(epoch: int) -> float:
        nonlocal inside
        inside = True
        counts.append(0.0)
        try:
            return float(train_epoch(epoch))
        finally:
            inside = False

    averages = [value for value in vars(method).values() if isinstance(value, ClassifierNetwork)]
    for network in (*session.networks, *averages):
        network.body.register_forward_hook(count)  # type: ignore[union-attr]
    session.run.new_network = watched  # type: ignore[method-assign]
    method.train_epoch = counting
    list(session.epochs())
    return [total / session.run.n for total in counts]


@pytest.mark.parametrize(
    "name",
    [
        *("ce", "mixup", "elr", "sat", "selc", "cdr", "sop", "forward", "backward", "volminnet"),
        *("joint-optimization", "pencil", "cores", "gjs", "peer-loss", "elr-plus", "ssr"),
        *("co-teaching", "co-teaching-plus", "jocor", "decoupling"),
    ],
)
def test_a_steady_method_makes_the_passes_it_declares(name: str, planted: Planted) -> None:
    session = planted(name, epochs=3)
    assert passes(session)[-1] == pytest.approx(session.method.cost, rel=0.02)


@pytest.mark.parametrize("name", ["dividemix", "unicon", "promix", "disc"])
def test_a_selecting_method_makes_about_the_passes_it_declares_at_half_wrong_labels(
    name: str, planted: Planted
) -> None:
    """How many depends on how many samples it selects."""
    session = planted(name, epochs=12, wrong=0.5)
    assert passes(session)[-1] == pytest.approx(session.method.cost, rel=0.25)


def test_pes_makes_the_passes_it_declares_where_it_is_confident(planted: Planted) -> None:
    """One pass of the confident samples, and two views of all without gradient."""
    session = planted("pes", epochs=12, wrong=0.0)
    assert passes(session)[-1] == pytest.approx(session.method.cost, rel=0.1)


def test_confident_learning_makes_one_pass_less_than_folds_and_that_of_what_is_kept(
    planted: Planted,
) -> None:
    session = planted("confident-learning", epochs=3, folds=3)
    found = passes(session)
    kept = float(session.method.kept.float().mean())
    # The three networks then predict all samples, without gradient: a third of a pass each.
    assert sum(found) == pytest.approx(3 * (2 + kept) + 1, rel=0.02)
    assert planted("confident-learning").method.cost == planted("confident-learning").method.folds


@pytest.mark.parametrize(("name", "share"), [("dual-t", 0.1), ("t-revision", 0.05)])
def test_an_estimator_adds_its_share_of_the_epochs(
    name: str, share: float, planted: Planted
) -> None:
    session = planted(name, epochs=4)  # of which the estimator takes two more: half of a short run
    found = passes(session)
    assert found[0] == pytest.approx(2 + 1 / 3 + 1, rel=0.02)
    assert found[-1] == pytest.approx(1, rel=0.02)
    assert session.method.estimator_share == share
    assert session.method.cost == pytest.approx(1 + share)

"""Each rule for k on each refiner that has one, from the parameter to the chosen head."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.conformance import fixture
from bench.errors import BenchError, PluginError
from bench.rank_rules import one_standard_error, parse_rule
from bench.records import Evaluation
from bench.refine.evaluate import evaluate_refiners
from bench.registry import Registry
from bench.training.context import evaluating
from bench.training.session import Session
from bench.training_spec import RefinerSpec

VARIANTS = ["lip", "lip-calibrated", "lip-crossfit", "lip-belief", "lip-kernel"]
RULES = ["noisy-val", "energy:0.7", "fixed:2"]
RANK = fixture.N_CLASSES


def trained(registry: Registry, method: str = "ce", held_out: float = 0.25) -> Session:
    """Two epochs on a small set with a quarter of wrong labels."""
    with fixture.undisturbed():
        session = fixture.session(registry.create("method", method, {}), held_out=held_out)
        for _ in session.epochs():
            pass
    return session


@pytest.fixture(scope="module")
def session(registry: Registry) -> Session:
    """Cross-entropy, with 40 samples held out."""
    return trained(registry)


@pytest.fixture(scope="module")
def whole(registry: Registry) -> Session:
    """Cross-entropy on everything: no held-out samples."""
    return trained(registry, held_out=0)


def evaluated(registry: Registry, session: Session, name: str, **params: Any) -> Evaluation:
    """One refiner on the session's heads."""
    refiner = registry.create("refiner", name, params)
    spec = RefinerSpec(name, name, name, params, "0")
    (found,), _ = evaluate_refiners(session, [(spec, refiner)])
    assert not found.error, found.error
    return found


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_fixed_rank_is_taken_as_it_is(
    registry: Registry, session: Session, name: str, k: int
) -> None:
    found = evaluated(registry, session, name, k=f"fixed:{k}")
    assert found.k == k
    assert found.test_accuracy == next(p.test_accuracy for p in found.curve if p.k == k)


def test_rank_zero_is_for_those_that_keep_nothing(registry: Registry, session: Session) -> None:
    # Nothing is kept at 0, so that there is no scale to calibrate on: its path begins at 1.
    assert evaluated(registry, session, "lip", k="fixed:0").k == 0
    assert evaluated(registry, session, "lip-calibrated", k="fixed:0").k == 1


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
def test_energy_takes_the_least_rank_that_holds_its_share(
    registry: Registry, session: Session, name: str, share: float
) -> None:
    (network,) = session.method.predictors()
    s = np.linalg.svd(network.head.weight.detach().numpy().astype(float), compute_uv=False)
    expected = next(
        k for k in range(1, RANK + 1) if (s[:k] ** 2).sum() >= share * (s**2).sum() - 1e-9
    )
    assert evaluated(registry, session, name, k=f"energy:{share}").k == expected


@pytest.mark.parametrize("name", VARIANTS)
def test_noisy_validation_takes_the_largest_rank_within_one_standard_error(
    registry: Registry, session: Session, name: str
) -> None:
    found = evaluated(registry, session, name)
    accuracies = {point.k: point.noisy_val_accuracy for point in found.curve}
    best = max(accuracies.values())
    floor = best - math.sqrt(best * (1 - best) / 40)
    assert found.k == max(k for k, value in accuracies.items() if value >= floor - 1e-9)


@pytest.mark.parametrize("name", VARIANTS)
def test_no_rule_of_a_refiner_looks_at_test_labels(
    registry: Registry, session: Session, name: str
) -> None:
    before = {rule: evaluated(registry, session, name, k=rule).k for rule in RULES}
    labels = session.test.labels
    labels.copy_(labels.flip(0))
    try:
        after = {rule: evaluated(registry, session, name, k=rule).k for rule in RULES}
    finally:
        labels.copy_(labels.flip(0))
    assert after == before


@pytest.mark.parametrize("name", [*VARIANTS, "psp", "tail-constant", "random-basis"])
@pytest.mark.parametrize("rule", ["oracle", "best-test", "energy:2", "fixed:1.5"])
def test_no_refiner_takes_a_rule_that_is_none(registry: Registry, name: str, rule: str) -> None:
    with pytest.raises(PluginError, match="no rule"):
        registry.get("refiner", name).resolve({"k": rule})


def test_without_held_out_samples_energy_works_and_validation_is_refused(
    registry: Registry, whole: Session
) -> None:
    assert evaluated(registry, whole, "lip", k="energy:0.9").noisy_val_accuracy is None
    lip = registry.create("refiner", "lip", {})
    (found,), _ = evaluate_refiners(whole, [(RefinerSpec("lip", "lip", "lip", {}, "0"), lip)])
    assert "needs held-out samples" in found.error
    assert found.test_accuracy is None


def test_belief_is_lip_where_the_method_believes_the_given_labels(
    registry: Registry, session: Session
) -> None:
    belief, plain = (evaluated(registry, session, name) for name in ("lip-belief", "lip"))
    assert belief.curve == plain.curve
    assert belief.k == plain.k


def test_belief_is_not_lip_where_the_method_has_come_to_believe_others(
    registry: Registry,
) -> None:
    session = trained(registry, "proden")
    given, believed = session.run.candidates, session.method.label_belief()
    assert not bool((given == believed).all())
    belief, plain = (evaluated(registry, session, name) for name in ("lip-belief", "lip"))
    assert belief.curve[-1] == plain.curve[-1]
    assert belief.curve != plain.curve


def in_evaluation(session: Session) -> tuple[Any, np.ndarray, np.ndarray]:
    """The head's module, and its features of held-out and of training samples."""
    (network,) = session.method.predictors()
    with evaluating(network):
        held, train = (
            session.run.in_blocks(inputs, network.features).numpy().astype(float)
            for inputs in (session.noisy_val.inputs, session.train_given.inputs)
        )
    return network.head, held, train


def test_crossfit_is_judged_on_the_half_that_it_did_not_fit(
    registry: Registry, session: Session
) -> None:
    found = evaluated(registry, session, "lip-crossfit")
    linear, x, train_x = in_evaluation(session)
    bias = linear.bias.detach().numpy().astype(float)
    u, s, vt = np.linalg.svd(linear.weight.detach().numpy().T.astype(float), full_matrices=False)
    given_y, y = session.run.candidates.numpy().astype(float), session.noisy_val.labels.numpy()
    t = ((train_x @ u) * (given_y @ vt.T)).sum(axis=0) / ((train_x @ u) ** 2).sum(axis=0)
    even = np.arange(len(y)) % 2 == 0
    hits = np.zeros(RANK + 1)
    for fitted, judged in ((even, ~even), (~even, even)):
        a, b = x[fitted] @ u, np.eye(RANK)[y[fitted]] @ vt.T
        slope = (a * b).sum(axis=0) / (a**2).sum(axis=0)
        rho = ((b - a * slope) ** 2).mean(axis=0) / t**2
        tail = (a * b).sum(axis=0) / ((a**2).sum(axis=0) + rho)
        for k in range(RANK + 1):
            values = np.where(np.arange(RANK) < k, s, tail)
            guess = ((x[judged] @ u * values) @ vt + bias).argmax(axis=1)
            hits[k] += (guess == y[judged]).sum()
    shown = [point.noisy_val_accuracy for point in found.curve]
    np.testing.assert_allclose(shown, hits / len(y), atol=1e-6)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_the_one_standard_error_rule_by_search(hits: list[int]) -> None:
    shares = [count / 50 for count in hits]
    chosen = one_standard_error(shares, 50)
    p = max(shares)
    allowed = p - np.sqrt(p * (1 - p)) / np.sqrt(50)
    assert shares[chosen] >= allowed - 1e-9
    assert all(share < allowed + 1e-9 for share in shares[chosen + 1 :])


@settings(max_examples=60)
@given(
    st.lists(st.floats(1e-3, 100), min_size=1, max_size=10).map(lambda v: sorted(v, reverse=True)),
    st.floats(0.01, 1),
)
def test_energy_by_search(values: list[float], share: float) -> None:
    energy = np.array(values) ** 2
    ks = tuple(range(len(values) + 1))
    rank = ks[parse_rule(f"energy:{share:.6f}").choose(ks, np.array(values), None, 0)]
    wanted = float(f"{share:.6f}") * energy.sum()
    assert energy[:rank].sum() >= wanted * (1 - 1e-9)
    assert energy[: rank - 1].sum() < wanted * (1 + 1e-9)
    assert rank >= 1


def test_a_refiner_that_needs_held_out_samples_fails_as_a_row(
    registry: Registry, whole: Session
) -> None:
    refiner = registry.create("refiner", "lip-crossfit", {"k": "fixed:1"})
    spec = RefinerSpec("c", "lip-crossfit", "lip-crossfit", {}, "0")
    (found,), _ = evaluate_refiners(whole, [(spec, refiner)])
    assert BenchError.__name__ in found.error
    assert "noisy_validation above 0" in found.error

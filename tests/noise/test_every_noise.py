"""What must hold of every noise that is shipped, whatever it models."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from training_sets import PlainTrainingSet, make_set

from bench.api import Noise
from bench.data.noise import NoiseArtefact, draw, seed_of
from bench.registry import Registry, discover

N, CLASSES = 3000, 4


def posterior(n: int = N) -> Any:
    """Soft-max of scores in which the true class has a margin of its own in each sample."""
    train = make_set(n, CLASSES)
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(n, CLASSES))
    scores[np.arange(n), train.labels] += rng.uniform(0, 5, n)
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> PlainTrainingSet:
    """Everything that any of the noises asks for."""
    folder = tmp_path_factory.mktemp("noise")
    plain = make_set(N, CLASSES, folder=folder, posteriors=posterior())
    wrong = np.where(np.arange(N) % 4 == 0, (plain.labels + 1) % CLASSES, plain.labels)
    rows = "\n".join(f"{a},{b}" for a, b in zip(plain.labels, wrong, strict=True))
    (folder / "labels.csv").write_text(f"label,label_noisy\n{rows}\n")
    torch.save(
        {"clean_label": plain.labels, "worse_label": wrong, "aggre_label": plain.labels},
        folder / "CIFAR-10_human.pt",
    )
    plain.others = {"elsewhere": np.full((N, 9, 9, 3), 200, dtype=np.uint8)}
    plain.given = wrong
    return plain


MATRIX = [[0.7, 0.3, 0, 0], [0, 0.9, 0.05, 0.05], [0.25, 0.25, 0.25, 0.25], [0, 0, 0, 1]]
CASES: dict[str, dict[str, Any]] = {
    "asymmetric": {"rate": 0.3, "map": {"a": "b", "c": "d"}},
    "clean": {},
    "flip-file": {"file": "labels.csv"},
    "human": {"labels": "worse"},
    "instance": {"rate": 0.3},
    "margin": {"rate": 0.3},
    "open-set": {"rate": 0.3, "source": "elsewhere"},
    "pairflip": {"rate": 0.3},
    "partial-class": {"q": 0.4},
    "partial-instance": {"q": 0.3},
    "partial-noisy": {"q": 0.3, "eta": 0.2},
    "partial-uniform": {"q": 0.3},
    "real": {},
    "symmetric": {"rate": 0.3},
    "transition": {"matrix": MATRIX},
}
"""Parameters for each noise; a new one needs a line here."""

LABELS = sorted(name for name in CASES if not name.startswith("partial-"))
"""Those that give one label a sample; the others have tests of their own as well."""
FIXED = {"clean", "flip-file", "human", "real"}
"""Labels that exist already: every seed gives the same."""


def create(registry: Registry, name: str) -> Noise:
    noise: Noise = registry.create("noise", name, CASES[name])
    return noise


def drawn(noise: Noise, train: PlainTrainingSet, seed: int) -> NoiseArtefact:
    if noise.name == "human":
        train = PlainTrainingSet(**{**vars(train), "name": "cifar10"})
    return draw(noise, train, seed)


def test_every_shipped_noise_is_in_the_table(registry: Registry) -> None:
    assert {info.name for info in registry.all("noise")} == CASES.keys()


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_in_range_and_one_a_sample(
    name: str, registry: Registry, train: PlainTrainingSet
) -> None:
    labels = drawn(create(registry, name), train, 5).labels
    assert labels.shape == (N,)
    assert labels.dtype == np.int64
    assert labels.min() >= 0
    assert labels.max() < CLASSES


@pytest.mark.parametrize("name", CASES)
def test_equal_seeds_give_equal_labels_and_others_do_not(
    name: str, registry: Registry, train: PlainTrainingSet
) -> None:
    noise = create(registry, name)
    first = drawn(noise, train, 5).sha
    assert drawn(noise, train, 5).sha == first
    assert (drawn(noise, train, 6).sha == first) == (name in FIXED)


@pytest.mark.parametrize("name", CASES)
def test_global_generators_neither_matter_nor_move(
    name: str, registry: Registry, train: PlainTrainingSet
) -> None:
    noise = create(registry, name)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    first = drawn(noise, train, 5).sha
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    random.seed(2)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    assert drawn(noise, train, 5).sha == first
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()


@settings(max_examples=10)
@given(order=st.permutations(sorted(CASES)))
def test_the_order_in_which_noises_are_drawn_changes_none_of_them(order: list[str]) -> None:
    registry, train = discover(), make_set(400, CLASSES, posteriors=posterior(400))
    names = [name for name in order if name not in ("flip-file", "human", "real")]
    train.others = {"elsewhere": np.full((400, 9, 9, 3), 200, dtype=np.uint8)}

    def sha(name: str) -> str:
        seed = seed_of(train.info.fingerprint, name, CASES[name], 0)
        return draw(create(registry, name), train, seed).sha

    alone = {name: sha(name) for name in sorted(names)}
    assert {name: sha(name) for name in names} == alone


@pytest.mark.parametrize("name", [name for name in LABELS if name != "open-set"])
def test_the_realised_rate_and_matrix_are_those_of_the_labels(
    name: str, registry: Registry, train: PlainTrainingSet
) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix

    artefact = drawn(create(registry, name), train, 5)
    assert artefact.rate == pytest.approx(1 - accuracy_score(train.labels, artefact.labels))
    oracle = confusion_matrix(train.labels, artefact.labels, normalize="true")
    np.testing.assert_allclose(artefact.matrix, oracle)


@pytest.mark.parametrize("name", LABELS)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_labels_follow_the_matrix_that_was_asked_for(name: str, seed: int) -> None:
    if name in FIXED | {"open-set"}:
        return
    noise = create(discover(), name)
    train = make_set(N, CLASSES, posteriors=posterior())
    nominal = noise.transition_matrix(train.info)
    if nominal is None:
        return
    given_labels = draw(noise, train, seed).labels
    for label in range(CLASSES):
        counts = np.bincount(given_labels[train.labels == label], minlength=CLASSES)
        expected = nominal[label] * counts.sum()
        possible = expected > 0
        assert counts[~possible].sum() == 0
        if possible.sum() > 1:
            assert stats.chisquare(counts[possible], expected[possible]).pvalue > 1e-9


@pytest.mark.parametrize("name", ["instance", "margin", "symmetric", "pairflip"])
def test_the_rate_is_the_one_that_was_asked_for(
    name: str, registry: Registry, train: PlainTrainingSet
) -> None:
    rate = drawn(create(registry, name), train, 11).rate
    low, high = stats.binom.interval(1 - 1e-6, N, 0.3)
    # The flip rates of instance noise vary: their mean is within 0.1/sqrt(N) of 0.3.
    slack = 5 * 0.1 / np.sqrt(N) if name == "instance" else 0
    assert low / N - slack <= (rate or 0) <= high / N + slack

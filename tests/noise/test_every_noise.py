"""What must hold of every noise that is shipped, whatever it models."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
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


def everything(folder: Path, n: int = N) -> PlainTrainingSet:
    """A training set with all that any of the noises asks for; every fourth label is wrong."""
    plain = make_set(n, CLASSES, folder=folder, posteriors=posterior(n))
    wrong = np.where(np.arange(n) % 4 == 0, (plain.labels + 1) % CLASSES, plain.labels)
    rows = "\n".join(f"{a},{b}" for a, b in zip(plain.labels, wrong, strict=True))
    (folder / "labels.csv").write_text(f"label,label_noisy\n{rows}\n")
    torch.save({"clean_label": plain.labels, "worse_label": wrong}, folder / "CIFAR-10_human.pt")
    plain.others = {"elsewhere": np.full((n, 9, 9, 3), 200, dtype=np.uint8)}
    plain.given = wrong
    return plain


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> PlainTrainingSet:
    """3,000 samples."""
    return everything(tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> PlainTrainingSet:
    """400 samples."""
    return everything(tmp_path_factory.mktemp("few"), 400)


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

SETS = sorted(name for name in CASES if name.startswith("partial-"))
LABELS = sorted(CASES.keys() - SETS)
"""Those that give one label a sample; the others have tests of their own as well."""
EYE = np.eye(CLASSES)
NEXT = np.roll(EYE, 1, axis=1)
WANTED: dict[str, Any] = {
    "asymmetric": [[0.7, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 0.7, 0.3], [0, 0, 0, 1]],
    "clean": EYE,
    "open-set": EYE,
    "pairflip": 0.7 * EYE + 0.3 * NEXT,
    "symmetric": 0.6 * EYE + 0.1,
    "transition": MATRIX,
}
"""P(given | true) of the noises that are described by one, from their papers."""
GIVEN = 0.75 * EYE + 0.25 * NEXT
RATES = {
    **{name: 1 - np.trace(matrix) / CLASSES for name, matrix in WANTED.items()},
    **dict.fromkeys(["flip-file", "human", "real"], 0.25),
    **dict.fromkeys(["instance", "margin", "open-set"], 0.3),
    **dict.fromkeys(["partial-class", "partial-instance", "partial-uniform"], 0.0),
    "partial-noisy": 0.2,
}
"""Share of wrong labels, foreign inputs, or sets without the true label, that is asked for."""
EMPTY = 0.2 * 0.7 ** (CLASSES - 1)
"""Chance that a set of partial-noisy would be empty, and is given one wrong label."""
JOINS: dict[str, Any] = {
    "partial-class": EYE + 0.4 * NEXT,
    "partial-noisy": 0.8 * EYE + (0.3 + EMPTY / (CLASSES - 1)) * (1 - EYE),
    "partial-uniform": EYE + 0.3 * (1 - EYE),
}
"""P(label is a candidate | true class)."""
FIXED = {"clean", "flip-file", "human", "real"}
"""Labels that exist already: every seed gives the same."""


@cache
def shipped() -> Registry:
    return discover()


def create(registry: Registry, name: str) -> Noise:
    noise: Noise = registry.create("noise", name, CASES[name])
    return noise


def drawn(noise: Noise, train: PlainTrainingSet, seed: int) -> NoiseArtefact:
    if noise.name == "human":
        train = PlainTrainingSet(**{**vars(train), "name": "cifar10"})
    return draw(noise, train, seed)


def test_every_shipped_noise_is_in_the_table(registry: Registry) -> None:
    assert {info.name for info in registry.all("noise")} == CASES.keys() == RATES.keys()


@pytest.mark.parametrize("name", LABELS)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**63 - 1))
def test_labels_are_in_range_and_one_a_sample(name: str, few: PlainTrainingSet, seed: int) -> None:
    labels = drawn(create(shipped(), name), few, seed).labels
    assert labels.shape == few.labels.shape
    assert labels.dtype == np.int64
    assert labels.min() >= 0
    assert labels.max() < CLASSES


@pytest.mark.parametrize("name", SETS)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**63 - 1))
def test_candidate_sets_are_never_empty_and_stand_in_place_of_labels(
    name: str, few: PlainTrainingSet, seed: int
) -> None:
    found = drawn(create(shipped(), name), few, seed)
    assert found.candidates is not None
    assert found.candidates.shape == (len(few.labels), CLASSES)
    assert found.candidates.any(axis=1).all()
    assert (found.labels == -1).all()


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**63 - 2))
def test_equal_seeds_give_equal_labels_and_others_do_not(
    name: str, few: PlainTrainingSet, seed: int
) -> None:
    noise = create(shipped(), name)
    first = drawn(noise, few, seed).sha
    assert drawn(create(shipped(), name), few, seed).sha == first
    assert (drawn(noise, few, seed + 1).sha == first) == (name in FIXED)


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
def test_the_order_in_which_noises_are_drawn_changes_none_of_them(
    few: PlainTrainingSet, order: list[str]
) -> None:
    def sha(name: str) -> str:
        seed = seed_of(few.info.fingerprint, name, CASES[name], 0)
        return drawn(create(shipped(), name), few, seed).sha

    alone = {name: sha(name) for name in sorted(CASES)}
    assert {name: sha(name) for name in order} == alone


@pytest.mark.parametrize("name", [name for name in LABELS if name != "open-set"])
def test_the_realised_rate_and_matrix_are_those_of_the_labels(
    name: str, registry: Registry, train: PlainTrainingSet
) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix

    artefact = drawn(create(registry, name), train, 5)
    assert artefact.rate == pytest.approx(1 - accuracy_score(train.labels, artefact.labels))
    oracle = confusion_matrix(train.labels, artefact.labels, normalize="true")
    np.testing.assert_allclose(artefact.matrix, oracle)


@pytest.mark.parametrize("name", WANTED)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_labels_follow_the_matrix_that_was_asked_for(
    name: str, train: PlainTrainingSet, seed: int
) -> None:
    noise = create(shipped(), name)
    np.testing.assert_allclose(noise.transition_matrix(train.info), WANTED[name], atol=1e-12)
    given_labels = draw(noise, train, seed).labels
    for label in range(CLASSES):
        counts = np.bincount(given_labels[train.labels == label], minlength=CLASSES)
        expected = np.asarray(WANTED[name])[label] * counts.sum()
        possible = expected > 0
        assert counts[~possible].sum() == 0
        if possible.sum() > 1:
            assert stats.chisquare(counts[possible], expected[possible]).pvalue > 1e-9


@pytest.mark.parametrize("name", ["flip-file", "human", "real"])
def test_labels_that_exist_are_given_as_they_are(name: str, train: PlainTrainingSet) -> None:
    found = drawn(create(shipped(), name), train, 5)
    np.testing.assert_array_equal(found.labels, train.given)
    np.testing.assert_allclose(found.matrix, GIVEN, atol=0.03)


@pytest.mark.parametrize("name", JOINS)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**31))
def test_candidates_join_as_often_as_was_asked_for(
    name: str, train: PlainTrainingSet, seed: int
) -> None:
    sets = drawn(create(shipped(), name), train, seed).candidates
    assert sets is not None
    for label, chances in enumerate(JOINS[name]):
        members = sets[train.labels == label]
        for joined, chance in zip(members.sum(axis=0), chances, strict=True):
            assert stats.binomtest(int(joined), len(members), chance).pvalue > 1e-9


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=4)
@given(seed=st.integers(0, 2**31))
def test_the_rate_is_the_one_that_was_asked_for(
    name: str, train: PlainTrainingSet, seed: int
) -> None:
    rate = drawn(create(shipped(), name), train, seed).rate
    assert rate is not None
    if name in FIXED or not RATES[name] or name == "open-set":
        assert rate == pytest.approx(RATES[name])
        return
    low, high = stats.binom.interval(1 - 1e-9, N, RATES[name])
    # The flip rates of instance noise vary: their mean is within 0.1/sqrt(N) of 0.3.
    slack = 7 * 0.1 / np.sqrt(N) if name == "instance" else 0
    assert low / N - slack <= rate <= high / N + slack

"""Noise models: rates, matrices, seeds; and that noise knows nothing of methods."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.api import DataInfo, Incompatible, Noise, TrainingSet
from bench.conformance.noise_fixture import FixtureTrainingSet
from bench.data.noise import ArtefactStore, draw, realised_matrix, seed_of
from bench.data.split import stratified_split
from datasets.cifar10 import Cifar10
from datasets.cifar100 import Cifar100
from datasets.noise.asymmetric import SUPERCLASSES, Asymmetric
from datasets.noise.clean import Clean
from datasets.noise.pairflip import PairFlip
from datasets.noise.symmetric import Symmetric

CLASSES = 5
INFO = DataInfo("toy", "0" * 64, 4000, 100, tuple("abcde"), (1, 8, 8))
TRAIN = FixtureTrainingSet(INFO, 4000 // CLASSES)
TRUE = TRAIN.labels
RATES = st.floats(0, 1)


def cifar100_info() -> DataInfo:
    return DataInfo("cifar100", "1" * 64, 100, 100, Cifar100.class_names, (3, 32, 32))


def noises(rate: float) -> list[Noise]:
    return [
        Symmetric(rate=rate, convention="exclusive"),
        Symmetric(rate=rate, convention="inclusive"),
        PairFlip(rate=rate),
        Asymmetric(rate=rate, map={"a": "b", "c": "d"}),
    ]


@settings(max_examples=15)
@given(rate=RATES, seed=st.integers(0, 2**31))
def test_realised_rates_lie_in_the_binomial_interval_of_the_matrix(rate: float, seed: int) -> None:
    for noise in noises(rate):
        artefact = draw(noise, TRAIN, seed)
        assert artefact.nominal is not None
        for label in range(CLASSES):
            members = artefact.labels[label == TRUE]
            wrong = 1 - artefact.nominal[label, label]
            low, high = stats.binom.interval(1 - 1e-9, len(members), min(max(wrong, 0), 1))
            assert low <= (members != label).sum() <= high


@settings(max_examples=10)
@given(rate=st.floats(0.1, 0.9), seed=st.integers(0, 2**31))
def test_given_labels_follow_the_matrix(rate: float, seed: int) -> None:
    for noise in noises(rate):
        artefact = draw(noise, TRAIN, seed)
        assert artefact.nominal is not None
        for label in range(CLASSES):
            counts = np.bincount(artefact.labels[label == TRUE], minlength=CLASSES)
            expected = artefact.nominal[label] * counts.sum()
            possible = expected > 0
            assert counts[~possible].sum() == 0
            if possible.sum() > 1:
                assert stats.chisquare(counts[possible], expected[possible]).pvalue > 1e-9


@settings(max_examples=20)
@given(rate=RATES)
def test_matrix_rows_sum_to_one(rate: float) -> None:
    for noise in noises(rate):
        np.testing.assert_allclose(noise.transition_matrix(INFO).sum(axis=1), 1)


def test_inclusive_noise_keeps_one_class_share_of_the_redrawn_labels() -> None:
    matrix = Symmetric(rate=0.5, convention="inclusive").transition_matrix(INFO)
    assert 1 - matrix[0, 0] == pytest.approx(0.5 * (1 - 1 / CLASSES))


def test_exclusive_noise_is_wrong_at_exactly_its_rate() -> None:
    matrix = Symmetric(rate=0.5, convention="exclusive").transition_matrix(INFO)
    assert 1 - matrix[0, 0] == pytest.approx(0.5)


def test_clean_changes_nothing() -> None:
    assert np.array_equal(draw(Clean(), TRAIN, 7).labels, TRUE)


def test_the_same_seed_gives_the_same_labels_whatever_was_drawn_before() -> None:
    first = draw(Symmetric(rate=0.4), TRAIN, 11)
    np.random.default_rng(5).random(100)
    draw(PairFlip(rate=0.2), TRAIN, 3)
    np.random.seed(0)  # noqa: NPY002 - the global generator must not matter
    assert draw(Symmetric(rate=0.4), TRAIN, 11).sha == first.sha


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    draw(Symmetric(rate=0.4), TRAIN, 11)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_seeds_rates_and_data_give_different_streams() -> None:
    base = seed_of("f", "symmetric", {"rate": 0.2}, 0)
    others = [
        seed_of("f", "symmetric", {"rate": 0.2}, 1),
        seed_of("f", "symmetric", {"rate": 0.5}, 0),
        seed_of("g", "symmetric", {"rate": 0.2}, 0),
        seed_of("f", "pairflip", {"rate": 0.2}, 0),
    ]
    assert len({base, *others}) == 5


def test_an_artefact_is_frozen_on_disk(tmp_path: Any) -> None:
    class Drifting(Symmetric):
        """As if numpy's generator had changed between two releases."""

        def corrupt(self, train: TrainingSet, rng: Any) -> Any:
            return (train.labels + 1) % CLASSES

    store = ArtefactStore(tmp_path)
    params = {"rate": 0.4, "convention": "exclusive"}
    first = store.get(Symmetric(rate=0.4), params, "s", TRAIN, 0)
    second = store.get(Drifting(rate=0.4), params, "s", TRAIN, 0)
    assert second.sha == first.sha
    assert np.array_equal(second.labels, first.labels)


def test_a_damaged_artefact_is_drawn_again(tmp_path: Any) -> None:
    store = ArtefactStore(tmp_path)
    first = store.get(PairFlip(rate=0.4), {"rate": 0.4}, "s", TRAIN, 0)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert store.get(PairFlip(rate=0.4), {"rate": 0.4}, "s", TRAIN, 0).sha == first.sha


def test_realised_matrix_counts_given_labels_by_true_class() -> None:
    matrix = realised_matrix(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]), 3)
    np.testing.assert_allclose(matrix, [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]])


class ByImage(Noise):
    """Depends on more than the class."""

    name = "by-image"

    def corrupt(self, train: TrainingSet, rng: Any) -> Any:
        """Every second label becomes the first class."""
        return np.where(train.index % 2, train.labels, 0)


def test_a_noise_without_a_matrix_has_only_a_realised_one() -> None:
    artefact = draw(ByImage(), TRAIN, 0)
    assert artefact.nominal is None
    np.testing.assert_allclose(artefact.matrix.sum(axis=1), 1)


def test_a_noise_that_describes_nothing_is_told_what_to_define() -> None:
    class Nothing(Noise):
        name = "nothing"

    with pytest.raises(TypeError, match=r"neither transition_matrix\(\) nor corrupt\(\)"):
        draw(Nothing(), TRAIN, 0)


def test_an_error_inside_a_matrix_is_not_taken_for_having_none() -> None:
    class Unfinished(ByImage):
        def transition_matrix(self, data: DataInfo) -> Any:
            raise NotImplementedError("one branch is missing")

    with pytest.raises(NotImplementedError, match="one branch"):
        draw(Unfinished(), TRAIN, 0)


def test_cifar10_map_has_the_five_published_confusions() -> None:
    info = DataInfo("cifar10", "2" * 64, 10, 10, Cifar10.class_names, (3, 32, 32))
    matrix = Asymmetric(rate=0.4, map="cifar10").transition_matrix(info)
    pairs = {(int(a), int(b)) for a, b in np.argwhere(matrix > 0) if a != b}
    assert pairs == {(9, 1), (2, 0), (3, 5), (5, 3), (4, 7)}


def test_fine_id_blocks_flip_inside_five_consecutive_ids() -> None:
    matrix = Asymmetric(rate=0.4, map="fine-id-blocks").transition_matrix(cifar100_info())
    for label in range(100):
        assert matrix[label, 5 * (label // 5) + (label + 1) % 5] == pytest.approx(0.4)


def test_superclass_next_stays_inside_the_superclass() -> None:
    info = cifar100_info()
    matrix = Asymmetric(rate=0.4, map="superclass-next").transition_matrix(info)
    group = {name: i for i, names in enumerate(SUPERCLASSES) for name in names.split()}
    for true, given_ in np.argwhere(matrix > 0):
        assert group[info.class_names[true]] == group[info.class_names[given_]]


def test_superclass_map_goes_by_name_and_not_by_id() -> None:
    shuffled = tuple(reversed(Cifar100.class_names))
    info = DataInfo("mine", "3" * 64, 10, 10, shuffled, (3, 32, 32))
    matrix = Asymmetric(rate=0.4, map="superclass-next").transition_matrix(info)
    assert matrix[shuffled.index("beaver"), shuffled.index("dolphin")] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("noise", "reason"),
    [
        (Asymmetric(rate=0.4), "needs a map"),
        (Asymmetric(rate=0.4, map="superclass"), "did you mean 'superclass-next'"),
        (Asymmetric(rate=0.4, map="cifar10"), "other classes"),
        (Asymmetric(rate=0.4, map={"a": "z"}), "names 'z', no class of toy"),
    ],
)
def test_an_impossible_map_is_refused_with_its_reason(noise: Asymmetric, reason: str) -> None:
    with pytest.raises(Incompatible, match=reason):
        noise.check(INFO)


def test_held_out_samples_are_stratified_on_given_labels_and_disjoint() -> None:
    given_labels = np.repeat([0, 1, 2], [500, 300, 200])
    kept, held = stratified_split(given_labels, 0.1, seed=4)
    assert sorted([*kept, *held]) == list(range(1000))
    assert np.bincount(given_labels[held]).tolist() == [50, 30, 20]


def test_holding_nothing_out_keeps_everything() -> None:
    kept, held = stratified_split(np.array([0, 1, 1, 0]), 0.0, seed=4)
    assert kept.tolist() == [0, 1, 2, 3]
    assert held.tolist() == []

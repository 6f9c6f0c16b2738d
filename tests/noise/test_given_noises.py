"""A matrix in the suite, foreign images, and labels as they came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_sets import PlainTrainingSet, make_set

from bench.api import DataInfo, Incompatible
from bench.data.noise import OPEN, ArtefactStore, draw
from bench.errors import PluginError
from datasets.noise.clean import Clean
from datasets.noise.open_set import OpenSet, fitted
from datasets.noise.real import Real
from datasets.noise.transition import Transition

INFO = DataInfo("toy", "0" * 64, 10, 10, ("cat", "dog"), (1, 8, 8))
GOOD = [[0.9, 0.1], [0.3, 0.7]]


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([[0.9, 0.2], [0.3, 0.7]], r"row 0 \(cat\) sums to 1.1"),
        ([[0.9, 0.1], [-0.3, 1.3]], "row 1 has an entry that is no probability"),
        ([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0]], "row 0 has 3 entries; toy has 2 classes"),
        ([[0.9, 0.1]], "has 1 rows; toy has 2 classes"),
        ([[float("nan"), 0.1], [0.3, 0.7]], "row 0 has an entry that is no probability"),
    ],
)
def test_a_matrix_that_is_none_is_refused(matrix: list[list[float]], reason: str) -> None:
    with pytest.raises(Incompatible, match=reason):
        Transition(matrix=matrix).check(INFO)


def test_a_matrix_or_its_file_is_needed_and_not_both(tmp_path: Path) -> None:
    for noise in (Transition(), Transition(matrix=GOOD, file="m.csv")):
        with pytest.raises(Incompatible, match="either a matrix or the file of one"):
            noise.check(INFO)


@pytest.mark.parametrize("header", ["", "cat,dog\n"])
def test_a_matrix_is_read_from_csv_with_and_without_names(header: str, tmp_path: Path) -> None:
    path = tmp_path / "flips.csv"
    path.write_text(f"{header}0.9,0.1\n0.3,0.7\n")
    noise = Transition(file=str(path))
    np.testing.assert_allclose(noise.transition_matrix(INFO), GOOD)
    assert noise.describe() == "transition flips"


def test_a_csv_with_other_class_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flips.csv"
    path.write_text("dog,cat\n0.9,0.1\n0.3,0.7\n")
    with pytest.raises(Incompatible, match="its columns are dog, cat"):
        Transition(file=str(path)).check(INFO)


def test_a_changed_matrix_file_gives_new_labels_although_the_old_were_kept(
    toy: PlainTrainingSet, tmp_path: Path
) -> None:
    store, path = ArtefactStore(tmp_path / "kept"), tmp_path / "flips.csv"
    noise = Transition(file=str(path))
    params = {"file": str(path)}
    for rate in (0.0, 1.0, 0.0):
        np.savetxt(path, (1 - rate) * np.eye(4) + rate * np.roll(np.eye(4), 1, axis=1))
        path.write_text(path.read_text().replace(" ", ","))
        artefact = store.get(noise, params, "s", toy, 0)
        assert artefact.rate == rate
        np.testing.assert_array_equal(artefact.labels, (toy.labels + int(rate)) % 4)


def foreign_set(**more: object) -> PlainTrainingSet:
    train = make_set(500, 4, **more)
    rng = np.random.default_rng(5)
    train.others = {"elsewhere": rng.integers(0, 256, (300, 12, 12, 3)).astype(np.uint8)}
    return train


def test_open_set_noise_replaces_that_share_of_images_and_keeps_labels() -> None:
    train = foreign_set()
    artefact = draw(OpenSet(rate=0.3, source="elsewhere"), train, 0)
    np.testing.assert_array_equal(artefact.labels, train.labels)
    assert artefact.foreign is not None
    assert len(artefact.foreign.rows) == 150
    assert artefact.open_rate == artefact.rate == 0.3
    assert artefact.foreign.inputs.shape == (150, 6, 6, 1)
    true = artefact.true(train, known=True)
    assert true is not None
    np.testing.assert_array_equal(np.flatnonzero(true == OPEN), artefact.foreign.rows)
    np.testing.assert_array_equal(artefact.matrix, np.eye(4))


def test_foreign_images_are_kept_with_the_artefact_and_are_part_of_its_hash(
    tmp_path: Path,
) -> None:
    train, noise = foreign_set(), OpenSet(rate=0.3, source="elsewhere")
    first = ArtefactStore(tmp_path).get(noise, {}, "s", train, 0)
    again = ArtefactStore(tmp_path).get(noise, {}, "s", train, 0)
    assert first.foreign is not None
    assert again.foreign is not None
    np.testing.assert_array_equal(first.foreign.inputs, again.foreign.inputs)
    assert first.sha == again.sha
    other = draw(noise, foreign_set(), 1)
    assert np.array_equal(other.labels, first.labels)
    assert other.sha != first.sha


def test_a_source_that_is_too_small_says_what_can_be_reached() -> None:
    with pytest.raises(Incompatible, match=r"needs 400 images, .* can reach here is 0.600"):
        draw(OpenSet(rate=0.8, source="elsewhere"), foreign_set(), 0)


@pytest.mark.parametrize(
    ("noise", "reason"),
    [
        (OpenSet(), "needs the data set that its images come from"),
        (OpenSet(source="toy"), "no open-set noise on itself"),
    ],
)
def test_open_set_noise_needs_another_set(noise: OpenSet, reason: str) -> None:
    with pytest.raises(Incompatible, match=reason):
        noise.check(INFO)


def test_grey_becomes_colour_and_colour_becomes_luma() -> None:
    grey = np.full((2, 4, 4, 1), 90, dtype=np.uint8)
    assert (fitted(grey, (4, 4, 3)) == 90).all()
    red = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    red[..., 0] = 200
    assert fitted(red, (4, 4, 1)).tolist() == np.full((1, 4, 4, 1), 60).tolist()


def test_a_noise_that_replaces_rows_out_of_order_is_caught(toy: PlainTrainingSet) -> None:
    class Backwards(OpenSet):
        def replace(self, train, rng):  # type: ignore[no-untyped-def]
            found = super().replace(train, rng)
            return type(found)(found.rows[::-1], found.inputs)

    toy.others = {"elsewhere": np.zeros((2000, 6, 6, 1), dtype=np.uint8)}
    with pytest.raises(PluginError, match="ascending rows"):
        draw(Backwards(rate=0.1, source="elsewhere"), toy, 0)


def test_labels_as_they_came_are_used_and_counted_where_the_truth_is_known() -> None:
    train = make_set(300, 3)
    train.given = np.where(np.arange(300) < 30, (train.labels + 1) % 3, train.labels)
    artefact = draw(Real(), train, 0)
    np.testing.assert_array_equal(artefact.labels, train.given)
    assert artefact.rate == pytest.approx(0.1)


def test_nobody_knows_the_rate_where_nobody_knows_the_truth() -> None:
    train = make_set(300, 3, truth=False)
    artefact = draw(Real(), train, 0)
    assert artefact.rate is None
    assert artefact.matrix is None


def test_true_labels_are_not_called_real_and_unknown_ones_not_clean() -> None:
    with pytest.raises(Incompatible, match="use clean"):
        draw(Real(), make_set(30, 3), 0)
    with pytest.raises(Incompatible, match=r"are not known.*real"):
        draw(Clean(), make_set(30, 3, truth=False), 0)

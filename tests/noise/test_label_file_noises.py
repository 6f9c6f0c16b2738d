"""Labels from files: human labels, released vectors, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from training_sets import PlainTrainingSet, make_set

from bench.api import DataError, DataInfo, Incompatible
from bench.data.label_files import read_labels
from bench.data.noise import draw
from datasets.cifar100 import Cifar100
from datasets.cifar100_coarse import COARSE
from datasets.noise.flip_file import FlipFile
from datasets.noise.human import Human

RATES = {
    "aggre_label": 0.0901,
    "random_label1": 0.1723,
    "random_label2": 0.1812,
    "random_label3": 0.1764,
    "worse_label": 0.4021,
}


def csv(path: Path, *columns: np.ndarray, names: str) -> None:
    rows = "\n".join(",".join(map(str, row)) for row in zip(*columns, strict=True))
    path.write_text(f"{names}\n{rows}\n")


def human_set(folder: Path, **more: object) -> PlainTrainingSet:
    """A part of a made-up CIFAR-10: every third of 600 positions, and its label file."""
    whole = make_set(600, 4)
    worse = (whole.labels + (np.arange(600) % 5 == 0)) % 4
    labels = {"clean_label": whole.labels, "worse_label": worse}
    torch.save({key: values.tolist() for key, values in labels.items()}, folder / "all.pt")
    torch.save(labels, folder / "CIFAR-10_human.pt")
    rows = np.arange(0, 600, 3)
    return PlainTrainingSet(
        labels=whole.labels[rows],
        inputs=whole.inputs[rows],
        class_names=whole.class_names,
        name="cifar10",
        index=rows,
        n_canonical=600,
        folder=folder,
    )


@pytest.mark.parametrize(("column", "rate"), RATES.items())
def test_official_human_labels_are_wrong_at_the_published_rates(
    column: str, rate: float, real_data: Callable[[str], Path]
) -> None:
    file = read_labels(real_data("CIFAR-10_human.pt"))
    wrong = (file.columns[column] != file.columns["clean_label"]).mean()
    assert wrong == pytest.approx(rate, abs=5e-5)


def test_official_cifar100n_is_wrong_as_counted_on_fine_and_coarse_classes(
    real_data: Callable[[str], Path],
) -> None:
    file = read_labels(real_data("CIFAR-100_human.pt")).columns
    assert (file["noisy_label"] != file["clean_label"]).mean() == pytest.approx(0.4020, abs=5e-5)
    wrong = (file["noisy_coarse_label"] != file["clean_coarse_label"]).mean()
    assert wrong == pytest.approx(0.2640, abs=5e-5)


@pytest.mark.parametrize("kind", ["aggre", "random1", "random2", "random3", "worse"])
def test_official_labels_are_accepted_and_edited_ones_refused(
    kind: str, real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    columns = read_labels(real_data("CIFAR-10_human.pt")).columns
    train = make_set(20, 10)
    train.name, train.n_canonical, train.folder = "cifar10", 50_000, tmp_path
    train.labels = columns["clean_label"][:20]
    torch.save(columns, tmp_path / "CIFAR-10_human.pt")
    column = {"aggre": "aggre_label", "worse": "worse_label"}.get(kind, f"random_label{kind[-1]}")
    given = draw(Human(labels=kind), train, 0).labels
    np.testing.assert_array_equal(given, columns[column][:20])
    columns[column][-1] = (columns[column][-1] + 1) % 10
    torch.save(columns, tmp_path / "CIFAR-10_human.pt")
    with pytest.raises(DataError, match=rf"{column} differs from the one that was released"):
        draw(Human(labels=kind), train, 0)


@pytest.mark.parametrize(("name", "kind"), [("cifar100", "fine"), ("cifar100-coarse", "coarse")])
def test_official_cifar100n_is_accepted(
    name: str, kind: str, real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    path = real_data("CIFAR-100_human.pt")
    clean, given = {
        "fine": ("clean_label", "noisy_label"),
        "coarse": ("clean_coarse_label", "noisy_coarse_label"),
    }[kind]
    columns = read_labels(path).columns
    train = PlainTrainingSet(
        labels=columns[clean][:50],
        inputs=np.zeros((50, 2, 2, 3), dtype=np.uint8),
        class_names=tuple(map(str, range(columns[clean].max() + 1))),
        name=name,
        n_canonical=50_000,
        folder=path.parent,
    )
    np.testing.assert_array_equal(draw(Human(labels=kind), train, 0).labels, columns[given][:50])


def test_our_superclasses_are_those_of_the_official_file(real_data: Callable[[str], Path]) -> None:
    file = read_labels(real_data("CIFAR-100_human.pt")).columns
    ours = np.array([COARSE[name] for name in Cifar100.class_names])
    np.testing.assert_array_equal(ours[file["clean_label"]], file["clean_coarse_label"])


def test_human_labels_are_aligned_by_canonical_position(tmp_path: Path) -> None:
    train = human_set(tmp_path)
    given = draw(Human(labels="worse"), train, 0).labels
    expected = (train.labels + (train.index % 5 == 0)) % 4
    np.testing.assert_array_equal(given, expected)


def test_human_labels_of_images_in_another_order_are_refused(tmp_path: Path) -> None:
    train = human_set(tmp_path)
    train.index = train.index[::-1].copy()
    with pytest.raises(Incompatible, match=r"differ from those of cifar10 in \d+ of 200 samples"):
        draw(Human(labels="worse"), train, 0)


def test_human_labels_exist_for_few_data_sets_and_kinds() -> None:
    toy = DataInfo("digits", "0" * 64, 10, 10, tuple("ab"), (1, 8, 8))
    with pytest.raises(Incompatible, match="exist for cifar10"):
        Human().check(toy)
    cifar = DataInfo("cifar10", "0" * 64, 10, 10, tuple("ab"), (3, 8, 8))
    with pytest.raises(Incompatible, match="no human labels called 'fine'"):
        Human(labels="fine").check(cifar)


def test_a_missing_human_file_says_how_to_bring_it(tmp_path: Path) -> None:
    train = human_set(tmp_path)
    (tmp_path / "CIFAR-10_human.pt").unlink()
    with pytest.raises(DataError, match="data import cifar10n FILE"):
        draw(Human(labels="worse"), train, 0)


@pytest.mark.parametrize("suffix", ["csv", "json", "npy", "pt"])
def test_a_flip_file_gives_the_very_labels_in_every_format(
    suffix: str, toy: PlainTrainingSet
) -> None:
    wrong = np.where(np.arange(len(toy.labels)) % 3 == 0, (toy.labels + 1) % 4, toy.labels)
    path = toy.folder / f"labels.{suffix}"
    if suffix == "csv":
        csv(path, toy.labels, wrong, names="label,label_noisy")
    elif suffix == "json":
        path.write_text(str(wrong.tolist()))
    elif suffix == "npy":
        np.save(path, wrong)
    else:
        torch.save({"noisy": wrong}, path)
    given = draw(FlipFile(file=path.name), toy, 0).labels
    np.testing.assert_array_equal(given, wrong)


def test_a_flip_file_of_another_length_is_refused(toy: PlainTrainingSet) -> None:
    np.save(toy.folder / "short.npy", toy.labels[:-1])
    with pytest.raises(DataError, match="1,999 labels, but the training set of toy has 2,000"):
        draw(FlipFile(file="short.npy"), toy, 0)


def test_a_flip_file_with_other_true_labels_is_refused(toy: PlainTrainingSet) -> None:
    other = toy.labels.copy()
    other[17] = (other[17] + 1) % 4
    csv(toy.folder / "other.csv", other, toy.labels, names="label,label_noisy")
    with pytest.raises(DataError, match=r"in 1 of 2,000 samples, first at position 17"):
        draw(FlipFile(file="other.csv"), toy, 0)


def test_labels_that_agree_no_more_than_chance_are_refused(toy: PlainTrainingSet) -> None:
    np.save(toy.folder / "other.npy", np.random.default_rng(0).permutation(toy.labels))
    with pytest.raises(DataError, match="no more than chance would"):
        draw(FlipFile(file="other.npy"), toy, 0)


def test_a_label_out_of_range_is_refused(toy: PlainTrainingSet) -> None:
    labels = toy.labels.copy()
    labels[3] = 4
    np.save(toy.folder / "high.npy", labels)
    with pytest.raises(DataError, match="the label 4 at position 3; toy has classes 0 to 3"):
        draw(FlipFile(file="high.npy"), toy, 0)


def test_an_unknown_column_offers_the_nearest(toy: PlainTrainingSet) -> None:
    csv(toy.folder / "two.csv", toy.labels, toy.labels, names="label,label_noisy")
    with pytest.raises(DataError, match="did you mean 'label_noisy'"):
        draw(FlipFile(file="two.csv", column="label_nosy"), toy, 0)


def test_a_changed_file_gives_new_labels_although_the_old_were_kept(
    toy: PlainTrainingSet, tmp_path: Path
) -> None:
    from bench.data.noise import ArtefactStore

    store, noise = ArtefactStore(tmp_path / "kept"), FlipFile(file="labels.npy")
    np.save(toy.folder / "labels.npy", toy.labels)
    first = store.get(noise, {}, "s", toy, 0)
    np.save(toy.folder / "labels.npy", np.where(toy.index == 0, 1 - toy.labels % 2, toy.labels))
    second = store.get(noise, {}, "s", toy, 0)
    assert first.rate == 0
    assert (second.labels != first.labels).sum() <= 1
    assert second.sha != first.sha or toy.labels[0] == 1 - toy.labels[0] % 2


def test_the_weak_annotator_that_is_shipped_is_a_nearest_neighbour(data_dir: Path) -> None:
    from sklearn.datasets import load_digits
    from sklearn.neighbors import KNeighborsClassifier

    from bench.artefacts import SHIPPED
    from bench.data.prepared import load
    from bench.registry import discover

    digits = load_digits()
    seen = load("digits", data_dir, discover()).train.index[:20]
    oracle = KNeighborsClassifier(1).fit(digits.data[seen], digits.target[seen])
    file = read_labels(SHIPPED / "digits_nearest_of_20.csv")
    np.testing.assert_array_equal(file.given(), oracle.predict(digits.data))
    np.testing.assert_array_equal(file.columns["label"], digits.target)

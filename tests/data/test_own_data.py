"""A user's own folder or table, in one line of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.data import arrays, prepared
from bench.errors import DataError
from bench.registry import Registry


def photos(root: Path, per_class: int = 10, top: str = "") -> Path:
    rng = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog")):
        for i in range(per_class):
            pixels = rng.integers(0, 100, (20 + i, 30, 3)).astype(np.uint8) + 100 * label
            path = root / top / name / ("deep" if i % 2 else "") / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root


def load(name: str, data_dir: Path, registry: Registry, **params: Any) -> arrays.Prepared:
    return prepared.load(registry.bind("dataset", name, params), data_dir, registry)


def test_a_folder_of_classes_is_split_once_by_class(
    tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    root = photos(tmp_path / "photos")
    found = load("image-folder", data_dir, registry, path=str(root), size=8)
    assert found.info.class_names == ("cat", "dog")
    assert np.bincount(found.train.labels).tolist() == [8, 8]
    assert np.bincount(found.test.labels).tolist() == [2, 2]
    assert found.info.label == "image-folder photos"
    assert not set(found.train.index) & set(found.test.index)
    again = load("image-folder", tmp_path / "again", registry, path=str(root), size=8)
    assert again.info.fingerprint == found.info.fingerprint


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_a_folder_with_its_own_test_images_keeps_them(
    test_name: str, tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    root = photos(tmp_path / "photos", 4, "train")
    photos(root, 2, test_name)
    found = load("image-folder", data_dir, registry, path=str(root), size=8)
    assert (found.info.n_train, found.info.n_test) == (8, 4)


def test_two_folders_are_two_data_sets(tmp_path: Path, data_dir: Path, registry: Registry) -> None:
    names = [
        registry.bind("dataset", "image-folder", {"path": str(photos(tmp_path / word))})
        for word in ("one", "two")
    ]
    assert len(set(names)) == 2
    for name in names:
        prepared.load(name, data_dir, registry)
    assert all(arrays.exists(name, data_dir) for name in names)


def test_whether_labels_are_true_is_the_users_to_say(
    tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    root = str(photos(tmp_path / "photos"))
    assert not load("image-folder", data_dir, registry, path=root).info.truth
    assert load("image-folder", data_dir, registry, path=root, truth=True).info.truth


def test_a_changed_folder_is_read_again(tmp_path: Path, data_dir: Path, registry: Registry) -> None:
    root = photos(tmp_path / "photos")
    first = load("image-folder", data_dir, registry, path=str(root)).info
    Image.new("RGB", (9, 9), (7, 7, 7)).save(root / "cat" / "new.png")
    second = load("image-folder", data_dir, registry, path=str(root)).info
    assert second.fingerprint != first.fingerprint
    assert second.n_train + second.n_test == first.n_train + first.n_test + 1


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda root: root, "is no folder"),
        (lambda root: (root / "cat").mkdir(parents=True), "has 1 class folders"),
        (
            lambda root: [(root / n).mkdir(parents=True) for n in ("cat", "dog")],
            "cat holds no images",
        ),
        (lambda root: photos(root, 1), "class 'cat' has 1 sample; it needs two"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(
    make: Any, reason: str, tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    make(tmp_path / "photos")
    with pytest.raises(DataError, match=reason):
        load("image-folder", data_dir, registry, path=str(tmp_path / "photos"))


def test_a_path_is_needed(data_dir: Path, registry: Registry) -> None:
    for name in ("image-folder", "feature-table"):
        with pytest.raises(DataError, match="needs a path"):
            prepared.load(name, data_dir, registry)


def table(path: Path, **arrays: Any) -> str:
    rng = np.random.default_rng(0)
    columns = {
        "features": rng.normal(size=(40, 3)),
        "labels": np.arange(40) % 2,
        **arrays,
    }
    np.savez(path, **{key: values for key, values in columns.items() if values is not None})
    return str(path)


def test_an_npz_of_features_and_labels(tmp_path: Path, data_dir: Path, registry: Registry) -> None:
    found = load("feature-table", data_dir, registry, path=table(tmp_path / "mine.npz"))
    assert found.train.inputs.dtype == np.float32
    assert (found.info.n_train, found.info.n_test, found.info.shape) == (32, 8, (3,))
    assert not found.info.truth
    assert not found.info.given
    assert found.info.label == "feature-table mine"


def test_true_labels_beside_given_ones_are_the_truth(
    tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    given = np.arange(40) % 2
    true = given.copy()
    true[:4] = 1 - true[:4]
    path = table(tmp_path / "mine.npz", labels=given, true_labels=true)
    found = load("feature-table", data_dir, registry, path=path)
    assert found.info.truth
    assert found.info.given
    train = found.train
    np.testing.assert_array_equal(train.labels, true[train.index])
    np.testing.assert_array_equal(train.given, given[train.index])


def test_a_test_part_of_its_own_is_kept(tmp_path: Path, data_dir: Path, registry: Registry) -> None:
    path = table(tmp_path / "mine.npz", test_features=np.ones((6, 3)), test_labels=np.arange(6) % 2)
    found = load("feature-table", data_dir, registry, path=path)
    assert (found.info.n_train, found.info.n_test) == (40, 6)


def test_a_csv_with_names_splits_and_true_labels(
    tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    rows = ["height,width,label,true_label,split"]
    for i in range(12):
        name = ["cat", "dog"][i % 2]
        part = "test" if i >= 8 else "train"
        rows.append(f"{i}.5,{i},{'dog' if i == 0 else name},{name},{part}")
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(rows) + "\n")
    found = load("feature-table", data_dir, registry, path=str(path))
    assert found.info.class_names == ("cat", "dog")
    assert found.train.labels.tolist() == [0, 1] * 4
    assert found.train.given.tolist() == [1, 1, *[0, 1] * 3]
    assert found.train.inputs[0].tolist() == [0.5, 0.0]
    assert found.info.n_test == 4


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"labels": None}, "has no array 'labels'"),
        ({"labels": np.arange(39) % 2}, "40 features, but 39 labels"),
        ({"features": np.full((40, 3), np.nan)}, "feature 0 of sample 0 is nan"),
        ({"features": np.ones(40)}, r"shape \(40,\)"),
        ({"test_features": np.ones((4, 3))}, "only one of test_features and test_labels"),
        ({"class_names": np.array(["a", "b"]), "labels": np.arange(40) % 3}, "is no class"),
        ({"features": np.full((40, 3), 1e300)}, "feature 0 of sample 0 is 1e\\+300"),
        ({"features": np.ones((40, 3))}, "every feature is the same in every sample"),
        ({"labels": np.arange(40) % 2 + 1}, "class 0 has no sample"),
        ({"labels": np.arange(40) % 2 * 10**9}, "class 1 has no sample"),
        ({"labels": np.arange(40) % 2 - 1}, "labels holds -1, below 0"),
        ({"labels": np.arange(40) % 2 / 2}, "labels holds 0.5, no class id"),
        ({"labels": np.zeros((40, 2), int)}, r"labels has shape \(40, 2\)"),
        ({"labels": np.minimum(np.arange(40), 2)}, "class '0' has 1 sample; it needs two"),
        ({"true_labels": np.arange(39) % 2}, "40 features, but 39 true_labels"),
        ({"features": np.ones((0, 3)), "labels": np.arange(0)}, "holds no samples"),
        (
            {"test_features": np.ones((6, 3)), "test_labels": np.arange(6) % 3},
            "class '2' has test samples, but none to train on",
        ),
    ],
)
def test_an_npz_that_is_no_table_is_refused(
    arrays: dict[str, Any], reason: str, tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    path = table(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=reason):
        load("feature-table", data_dir, registry, path=path)


def test_ids_may_be_stored_as_floats(tmp_path: Path, data_dir: Path, registry: Registry) -> None:
    path = table(tmp_path / "mine.npz", labels=np.arange(40) % 2 + 0.0)
    found = load("feature-table", data_dir, registry, path=path)
    assert found.info.class_names == ("0", "1")


def test_a_class_that_is_named_may_be_absent(
    tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    path = table(tmp_path / "mine.npz", class_names=np.array(["cat", "dog", "eel"]))
    found = load("feature-table", data_dir, registry, path=path)
    assert found.info.class_names == ("cat", "dog", "eel")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", r"mine\.csv:1: needs a header with the column 'label'"),
        ("a,label\n1,0\nx,1\n", r"mine\.csv:3: could not convert"),
        ("a,label\n1,0\n1\n", r"mine\.csv:3: 1 cells, expected 2"),
        ("a,label,split\n1,0,train\n1,1,dev\n", r"mine\.csv:3: split is 'dev'"),
        ("a,label\n1,-1\n2,0\n", "labels holds -1, below 0"),
        ("a,label,split\n1,x,train\n2,y,train\n3,z,test\n", "class 'z' has test samples"),
    ],
)
def test_a_csv_that_is_no_table_is_refused_with_its_line(
    text: str, reason: str, tmp_path: Path, data_dir: Path, registry: Registry
) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        load("feature-table", data_dir, registry, path=str(path))

"""Partial-label data sets in the field's MATLAB layout, from their files to prepared arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from bench.data.arrays import Prepared
from bench.data.importer import import_copy
from bench.data.inventory import verify_layout
from bench.data.prepared import load
from bench.errors import DataError
from bench.registry import Registry

N, D, C = 40, 5, 4
Tables = dict[str, Any]


@pytest.fixture
def tables() -> Tables:
    """A small set whose candidates are the true label and the next one."""
    rng = np.random.default_rng(0)
    target = np.zeros((C, N))
    target[np.arange(N) % C, np.arange(N)] = 1
    return {
        "data": rng.normal(size=(N, D)),
        "target": target,
        "partial_target": np.minimum(target + np.roll(target, 1, axis=0), 1),
    }


@pytest.fixture
def bring(tmp_path: Path, registry: Registry) -> Callable[..., Prepared]:
    """Write a file as BirdSong's, perhaps with splits beside it; import and load it."""

    def go(tables: Tables, splits: Any = None, **params: Any) -> Prepared:
        folder = tmp_path / "released"
        folder.mkdir(exist_ok=True)
        scipy.io.savemat(folder / "BirdSong.mat", tables)
        if splits is not None:
            scipy.io.savemat(folder / "splits_birdsong.mat", {"indices": splits})
        bound = registry.bind("dataset", "birdsong", params)
        import_copy(bound, folder, tmp_path / "prepared", registry)
        return load(bound, tmp_path / "prepared", registry)

    return go


def test_a_pool_has_its_sets_and_true_labels(
    bring: Callable[..., Prepared], tables: Tables
) -> None:
    found = bring(tables)
    assert found.info.partial
    assert found.info.n_folds == 10
    np.testing.assert_allclose(found.train.inputs, tables["data"].astype(np.float32))
    assert (found.train.labels == np.arange(N) % C).all()
    assert (found.train.candidates == tables["partial_target"].T.astype(bool)).all()


def test_a_seed_chooses_one_of_the_fixed_splits(
    bring: Callable[..., Prepared], tables: Tables
) -> None:
    splits = np.ones((N, 3))
    splits[:10, 0] = splits[5:9, 2] = 2
    splits[:, 1] = 2  # the second split tests on the first half
    splits[10:25, 1] = 1
    pool = bring(tables, splits)
    for seed, tested in ((0, range(10)), (1, range(10, 25)), (2, range(5, 9)), (3, range(10))):
        chosen = pool.at(seed)
        assert chosen.test.index.tolist() == list(tested)
        assert not set(chosen.test.index) & set(chosen.train.index)
        assert chosen.test.candidates is None


def test_own_splits_are_shown_as_such(bring: Callable[..., Prepared], tables: Tables) -> None:
    assert bring(tables).info.label == "birdsong (own splits, 50 % training)"
    assert bring(tables, train_share=0.8).at(0).info.n_train == 32


def test_sparse_matrices_are_read(bring: Callable[..., Prepared], tables: Tables) -> None:
    dense = bring(tables)
    sparse = {**tables, "target": scipy.sparse.csc_matrix(tables["target"])}
    sparse["partial_target"] = scipy.sparse.csc_matrix(tables["partial_target"])
    assert bring(sparse).info.fingerprint == dense.info.fingerprint


def test_files_of_matlab_7_3_are_read(
    tables: Tables, bring: Callable[..., Prepared], tmp_path: Path, registry: Registry
) -> None:
    path = tmp_path / "BirdSong.mat"
    # A MATLAB 7.3 file is HDF5 behind 512 bytes of its own; arrays lie transposed, and a sparse
    # one is a group of its columns.
    with h5py.File(path, "w", userblock_size=512) as file:
        for name in ("data", "partial_target"):
            array = file.create_dataset(name, data=tables[name].T)
            array.attrs["MATLAB_class"] = np.bytes_("double")
        columns = scipy.sparse.csc_matrix(tables["target"])
        group = file.create_group("target")
        group.attrs["MATLAB_class"] = np.bytes_("double")
        group.attrs["MATLAB_sparse"] = np.uint64(C)
        group.create_dataset("data", data=columns.data)
        group.create_dataset("ir", data=columns.indices.astype(np.uint64))
        group.create_dataset("jc", data=columns.indptr.astype(np.uint64))
    with path.open("r+b") as file:
        file.write(
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(116) + b"\x00" * 8 + b"\x00\x02IM"
        )
    import_copy("birdsong", path, tmp_path / "other", registry)
    assert load("birdsong", tmp_path / "other", registry).info.fingerprint == (
        bring(tables).info.fingerprint
    )


def spoil(name: str, where: Any, value: float) -> Callable[[Tables], None]:
    def go(tables: Tables) -> None:
        tables[name][where] = value

    return go


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoil("partial_target", (slice(None), 3), 0), r"candidate set of sample 3 is empty"),
        (
            lambda t: spoil("partial_target", (slice(None), 2), [1, 1, 0, 0])(t),
            r"true label 2 of sample 2 is not among its candidates \[0, 1\] \(1 such\)",
        ),
        (spoil("data", (7, 1), np.nan), r"feature 1 of sample 7 is nan"),
        (spoil("data", (7, 1), -1e300), r"feature 1 of sample 7 is -1e\+300"),
        (spoil("data", (slice(None), 4), 2.5), r"feature 4 is 2.5 in every sample"),
        (
            # They differ, but not in the single precision that is trained on.
            spoil("data", (slice(None), 4), 1 + 1e-12 * np.arange(N)),
            r"feature 4 is 1 in every sample",
        ),
        (spoil("target", (slice(None), 5), 1), r"sample 5 has 4 true labels"),
        (spoil("partial_target", (0, 0), 0.5), r"partial_target holds 0.5, not 0 or 1"),
        (lambda t: t.pop("partial_target"), r"no array 'partial_target'; it has data, target"),
        (
            lambda t: t.update(target=t["target"].T),
            r"target has shape \(40, 4\); expected \(C, 40\)",
        ),
        (
            lambda t: t.update({k: np.vstack([t[k], np.zeros(N)]) for k in list(t) if k != "data"}),
            r"class 4 of 5 has no sample and is in no candidate set",
        ),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(
    change: Callable[[Tables], Any], words: str, bring: Callable[..., Prepared], tables: Tables
) -> None:
    change(tables)
    with pytest.raises(DataError, match=words):
        bring(tables)


def test_constant_features_are_left_out_when_asked(
    bring: Callable[..., Prepared], tables: Tables
) -> None:
    tables["data"][:, 2] = 1
    found = bring(tables, drop_constant=True)
    assert found.info.shape == (D - 1,)
    assert "without constant features" in found.info.label


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (np.ones((N - 1, 2)), "indices has 39 rows; BirdSong.mat has 40 samples"),
        (np.full((N, 2), 3), "must be 1 or 2, the half that a sample is in, or 0, not 3"),
        (np.ones((N, 2)), "split 0 must mark training samples with 1, test samples with 2"),
    ],
)
def test_splits_that_do_not_fit_are_refused(
    splits: Any, words: str, bring: Callable[..., Prepared], tables: Tables
) -> None:
    with pytest.raises(DataError, match=words):
        bring(tables, splits)


def test_a_file_that_is_none_is_refused(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "BirdSong.mat").write_bytes(b"no MATLAB file at all")
    with pytest.raises(DataError, match="is no MATLAB file"):
        import_copy("birdsong", tmp_path, tmp_path / "prepared", registry)
    with pytest.raises(DataError, match=r"holds no lost.mat; the layout is"):
        import_copy("lost", tmp_path, tmp_path / "prepared", registry)


def test_verify_counts_before_anything_is_imported(
    tables: Tables, tmp_path: Path, registry: Registry
) -> None:
    scipy.io.savemat(tmp_path / "BirdSong.mat", tables)
    said = verify_layout("birdsong", tmp_path, registry)
    assert "40 samples, 10 splits, 4 classes, nothing is missing" in said


@pytest.mark.parametrize(
    ("name", "n", "d", "classes", "mean_size"),
    [
        ("lost", 1122, 108, 16, 2.23),
        ("msrcv2", 1758, 48, 23, 3.16),
        ("fg-net", 1002, 262, 78, 7.48),
    ],
)
def test_the_real_sets_are_as_published(
    name: str,
    n: int,
    d: int,
    classes: int,
    mean_size: float,
    real_data: Callable[[str], Path],
    tmp_path: Path,
    registry: Registry,
) -> None:
    import_copy(name, real_data("pll"), tmp_path, registry)
    found = load(name, tmp_path, registry)
    assert found.train.inputs.shape == (n, d)
    assert found.info.n_classes == classes
    assert found.train.candidates is not None
    assert found.train.candidates.sum(axis=1).mean() == pytest.approx(mean_size, abs=0.005)
    assert found.info.full
    assert found.info.n_folds == 10
    assert found.at(3).info.n_train == n // 2

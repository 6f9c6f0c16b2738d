"""Data sets as their authors released them, on small trees in those very layouts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data import arrays, inventory, prepared
from bench.data.importer import import_copy
from bench.data.layouts import square
from bench.errors import DataError
from bench.registry import Registry


def picture(path: Path, level: int, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> None:
    """A plain image, so that its level survives JPEG and resizing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level, level, level)).save(path)


def tiny_imagenet(root: Path) -> None:
    (root / "val").mkdir(parents=True)
    (root / "wnids.txt").write_text("n02\nn01\n")
    for wnid, level in (("n01", 10), ("n02", 200)):
        for i in range(3):
            picture(root / "train" / wnid / "images" / f"{wnid}_{i}.JPEG", level)
    lines = []
    for i, wnid in enumerate(["n01", "n02"]):
        picture(root / "val" / "images" / f"val_{i}.JPEG", 50 * i + 100, mode="L")
        lines.append(f"val_{i}.JPEG\t{wnid}\t0\t0\t62\t62")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")


def animal10n(root: Path) -> None:
    for label in range(10):
        for i in range(2):
            picture(root / "training" / f"{label}_{i:05}.jpg", 20 * label)
        picture(root / "testing" / f"{label}_9.jpg", 20 * label + 5)


def clothing1m(root: Path) -> None:
    noisy, clean = [], []
    for label in range(14):
        key = f"images/{label % 10}/00/{label},1.jpg"
        picture(root / key, 15 * label)
        noisy.append((key, (label + 1) % 14))
        test = f"images/{label % 10}/01/{label},2.jpg"
        picture(root / test, 15 * label + 3)
        clean.append((test, label))
    (root / "noisy_label_kv.txt").write_text("".join(f"{k} {v}\n" for k, v in noisy))
    (root / "clean_label_kv.txt").write_text("".join(f"{k} {v}\n" for k, v in clean))
    (root / "noisy_train_key_list.txt").write_text("".join(f"{k}\n" for k, _ in noisy))
    (root / "clean_test_key_list.txt").write_text("".join(f"{k}\n" for k, _ in clean))


def webvision_mini(root: Path) -> None:
    (root / "info").mkdir(parents=True)
    train, test = [], []
    for label in range(50):
        path = f"google/q{label:04}/a b{label}.jpg"
        picture(root / path, 4 * label)
        train.append(f"{path} {label}")
        picture(root / "val_images_256" / f"val{label:08}.jpg", 4 * label + 2)
        test.append(f"val{label:08}.jpg {label}")
    train.insert(3, "google/q0777/other.jpg 777")
    (root / "info" / "train_filelist_google.txt").write_text("\n".join(train) + "\n")
    (root / "info" / "val_filelist.txt").write_text("\n".join([*test, "val9.jpg 60"]) + "\n")


def food101n(root: Path) -> None:
    names = ["apple_pie", "baklava"]
    noisy, clean = root / "Food-101N_release", root / "food-101"
    (noisy / "meta").mkdir(parents=True)
    (clean / "meta").mkdir(parents=True)
    (noisy / "meta" / "classes.txt").write_text("class_name\n" + "\n".join(names) + "\n")
    listed, tested = ["class_name/key"], []
    for label, name in enumerate(names):
        for i in range(2):
            picture(noisy / "images" / name / f"{i}.jpg", 80 * label + i)
            listed.append(f"{name}/{i}.jpg")
        picture(clean / "images" / name / "77.jpg", 80 * label)
        tested.append(f"{name}/77")
    (noisy / "meta" / "imagelist.tsv").write_text("\n".join(listed) + "\n")
    (clean / "meta" / "test.txt").write_text("\n".join(tested) + "\n")


# Layout -> what writes it, its training labels, and a file that its lists name.
LAYOUTS = {
    "tiny-imagenet": (tiny_imagenet, [0, 0, 0, 1, 1, 1], "val/images/val_1.JPEG"),
    "animal10n": (animal10n, [label for label in range(10) for _ in range(2)], ""),
    "clothing1m": (clothing1m, [(label + 1) % 14 for label in range(14)], "images/3/00/3,1.jpg"),
    "webvision-mini": (webvision_mini, list(range(50)), "google/q0007/a b7.jpg"),
    "food101n": (food101n, [0, 0, 1, 1], "Food-101N_release/images/baklava/1.jpg"),
}
TRUTH = {"tiny-imagenet"}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """Each layout in turn, written to a folder."""
    write, _, _ = LAYOUTS[request.param]
    write(tmp_path / "copy")
    return request.param, tmp_path / "copy"


def bring(name: str, source: Path, data_dir: Path, registry: Registry) -> arrays.Prepared:
    bound = registry.bind("dataset", name, {"size": 16})
    import_copy(bound, source, data_dir, registry)
    return prepared.load(bound, data_dir, registry)


def test_a_released_layout_becomes_square_images_under_its_labels(
    layout: tuple[str, Path], data_dir: Path, registry: Registry
) -> None:
    name, source = layout
    found = bring(name, source, data_dir, registry)
    expected = LAYOUTS[name][1]
    assert found.train.labels.tolist() == expected
    assert found.train.inputs.shape == (len(expected), 16, 16, 3)
    assert found.train.index.tolist() == list(range(len(expected)))
    assert found.info.truth == (name in TRUTH)
    assert not found.info.full
    assert not [path for path in data_dir.iterdir() if "decoded" in path.name]


def test_each_image_lies_where_its_label_is(
    data_dir: Path, registry: Registry, tmp_path: Path
) -> None:
    animal10n(tmp_path / "copy")
    found = bring("animal10n", tmp_path / "copy", data_dir, registry)
    levels = found.train.inputs.reshape(20, -1).mean(axis=1)
    np.testing.assert_allclose(levels, 20 * found.train.labels, atol=2)


def test_what_is_missing_is_counted_and_named(
    layout: tuple[str, Path], data_dir: Path, registry: Registry
) -> None:
    name, source = layout
    gone = LAYOUTS[name][2]
    if not gone:
        assert "nothing is missing" in inventory.verify_layout(name, source, registry)
        return
    (source / gone).unlink()
    with pytest.raises(DataError, match="1 files are missing") as caught:
        inventory.verify_layout(name, source, registry)
    assert str(source / gone) in str(caught.value)
    with pytest.raises(DataError, match="--skip-missing"):
        bring(name, source, data_dir, registry)
    assert not arrays.exists(name, data_dir)


def test_many_missing_files_are_counted_and_the_first_named(
    data_dir: Path, registry: Registry, tmp_path: Path
) -> None:
    webvision_mini(tmp_path / "copy")
    for path in (tmp_path / "copy" / "google").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match="50 files are missing") as caught:
        inventory.verify_layout("webvision-mini", tmp_path / "copy", registry)
    assert "and 40 more" in str(caught.value)


def test_missing_files_can_be_left_out(data_dir: Path, registry: Registry, tmp_path: Path) -> None:
    food101n(tmp_path / "copy")
    (tmp_path / "copy" / "Food-101N_release" / "images" / "apple_pie" / "0.jpg").unlink()
    import_copy("food101n", tmp_path / "copy", data_dir, registry, skip_missing=True)
    train = prepared.load("food101n", data_dir, registry).train
    assert train.labels.tolist() == [0, 1, 1]
    assert train.index.tolist() == [1, 2, 3]


def test_a_damaged_image_is_named(data_dir: Path, registry: Registry, tmp_path: Path) -> None:
    animal10n(tmp_path / "copy")
    path = tmp_path / "copy" / "training" / "3_00001.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"3_00001\.jpg is no image, or it is damaged"):
        bring("animal10n", tmp_path / "copy", data_dir, registry)
    assert [p.name for p in data_dir.iterdir()] == []


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"animal10n"}))
def test_another_folder_is_told_the_layout(
    name: str, data_dir: Path, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="the layout is:"):
        bring(name, tmp_path / "other", data_dir, registry)


def test_a_list_that_names_a_label_nobody_knows_is_refused_with_its_line(
    data_dir: Path, registry: Registry, tmp_path: Path
) -> None:
    clothing1m(tmp_path / "copy")
    with (tmp_path / "copy" / "noisy_label_kv.txt").open("a") as file:
        file.write("images/0/00/x.jpg 14\n")
    with pytest.raises(DataError, match=r"noisy_label_kv.txt:15: .* is no path and label"):
        bring("clothing1m", tmp_path / "copy", data_dir, registry)


def test_the_shorter_side_is_resized_and_the_centre_cut_out(tmp_path: Path) -> None:
    pixels = np.zeros((20, 60, 3), dtype=np.uint8)
    pixels[:, 20:40] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = square(tmp_path / "wide.png", 20)
    assert found.shape == (20, 20, 3)
    assert found.min() == 255


SLOW = """
import sys, time
from pathlib import Path
import bench.data.layouts as layouts
from bench.data.importer import import_copy
from bench.registry import discover
real = layouts.square
def slow(path, size):
    time.sleep(0.05)
    print("decoded", flush=True)
    return real(path, size)
layouts.square = slow
import_copy("animal10n", Path(sys.argv[1]), Path(sys.argv[2]), discover())
"""


def test_an_import_that_is_killed_leaves_no_data_set(
    data_dir: Path, registry: Registry, tmp_path: Path
) -> None:
    animal10n(tmp_path / "copy")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path / "copy"), str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not arrays.exists("animal10n", data_dir)
    import_copy("animal10n", tmp_path / "copy", data_dir, registry)
    assert prepared.load("animal10n", data_dir, registry).info.n_train == 20
    assert not [path for path in data_dir.iterdir() if "decoded" in path.name]


def test_a_damaged_cache_is_made_again_from_where_it_came(
    data_dir: Path, registry: Registry, make_tree: Callable[..., Path], pets: Path
) -> None:
    import_copy("pets", pets, data_dir, registry)
    before = prepared.load("pets", data_dir, registry).info
    file = data_dir / "pets" / "train_inputs.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] + b"corrupted")
    after = prepared.load("pets", data_dir, registry)
    assert after.info == before
    assert file.read_bytes() == whole


def test_a_damaged_cache_whose_copy_is_gone_is_never_used(
    data_dir: Path, registry: Registry, pets: Path
) -> None:
    import_copy("pets", pets, data_dir, registry)
    pets.rename(pets.with_name("elsewhere"))
    file = data_dir / "pets" / "train_inputs.npy"
    file.write_bytes(file.read_bytes()[:-9] + b"corrupted")
    with pytest.raises(DataError, match="was changed after it was prepared"):
        prepared.load("pets", data_dir, registry)


MEASURED = """
import sys
from pathlib import Path
from bench.data.layouts import decode_square, square
from datasets.animal10n import Animal10N

def private_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

source = Path(sys.argv[1])
files = Animal10N().list_files(source).train
square(files[0].path, 256)
before = private_mib()
split = decode_square(files, 256, Path(sys.argv[2]), "images")
print(split.inputs.nbytes / 2**20, private_mib() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_decoding_needs_less_memory_than_the_images(tmp_path: Path) -> None:
    training = tmp_path / "copy" / "training"
    for label in range(10):
        picture(tmp_path / "copy" / "testing" / f"{label}_9.jpg", 9)
        picture(training / f"{label}_0.jpg", 9)
        for i in range(1, 60):
            os.link(training / f"{label}_0.jpg", training / f"{label}_{i}.jpg")
    found = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "copy"), str(tmp_path / "images.npy")],
        capture_output=True,
        text=True,
        check=True,
    )
    images_mib, used_mib = map(float, found.stdout.split())
    assert images_mib > 110
    assert used_mib < images_mib / 2

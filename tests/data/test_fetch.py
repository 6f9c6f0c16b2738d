"""Downloads that fail, and downloads that are not needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.api import DataInfo
from bench.data import prepared
from bench.data.importer import fetch
from bench.errors import DataError
from bench.registry import Registry

MakeTree = Callable[..., Path]
Bring = Callable[..., DataInfo]

SHAPES = (
    *("train/star/7.png", "train/circle/3.png", "train/square/12.png"),
    *("test/star/0.png", "test/circle/1.png", "test/square/2.png"),
)
"""Images of the data set ``shapes``; their names are positions."""


def test_a_failed_download_says_why_in_one_line_and_gives_both_commands(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError) as caught:
        fetch("shapes", data_dir, registry)
    first, *rest = str(caught.value).split("\n")
    assert first == "shapes could not be downloaded (URLError: <urlopen error no route to host>)."
    assert "python -m bench data fetch shapes" in "".join(rest)
    assert "python -m bench data import shapes FILE" in "".join(rest)


def test_an_interrupted_download_leaves_nothing_prepared(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError):
        fetch("shapes", data_dir, registry)
    assert [path.name for path in data_dir.iterdir()] == ["raw"]
    with pytest.raises(DataError, match="is not in"):
        prepared.read_info("shapes", data_dir, registry)


def test_torchvision_without_a_network_is_reported(
    data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DataError, match=r"cifar10 could not be downloaded \(OSError: Network"):
        fetch("cifar10", data_dir, registry)
    assert not (data_dir / "cifar10").exists()


def test_a_set_that_cannot_be_downloaded_says_how_to_import_it(
    data_dir: Path, registry: Registry
) -> None:
    with pytest.raises(DataError, match="data import pets FILE"):
        fetch("pets", data_dir, registry)


def test_fetch_does_not_replace_a_subset_unasked(
    make_tree: MakeTree, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    subset = bring("shapes", make_tree(*SHAPES))
    with pytest.raises(DataError, match=r"is a subset \(3 train, 3 test.*--replace"):
        fetch("shapes", data_dir, registry)
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch("shapes", data_dir, registry, replace=True)
    assert prepared.read_info("shapes", data_dir, registry) == subset


def test_fetch_leaves_a_full_set_alone(
    pets: Path, bring: Bring, data_dir: Path, registry: Registry
) -> None:
    there = bring("pets", pets)
    assert fetch("pets", data_dir, registry) == there

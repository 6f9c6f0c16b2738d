"""Planning opens noise artefacts once; after that it asks an index that may be wrong in no way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data import noise as noise_module
from bench.data.prepared import read_info
from bench.drawing import Artefact, NoiseSource
from bench.protocol import Named
from bench.registry import Registry

SYMMETRIC = Named(name="symmetric", params={"rate": 0.4})
SEEDS = (0, 1, 2)


@pytest.fixture
def own_data(tmp_path: Path, registry: Registry) -> Path:
    read_info("digits", tmp_path, registry)
    return tmp_path


def drawn(registry: Registry, data_dir: Path) -> list[Artefact]:
    """What a plan made now would hold."""
    info = read_info("digits", data_dir, registry)
    found = NoiseSource(info, registry, data_dir).draw(SYMMETRIC, SEEDS)
    assert not isinstance(found, str)
    return found


def seen(artefacts: list[Artefact]) -> list[tuple[str, float | None, bool]]:
    return [(a.sha, a.rate, a.partial) for a in artefacts]


def kept(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "digits" / "noise").glob("symmetric-*.npz"))


def test_artefacts_that_were_seen_are_not_opened_again(
    own_data: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = drawn(registry, own_data)

    def refuse(*_: object) -> None:
        raise AssertionError("an artefact was opened")

    monkeypatch.setattr(noise_module, "_read", refuse)
    assert seen(drawn(registry, own_data)) == seen(first)


def test_labels_are_read_when_they_are_asked_for(own_data: Path, registry: Registry) -> None:
    drawn(registry, own_data)
    for artefact in drawn(registry, own_data):
        content = artefact.content
        assert (content.sha, content.rate) == (artefact.sha, artefact.rate)
        assert len(content.labels) == artefact.data.n_train


def test_an_artefact_of_other_labels_in_its_place_is_drawn_anew(
    own_data: Path, registry: Registry
) -> None:
    first = drawn(registry, own_data)
    mine, other = kept(own_data)[:2]
    mine.write_bytes(other.read_bytes()[:-50])
    again = drawn(registry, own_data)
    assert seen(again) == seen(first)
    for one, other in zip(again, first, strict=True):
        assert np.array_equal(one.content.labels, other.content.labels)


def test_an_artefact_that_was_removed_is_drawn_anew(own_data: Path, registry: Registry) -> None:
    first = drawn(registry, own_data)
    kept(own_data)[0].unlink()
    assert seen(drawn(registry, own_data)) == seen(first)
    assert len(kept(own_data)) == len(SEEDS)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"symmetric-0": 3}', '{"a": [[1, 2, 1], []]}'])
def test_an_index_that_is_damaged_is_made_anew(
    own_data: Path, registry: Registry, text: str
) -> None:
    first = drawn(registry, own_data)
    (own_data / "digits" / "noise" / "index.json").write_text(text)
    assert seen(drawn(registry, own_data)) == seen(first)


def test_a_folder_that_cannot_be_written_needs_no_index(
    own_data: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("bench.data.artefact_index.os.replace", refuse)
    first = drawn(registry, own_data)
    assert not (own_data / "digits" / "noise" / "index.json").exists()
    assert seen(drawn(registry, own_data)) == seen(first)

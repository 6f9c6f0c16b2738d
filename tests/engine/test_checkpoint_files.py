"""A checkpoint is whole and of this very training, or it is not loaded; its code is never run."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.training.checkpoints import MAGIC, Checkpoint, Saved


def small(epoch: int) -> Saved:
    return Saved({"session": {"epoch": epoch}, "x": torch.arange(5.0)}, (), "", 1.0)


@settings(max_examples=60)
@given(data=st.data())
def test_no_cut_and_no_changed_byte_is_ever_loaded(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkpoint = Checkpoint(tmp_path_factory.mktemp("c"), {"key": "k"})
    checkpoint.save(small(7))
    content = bytearray(checkpoint.path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255))
    checkpoint.path.write_bytes(bytes(content))
    assert checkpoint.load() is None


@pytest.mark.parametrize("step", [1, 2])
def test_a_death_between_the_renames_leaves_a_whole_checkpoint(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path, {"key": "k"})
    checkpoint.save(small(1))
    renames: list[Any] = []
    real = os.replace

    def dies(*names: Any) -> None:
        renames.append(names)
        if len(renames) == step:
            raise KeyboardInterrupt
        real(*names)

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(small(2))
    saved = checkpoint.load()
    assert saved is not None
    assert saved.epoch == 1


@pytest.mark.parametrize("name", ["method_source_sha", "harness_sha", "torch", "device", "key"])
def test_a_checkpoint_of_other_code_or_another_machine_is_not_used(
    name: str, tmp_path: Path
) -> None:
    identity = dict.fromkeys(
        ("key", "method_source_sha", "harness_sha", "torch", "device"), "the same"
    )
    Checkpoint(tmp_path, identity).save(small(3))
    other = Checkpoint(tmp_path, {**identity, name: "another"})
    os.replace(Checkpoint(tmp_path, identity).path, other.path)
    assert other.load() is None


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.place,))


def test_no_code_of_a_checkpoint_is_run(tmp_path: Path) -> None:
    import io

    sprung = tmp_path / "sprung"
    buffer = io.BytesIO()
    torch.save({"state": Trap(sprung)}, buffer)
    body = json.dumps({"key": "k"}).encode() + b"\n" + buffer.getvalue()
    sha = hashlib.sha256(body).hexdigest().encode()
    checkpoint = Checkpoint(tmp_path, {"key": "k"})
    checkpoint.path.write_bytes(MAGIC + sha + b"\n" + body)
    assert checkpoint.load() is None
    assert not sprung.exists()

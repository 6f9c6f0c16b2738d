"""Inputs that lie on the device and inputs that are streamed to it are the same inputs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.api import Foreign
from bench.conformance import fixture
from bench.errors import BenchError
from bench.refine.evaluate import evaluate_refiners
from bench.registry import Registry
from bench.training import residence
from bench.training.residence import fits
from bench.training.session import Session
from bench.training.sources import PREFETCH, Inputs, Stored, Streamed
from bench.training_spec import RefinerSpec

CPU = torch.device("cpu")
N = 50


def mapped(folder: Path, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    np.save(folder / "inputs.npy", values)
    found: np.ndarray[Any, Any] = np.load(folder / "inputs.npy", mmap_mode="r")
    return found


def pixels(n: int = N, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8)


KINDS: dict[str, Callable[[], np.ndarray[Any, Any]]] = {
    "colour images": pixels,
    "grey images": lambda: pixels()[..., :1],
    "features": lambda: np.random.default_rng(0).normal(size=(N, 7)).astype(np.float32),
    "images stored by columns": lambda: np.asfortranarray(pixels()),
}


@pytest.fixture(params=KINDS)
def streamed(request: pytest.FixtureRequest, tmp_path: Path) -> Streamed:
    return Streamed(Stored(mapped(tmp_path, KINDS[request.param]())), CPU)


INDEX = torch.tensor([7, 3, 3, 49, -1, 0])
ROWS = {
    "positions": INDEX,
    "none": INDEX[:0],
    "a mask": torch.arange(N) % 3 == 0,
    "a slice": slice(5, 40, 2),
    "everything": slice(None),
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_samples_are_the_same_from_both_sources(streamed: Streamed, rows: Tensor | slice) -> None:
    resident = streamed.loaded()
    assert torch.equal(streamed[rows], resident[rows])
    if streamed[rows].numel():
        assert streamed[rows].stride() == resident[rows].stride()
    part, whole = streamed.at(rows), resident.at(rows)
    assert (part.shape, part.dtype, len(part)) == (whole.shape, whole.dtype, len(whole))
    assert torch.equal(part[:], whole[:])


def test_some_of_some_samples_are_the_same_from_both_sources(streamed: Streamed) -> None:
    part = streamed.at(INDEX).at(torch.tensor([5, 1, 1]))
    assert torch.equal(part[:], streamed.loaded()[torch.tensor([0, 3, 3])])


def test_batches_and_blocks_are_the_same_from_both_sources(streamed: Streamed) -> None:
    batches = torch.split(torch.randperm(N, generator=torch.Generator().manual_seed(1)), 8)

    def read(source: Inputs) -> list[Tensor]:
        return [source[index] for index in source.ahead(batches)] + list(source.blocks(9))

    for mine, theirs in zip(read(streamed), read(streamed.loaded()), strict=True):
        assert torch.equal(mine, theirs)


def test_a_position_outside_of_the_samples_is_an_error(streamed: Streamed) -> None:
    for source in (streamed, streamed.loaded(), streamed.at(slice(0, 10))):
        with pytest.raises(IndexError):
            source[torch.tensor([N])]


def test_batches_of_other_positions_than_those_of_samples_pass_unread(streamed: Streamed) -> None:
    batches = [torch.tensor([0, 10 * N]), torch.tensor([11 * N])]
    assert all(torch.equal(a, b) for a, b in zip(streamed.ahead(batches), batches, strict=True))


def test_foreign_inputs_take_the_place_of_others(tmp_path: Path) -> None:
    values, strange = pixels(), pixels(4, seed=1)
    rows = np.array([2, 3, 20, 49])
    stored = Stored(mapped(tmp_path, values), Foreign(rows, strange))
    values[rows] = strange
    expected = torch.from_numpy(values).permute(0, 3, 1, 2)
    source = Streamed(stored, CPU)
    assert torch.equal(source[INDEX], expected[INDEX])
    assert torch.equal(source.loaded()[:], expected)


def test_a_batch_that_was_written_to_is_read_again_as_it_is(streamed: Streamed) -> None:
    for index in streamed.ahead([INDEX]):
        streamed[index].zero_()
        assert torch.equal(streamed[index], streamed.loaded()[INDEX])


def test_positions_that_were_written_to_are_other_positions(streamed: Streamed) -> None:
    for index in streamed.ahead([torch.tensor([1, 2, 3])]):
        index += 1
        assert torch.equal(streamed[index], streamed.loaded()[torch.tensor([2, 3, 4])])


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many samples that were read from the file are in memory now."""
    known: list[weakref.ref[Tensor]] = []
    read = Stored.read

    def watched(self: Stored, *args: Any, **kwargs: Any) -> Tensor:
        found = read(self, *args, **kwargs)
        known.append(weakref.ref(found))
        return found

    monkeypatch.setattr(Stored, "read", watched)
    return lambda: sum(len(found) for found in (ref() for ref in known) if found is not None)


def test_no_more_than_the_batches_read_ahead_are_in_memory(
    tmp_path: Path, alive: Callable[[], int]
) -> None:
    source = Streamed(Stored(mapped(tmp_path, pixels(400))), CPU)
    most = 0
    for index in source.ahead(torch.split(torch.randperm(400), 4)):
        source[index]
        most = max(most, alive())
    assert 4 < most <= (PREFETCH + 1) * 4
    gc.collect()
    assert alive() <= 4


def test_an_iteration_that_is_left_keeps_nothing(tmp_path: Path, alive: Callable[[], int]) -> None:
    source = Streamed(Stored(mapped(tmp_path, pixels(400))), CPU)
    for _ in range(20):
        for index in source.ahead(torch.split(torch.randperm(400), 4)):
            source[index]
            break
    source[torch.tensor([0])]  # the thread that reads has come so far
    gc.collect()
    assert alive() <= (PREFETCH + 1) * 4


def test_an_error_of_the_reading_thread_reaches_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Stored, *args: Any, **kwargs: Any) -> Tensor:
        raise OSError("the disk is gone")

    source = Streamed(Stored(mapped(tmp_path, pixels())), CPU)
    monkeypatch.setattr(Stored, "read", gone)
    with pytest.raises(OSError, match="the disk is gone"):
        list(source.blocks(10))


# ------------------------------------------------------------------------------ whole trainings


METHODS = ("ce", "co-teaching", "dividemix", "promix", "l2rw", "proden")
"""By how they reach samples: batches, small losses of two networks, two loaders at once, strong
views, a clean subset, candidate sets."""


@pytest.mark.parametrize("name", METHODS)
def test_a_streamed_training_equals_a_resident_one(
    name: str, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = fixture.images(fixture.N_TRAIN, seed=0)
    train = replace(inputs, inputs=mapped(tmp_path, inputs.inputs))
    refiners = [
        (RefinerSpec("key", refiner, refiner, {}, "sha"), registry.create("refiner", refiner, {}))
        for refiner in ("off", "lip")
    ]

    def trained(wanted: str) -> tuple[Session, list[Any]]:
        monkeypatch.setenv("LIPBENCH_RESIDENT", wanted)
        session = fixture.session(registry.create("method", name, {}), train=train, epochs=4)
        found: list[Any] = [asdict(replace(record, wall_s=0)) for record in session.epochs()]
        evaluations, spectra = evaluate_refiners(session, refiners)
        found += [asdict(replace(evaluation, wall_s=0)) for evaluation in evaluations]
        return session, [*found, *map(asdict, spectra)]

    with fixture.undisturbed():
        (mine, found), (theirs, expected) = trained("never"), trained("always")
    assert isinstance(mine.train_given.inputs, Streamed)
    assert not isinstance(theirs.train_given.inputs, Streamed)
    assert found == expected
    for a, b in zip(mine.networks, theirs.networks, strict=True):
        for key, value in a.state_dict().items():
            assert torch.equal(value, b.state_dict()[key]), key


def test_what_does_not_fit_is_streamed_and_the_machine_may_decide_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LIPBENCH_RESIDENT", raising=False)
    monkeypatch.setattr(residence, "_memory", lambda device: 1000)
    assert fits(250, CPU)
    assert not fits(251, CPU)
    monkeypatch.setenv("LIPBENCH_RESIDENT", "always")
    assert fits(10**6, CPU)
    monkeypatch.setenv("LIPBENCH_RESIDENT", "never")
    assert not fits(1, CPU)


def test_an_unknown_wish_is_an_error_that_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIPBENCH_RESIDENT", "newer")
    with pytest.raises(BenchError, match="LIPBENCH_RESIDENT 'newer', did you mean 'never'"):
        fits(1, CPU)

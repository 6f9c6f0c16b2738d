"""The training loop on a real GPU: no waits, streams, captured graphs, checkpoints, slots."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.conformance import fixture
from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.execute import Machine, execute
from bench.plan import Plan, make_plan
from bench.records import EpochRecord
from bench.registry import Registry
from bench.spec import load_suite
from bench.training.context import evaluating
from bench.training.keeping import Every, Interrupted, Keeping
from bench.training.session import Session
from bench.training.sources import Stored, Streamed
from bench.training_spec import TrainingSpec

CUDA = torch.device("cuda")


@contextmanager
def waits_counted() -> Iterator[list[warnings.WarningMessage]]:
    """What torch says each time that the host waits for the device."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield told
        finally:
            torch.cuda.set_sync_debug_mode("default")


def session(registry: Registry, method: str = "ce", **said: object) -> Session:
    plugin = registry.create("method", method, {})
    return fixture.session(plugin, device=CUDA, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["ce", "elr", "co-teaching"])
def test_the_host_waits_as_often_for_many_steps_as_for_few(registry: Registry, method: str) -> None:
    def waits(n: int) -> Counter[str]:
        found = session(registry, method, train=fixture.images(n, seed=0), epochs=4)
        epochs = found.epochs()
        for _ in range(3):  # graphs are captured meanwhile
            next(epochs)
        with waits_counted() as told:
            next(epochs)
        places = (f"{Path(w.filename).name}:{w.lineno} {w.message}" for w in told)
        return Counter(place for place in places if "called a synchronizing" in place)

    many, few = waits(1280), waits(320)
    assert many == few
    assert many.total() <= 3


def streamed_samples(folder: Path, n: int) -> tuple[Streamed, Streamed]:
    """The same images on the device and streamed to it."""
    values = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    np.save(folder / "inputs.npy", values)
    stored = Stored(np.load(folder / "inputs.npy", mmap_mode="r"))
    return Streamed(stored, CUDA), Streamed(stored, CUDA)


def test_streamed_batches_are_those_that_lie_on_the_device(tmp_path: Path) -> None:
    streamed, other = streamed_samples(tmp_path, 5000)
    resident = other.loaded()
    batches = torch.split(torch.randperm(5000), 128)
    busy = torch.randn(2048, 2048, device=CUDA)
    for rows, index in zip(batches, streamed.ahead(batches), strict=True):
        found = streamed[index]
        busy = (busy @ busy).clamp(-1, 1)  # work that a copy could overtake
        assert torch.equal(found, resident[rows.to(CUDA)])


@pytest.mark.parametrize("method", ["ce", "co-teaching"])
def test_a_training_on_streamed_inputs_equals_one_on_resident_inputs(
    registry: Registry, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def records() -> list[EpochRecord]:
        return [replace(record, wall_s=0.0) for record in session(registry, method).epochs()]

    resident = records()
    monkeypatch.setenv("LIPBENCH_RESIDENT", "never")
    assert records() == resident


@pytest.mark.parametrize("method", ["ce", "co-teaching", "elr"])
def test_a_compiled_training_with_captured_graphs_learns_the_same(
    registry: Registry, method: str
) -> None:
    train = fixture.images(2048, seed=0)
    compiled = session(registry, method, train=train, compile="on", epochs=3)
    plain = session(registry, method, train=train, compile="off", epochs=3)
    found = [record.train_loss for record in compiled.epochs()]
    assert found == pytest.approx([record.train_loss for record in plain.epochs()], rel=0.1)
    assert all(network._compiled.sizes for network in compiled.networks)  # type: ignore[union-attr]


def test_features_of_the_gpu_are_those_of_the_processor_to_rounding(registry: Registry) -> None:
    found = session(registry)
    list(found.epochs())
    x = found.run._normalise(found.test.inputs[:])
    network = found.networks[0]
    with evaluating(network):
        here = network.features(x)
        there = network.to("cpu").features(x.cpu())
    torch.testing.assert_close(here.cpu(), there, rtol=1e-3, atol=1e-4)


SUITE = """
suite: on-a-gpu
datasets: [digits]
noises: [{symmetric: {rate: 0.4}}]
methods: [ce, elr, co-teaching]
refiners: [off, lip]
seeds: 2
protocol:
  backbone: {mlp: {width: 64, depth: 1}}
  epochs: 4
  batch_size: 128
  precision: fp32
"""


@pytest.fixture
def plan(tmp_path: Path, registry: Registry, data_dir: Path) -> Plan:
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE)
    return make_plan(load_suite(str(path), None, registry), registry, data_dir)


def test_a_training_goes_on_from_its_checkpoint_as_if_nothing_had_been(
    plan: Plan, registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    def check(spec: TrainingSpec) -> None:
        machine = Machine(data_dir, "cuda", 1)
        whole = execute(spec, registry, machine, lambda record: None)
        heard: list[int] = []
        keeping = Keeping(tmp_path / "kept", Every(epochs=1), lambda: 2 in heard)
        with pytest.raises(Interrupted):
            execute(spec, registry, machine, lambda record: heard.append(record.epoch), keeping)
        resumed = execute(
            spec,
            registry,
            machine,
            lambda record: None,
            Keeping(tmp_path / "kept", Every(epochs=1)),
        )
        assert [r.train_loss for r in resumed.epochs] == [r.train_loss for r in whole.epochs]
        accuracies = [e.test_accuracy for e in whole.evaluations]
        assert [e.test_accuracy for e in resumed.evaluations] == accuracies

    for spec in plan.trainings[::2]:
        check(spec)


def test_two_slots_share_a_gpu_and_find_what_one_finds(plan: Plan, data_dir: Path) -> None:
    def found(slots: int) -> dict[str, list[float | None]]:
        place = Workplace.beside(data_dir / f"{slots}.db")
        engine = LocalEngine(LocalSettings(data_dir, place, (), slots, "cuda", 1))
        outcomes = {spec.key: outcome for spec, outcome, _ in engine.run(plan.trainings)}
        assert all(outcome.status == "done" for outcome in outcomes.values())
        assert all(outcome.device == "cuda" for outcome in outcomes.values())
        assert all(outcome.peak_memory_bytes for outcome in outcomes.values())
        return {k: [e.test_accuracy for e in o.evaluations] for k, o in outcomes.items()}

    assert found(2) == found(1)

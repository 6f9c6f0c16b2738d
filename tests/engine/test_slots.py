"""Slots: how many, what each may use of the machine, and that they get it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.plan import make_plan
from bench.registry import discover
from bench.settings import Settings
from bench.spec import load_suite


class Machine(Settings):
    """Settings on a machine of 12 cores."""

    cores = 12  # type: ignore[assignment]


def shared_out(jobs: int | None, threads: int | None, trainings: int) -> tuple[int, int]:
    settings = Machine(Path("x.db"), Path("data"), "cpu", jobs, threads)
    slots = settings.resolved_jobs("cpu", trainings)
    return slots, settings.resolved_threads(slots)


@given(
    jobs=st.none() | st.integers(1, 12),
    threads=st.none() | st.integers(1, 12),
    trainings=st.integers(0, 40),
)
def test_slots_times_threads_are_no_more_than_the_cores(
    jobs: int | None, threads: int | None, trainings: int
) -> None:
    slots, each = shared_out(jobs, threads, trainings)
    assert slots >= 1
    assert each >= 1
    if jobs is None or threads is None:  # who asks for both gets both
        assert slots * each <= 12


@pytest.mark.parametrize(
    ("jobs", "threads", "trainings", "expected"),
    [
        (None, None, 40, (12, 1)),
        (None, None, 2, (2, 6)),
        (5, None, 40, (5, 2)),
        (None, 4, 40, (3, 4)),
        (3, 6, 40, (3, 6)),
        (30, None, 40, (30, 1)),
    ],
)
def test_cores_are_shared_out_over_the_slots(
    jobs: int | None, threads: int | None, trainings: int, expected: tuple[int, int]
) -> None:
    assert shared_out(jobs, threads, trainings) == expected


TELLING = '''"""A method that says what its process was given."""

from __future__ import annotations

import os

import torch

from bench.api import Method


class Telling(Method):
    """Raises with the facts."""

    name = "telling"
    paper = "none"

    def loss(self, batch):
        facts = [os.environ["OMP_NUM_THREADS"], os.environ.get("CUDA_VISIBLE_DEVICES", "-")]
        raise RuntimeError(f"{torch.get_num_threads()} {' '.join(facts)} {os.getpid()}")
'''

SUITE = """
suite: slots
datasets: [digits]
noises: [clean]
methods: [telling]
refiners: [off]
seeds: 2
protocol: {backbone: {mlp: {width: 8, depth: 1}}, epochs: 1, batch_size: 256}
"""


def test_each_worker_has_its_thread_share_and_sees_the_device_of_its_slot(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, suite = tmp_path / "telling.py", tmp_path / "suite.yaml"
    plugin.write_text(TELLING)
    suite.write_text(SUITE)
    monkeypatch.setattr("bench.engines.local._devices", lambda settings: ["7"])
    registry = discover([plugin])
    plan = make_plan(load_suite(str(suite), None, registry), registry, data_dir)
    place = Workplace.beside(tmp_path / "slots.db")
    engine = LocalEngine(LocalSettings(data_dir, place, (plugin,), 2, "cpu", 3))
    told = [outcome.error.split() for _, outcome, _ in engine.run(plan.trainings)]
    assert {tuple(words[1:4]) for words in told} == {("3", "3", "7")}
    assert len({words[4] for words in told}) == 2


def test_slots_share_the_visible_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.engines.local import _devices

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    settings = LocalSettings(Path("data"), Workplace(Path("runs")), (), 4, "cuda", 1)
    devices = _devices(settings)
    assert [devices[slot % len(devices)] for slot in range(4)] == ["2", "5", "2", "5"]


def test_named_gpus_are_dealt_out_and_each_holds_several_slots() -> None:
    from bench.engines.local import _devices

    asked = LocalSettings(
        Path("data"), Workplace(Path("runs")), (), 4, "cuda", 1, gpus=("0", "GPU-8f2c")
    )
    assert _devices(asked) == ["0", "GPU-8f2c"]
    settings = Settings(Path("x.db"), Path("data"), gpus=("0", "1"), slots_per_gpu=3)
    assert settings.resolved_jobs("cuda", 40) == 6
    assert settings.resolved_jobs("cuda", 4) == 4


def test_gpus_cannot_be_named_for_trainings_on_the_cpu() -> None:
    from bench.engines.engine import Order, make_engine
    from bench.errors import BenchError

    place = Workplace(Path("runs"))
    settings = Settings(Path("x.db"), Path("data"), "cpu", gpus=("0",))
    worker = LocalSettings(Path("data"), place, (), 1, "cpu", 1)
    with pytest.raises(BenchError, match="--gpus names CUDA devices, but trainings run on cpu"):
        make_engine("local", Order(worker, settings, 4, {}))

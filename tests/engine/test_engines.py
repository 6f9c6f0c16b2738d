"""Choosing an engine, its options, and how trainings are put together for other machines."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slow_method import planned, write_plugin

from bench.engines.engine import Order, find, make_engine
from bench.engines.local import LocalSettings
from bench.engines.machine import engine_options
from bench.engines.protocol import Workplace
from bench.engines.remote import NodePlace, Site, units
from bench.errors import BenchError
from bench.settings import Settings
from bench.training_spec import TrainingSpec


def order(folder: Path, **options: Any) -> Order:
    worker = LocalSettings(folder, Workplace(folder / "runs/a"), (), 1, "cpu", 1)
    return Order(worker, Settings(folder / "a.db", folder, "cpu", 2, 1), 5, options)


def test_an_engine_that_does_not_exist_is_told_with_the_nearest_name() -> None:
    with pytest.raises(BenchError, match="no engine 'slrum', did you mean 'slurm'"):
        find("slrum")


def test_an_engine_whose_package_is_absent_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"needs the package ray.*pip install 'lipbench\[ray\]'"):
        find("ray")


def test_the_local_engine_is_ready_with_the_slots_that_were_asked_for(tmp_path: Path) -> None:
    made = make_engine("local", order(tmp_path))
    assert made.slots == 2
    assert not made.notes


def test_more_threads_than_cores_are_warned_of(tmp_path: Path) -> None:
    asked = order(tmp_path)
    many = replace(asked, settings=replace(asked.settings, threads=500))
    assert "more than the" in make_engine("local", many).notes[0]


def test_the_local_engine_takes_no_options(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="'local' has no option 'partition'"):
        make_engine("local", order(tmp_path, partition="gpu"))


@pytest.mark.parametrize(
    ("engine", "needs", "option", "nearest"),
    [("slurm", "submitit", "partitoin", "partition"), ("ray", "ray", "adress", "address")],
)
def test_a_misspelt_option_is_told_with_the_nearest_one(
    engine: str, needs: str, option: str, nearest: str, tmp_path: Path
) -> None:
    pytest.importorskip(needs, reason=f"{needs} is not installed: pip install 'lipbench[{engine}]'")
    with pytest.raises(BenchError, match=f"'{engine}' has no option '{option}'.*'{nearest}'"):
        make_engine(engine, order(tmp_path, **{option: "x"}))


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a machine file."""

    def write(text: str) -> Path:
        path = tmp_path / "machine.yaml"
        path.write_text(text)
        return path

    return write


def test_options_of_a_suite_come_before_the_files_and_typed_ones_before_both(
    machine: Callable[[str], Path],
) -> None:
    file = machine(
        "slurm: {partition: cpu, time_min: 60, mem_gb: 4}\n"
        "ray: {address: auto}\n"
        "suites: {cifar100: {slurm: {time_min: 900, mem_gb: 16}}}\n"
    )
    assert engine_options(file, "slurm", "digits", {}) == {
        "partition": "cpu",
        "time_min": 60,
        "mem_gb": 4,
    }
    assert engine_options(file, "slurm", "cifar100", {"mem_gb": 32}) == {
        "partition": "cpu",
        "time_min": 900,
        "mem_gb": 32,
    }
    assert engine_options(file, "local", "cifar100", {}) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slrum: {partition: cpu}", "'slrum', did you mean 'slurm'"),
        ("slurm: cpu", "slurm takes a mapping"),
        ("suites: {digits: {suites: {}}}", "cannot hold suites"),
        ("[", "is no YAML"),
    ],
)
def test_a_machine_file_that_makes_no_sense_is_refused(
    text: str, message: str, machine: Callable[[str], Path]
) -> None:
    with pytest.raises(BenchError, match=message):
        engine_options(machine(text), "slurm", "digits", {})


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> tuple[TrainingSpec, ...]:
    folder = tmp_path_factory.mktemp("suites")
    return planned(folder, write_plugin(folder), data_dir)


def test_units_hold_every_training_once_in_order_and_share_the_work_out(
    trainings: tuple[TrainingSpec, ...],
) -> None:
    many = trainings * 100
    found = units(many, slots=4)
    assert tuple(t for unit in found for t in unit.trainings) == many
    assert len(found) >= 4 * 4
    assert len(units(trainings, slots=100)) == len(trainings)


def test_a_unit_holds_trainings_of_one_gpu_share_only(trainings: tuple[TrainingSpec, ...]) -> None:
    other = tuple(replace(training, method="other") for training in trainings)
    shares = {"slow": 0.25, "other": 1.0}
    found = units(trainings + other, 1, lambda training: shares[training.method], size=4)
    assert [(len(unit.trainings), unit.gpu_share) for unit in found] == [(3, 0.25), (3, 1.0)]


def test_seeds_that_may_be_trained_as_one_stay_in_one_unit(
    trainings: tuple[TrainingSpec, ...],
) -> None:
    other = tuple(replace(training, method="other") for training in trainings)
    mixed = [t for pair in zip(trainings, other, strict=True) for t in pair]
    found = units(mixed, 1, size=4)
    assert [{t.method for t in unit.trainings} for unit in found] == [{"slow"}, {"other"}]
    assert [len(unit.trainings) for unit in units(trainings, 1, size=2)] == [2, 1]


def test_a_method_gets_the_share_of_a_gpu_that_it_declares(
    trainings: tuple[TrainingSpec, ...], tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="ray is not installed: pip install 'lipbench[ray]'")
    from bench.engines.ray_engine import RayEngine, RayOptions

    plugin = tmp_path / "slow.py"
    plugin.write_text(
        write_plugin(tmp_path)
        .read_text()
        .replace('    paper = "none"', '    gpu_share = 0.2\n    paper = "none"')
    )
    settings = LocalSettings(tmp_path, Workplace(tmp_path / "runs/a"), (plugin,), 1, "cuda", 1)
    engine = RayEngine(settings, RayOptions(gpu_per_network=0.3), slots=1)
    names = ("slow", "ce", "co-teaching")
    shares = [engine._gpu_share(replace(trainings[0], method=name)) for name in names]
    assert shares == pytest.approx([0.2, 0.3, 0.6])
    on_cpu = RayEngine(replace(settings, device="cpu"), RayOptions(), slots=1)
    assert on_cpu._gpu_share(trainings[0]) == 0


def test_a_node_knows_the_coordinators_folder_by_its_mark(
    trainings: tuple[TrainingSpec, ...], tmp_path: Path
) -> None:
    site = Site.at(Workplace(tmp_path / "runs/a"))
    other = tmp_path / "elsewhere/runs/a"
    other.mkdir(parents=True)
    (other / ".site").write_text("of another machine")
    assert site.is_seen()
    assert Site.at(Workplace(tmp_path / "runs/a")) == site
    assert not replace(site, place=Workplace(other)).is_seen()
    shared = NodePlace(tmp_path / "scratch", site.place)
    alone = NodePlace(tmp_path / "scratch")
    assert shared.checkpoints == site.place.checkpoints
    assert shared.log(trainings[0]) == site.place.log(trainings[0])
    assert alone.checkpoints.is_relative_to(alone.root)

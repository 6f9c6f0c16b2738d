"""The SLURM engine on a real SLURM of one node, started on loopback."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from slow_method import measured, planned, write_plugin
from slurm_cluster import NoSlurm, SlurmCluster

from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.errors import BenchError
from bench.records import Outcome
from bench.training_spec import TrainingSpec

submitit = pytest.importorskip(
    "submitit", reason="submitit is not installed: pip install 'lipbench[slurm]'"
)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
    except NoSlurm as reason:
        pytest.skip(str(reason))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.config))
        yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plugin(tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def trainings(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, data_dir: Path
) -> tuple[TrainingSpec, ...]:
    return planned(tmp_path_factory.mktemp("suites"), plugin, data_dir)


@pytest.fixture(scope="module")
def alone(
    trainings: tuple[TrainingSpec, ...],
    plugin: Path,
    data_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Outcome]:
    """The same trainings by the local engine."""
    place = Workplace(tmp_path_factory.mktemp("local") / "runs/a")
    engine = LocalEngine(LocalSettings(data_dir, place, (plugin,), 2, "cpu", 1))
    return {spec.key: outcome for spec, outcome, _ in engine.run(trainings)}


def settings_at(folder: Path, plugin: Path, data_dir: Path) -> LocalSettings:
    place = Workplace(folder / "runs/a")
    return LocalSettings(data_dir, place, (plugin,), 1, "cpu", 1, checkpoint_every="1epochs")


def test_a_preempted_job_goes_on_from_its_checkpoint_and_results_are_those_of_one_machine(
    slurm: SlurmCluster,
    trainings: tuple[TrainingSpec, ...],
    alone: dict[str, Outcome],
    plugin: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    from bench.engines.slurm_engine import SlurmEngine
    from bench.engines.slurm_options import SlurmOptions

    settings = settings_at(tmp_path, plugin, data_dir)
    disturbed: list[str] = []

    def on_epoch(training: TrainingSpec, epoch: int) -> None:
        if not disturbed:
            files = (settings.workplace.root / "slurm").glob("*/units/*/job.json")
            jobs = [json.loads(file.read_text()) for file in files]
            (job,) = [job["id"] for job in jobs if training.key in job["keys"]]
            # What SLURM sends before it preempts a job or its time is over.
            subprocess.run(["scancel", "--signal=USR2", job], check=True)
            disturbed.append(job)

    engine = SlurmEngine(settings, SlurmOptions(poll_s=0.1, time_min=5, trainings_a_job=2))
    found = list(engine.run(trainings, on_epoch))
    assert disturbed
    assert {s.key: measured(o) for s, o, _ in found} == {k: measured(o) for k, o in alone.items()}
    logs = [settings.workplace.log(t).read_text() for t in trainings]
    assert any("going on after epoch" in log for log in logs)
    for spec, outcome, path in found:
        assert outcome.log == f"runs/a/logs/{spec.key[:16]}.log"
        assert path is not None
        assert path.exists()


def test_jobs_of_a_killed_run_are_taken_over_from_the_folder_that_nodes_share(
    slurm: SlurmCluster,
    trainings: tuple[TrainingSpec, ...],
    alone: dict[str, Outcome],
    plugin: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    from bench.engines.slurm_engine import SlurmEngine
    from bench.engines.slurm_options import SlurmOptions

    settings = settings_at(tmp_path, plugin, data_dir)
    options = SlurmOptions(poll_s=0.1, time_min=5, folder=str(tmp_path / "shared"))
    SlurmEngine(settings, options)._submit(trainings[:1])  # and then its process is killed
    ((spec, outcome, _),) = SlurmEngine(settings, options).run(trainings[:1])
    assert measured(outcome) == measured(alone[spec.key])
    assert len(list((tmp_path / "shared").rglob("job.json"))) == 1
    assert outcome.log == f"runs/a/logs/{spec.key[:16]}.log"
    assert (tmp_path / outcome.log).exists()
    assert not list((tmp_path / "shared/runs/a/checkpoints").iterdir())


def test_a_run_that_is_closed_cancels_its_jobs(
    slurm: SlurmCluster,
    trainings: tuple[TrainingSpec, ...],
    plugin: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    from bench.engines.slurm_engine import SlurmEngine
    from bench.engines.slurm_options import SlurmOptions

    settings = settings_at(tmp_path, plugin, data_dir)
    engine = SlurmEngine(settings, SlurmOptions(poll_s=0.1, time_min=5, trainings_a_job=1))
    running = engine.run(trainings)
    next(running)
    assert slurm.ask("squeue", "-h", "-r", "-o", "%i")
    running.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 30
    while slurm.ask("squeue", "-h", "-r", "-o", "%i") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert slurm.ask("squeue", "-h", "-r", "-o", "%i") == ""


def test_a_job_that_someone_cancels_is_an_interrupted_training(
    slurm: SlurmCluster,
    trainings: tuple[TrainingSpec, ...],
    plugin: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    from bench.engines.slurm_engine import SlurmEngine
    from bench.engines.slurm_options import SlurmOptions

    settings = settings_at(tmp_path, plugin, data_dir)
    hold = SlurmOptions(poll_s=0.1, time_min=5, extra={"hold": True})
    engine = SlurmEngine(settings, hold)
    submitted = engine._submit
    engine._submit = lambda asked: _cancelled(slurm, submitted(asked))  # type: ignore[method-assign]
    ((_, outcome, path),) = engine.run(trainings[:1])
    assert outcome.status == "interrupted"
    assert "CANCELLED" in outcome.error
    assert path is None


def _cancelled(slurm: SlurmCluster, jobs: list) -> list:
    slurm.ask("scancel", *(job.id for job in jobs))
    return jobs


def test_what_slurm_refuses_is_an_error_with_its_words(
    slurm: SlurmCluster,
    trainings: tuple[TrainingSpec, ...],
    plugin: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    from bench.engines.slurm_engine import SlurmEngine
    from bench.engines.slurm_options import SlurmOptions

    engine = SlurmEngine(settings_at(tmp_path, plugin, data_dir), SlurmOptions(partition="nowhere"))
    with pytest.raises(BenchError, match="invalid partition specified: nowhere"):
        list(engine.run(trainings))


def test_a_folder_that_the_node_does_not_see_is_said(
    slurm: SlurmCluster,
    trainings: tuple[TrainingSpec, ...],
    plugin: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    from bench.engines.slurm_engine import SlurmEngine
    from bench.engines.slurm_options import SlurmOptions

    settings = settings_at(tmp_path, plugin, data_dir)
    hidden = SlurmOptions(poll_s=0.1, time_min=5, setup=(f"rm {settings.workplace.root}/.site",))
    ((_, outcome, _),) = SlurmEngine(settings, hidden).run(trainings[:1])
    assert outcome.status == "crashed"
    assert "all nodes share" in outcome.error
    assert replace(outcome, error="").epochs == ()

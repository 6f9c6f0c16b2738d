"""The Ray engine on a cluster of two nodes, both of this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slow_method import measured, planned, write_plugin

from bench.engines.local import LocalEngine, LocalSettings
from bench.engines.protocol import Workplace
from bench.training_spec import TrainingSpec

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'lipbench[ray]'")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plugin(tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def trainings(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, data_dir: Path
) -> tuple[TrainingSpec, ...]:
    return planned(tmp_path_factory.mktemp("suites"), plugin, data_dir)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two raylets of one slot each; what fails to start is a reason to skip."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    try:
        found = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        found.add_node(**node)
    except Exception as error:  # many kinds, by system
        pytest.skip(f"no Ray cluster can be started here: {error}")
    yield found
    ray.shutdown()
    found.shutdown()


def test_trainings_of_a_killed_node_end_on_another_with_the_results_of_one_machine(
    cluster: Any,
    trainings: tuple[TrainingSpec, ...],
    plugin: Path,
    data_dir: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from bench.engines.ray_engine import RayEngine, RayOptions, connect

    settings = LocalSettings(data_dir, Workplace(tmp_path / "runs/a"), (plugin,), 1, "cpu", 1)
    options = RayOptions(address=cluster.address, trainings_a_unit=1)
    connect(options, settings.plugins)
    second = cluster.list_all_nodes()[1]
    seen: dict[str, list[int]] = {}

    def on_epoch(training: TrainingSpec, epoch: int) -> None:
        seen.setdefault(training.key, []).append(epoch)
        if len(seen) == 2 and second in cluster.list_all_nodes():
            cluster.remove_node(second, allow_graceful=False)  # both nodes are at work

    with caplog.at_level(logging.WARNING, "bench.engines.ray_engine"):
        found = list(RayEngine(settings, options, slots=2).run(trainings, on_epoch))
    assert "go to another node" in caplog.text
    assert {spec.key for spec, _, _ in found} == {t.key for t in trainings}
    assert len(found) == len(trainings)
    for spec, outcome, path in found:
        assert path is not None
        assert path.exists()
        assert outcome.log == f"runs/a/logs/{spec.key[:16]}.log"

    local = replace(settings, workplace=Workplace(tmp_path / "runs/b"), jobs=2)
    alone = {spec.key: outcome for spec, outcome, _ in LocalEngine(local).run(trainings)}
    for spec, outcome, _ in found:
        assert measured(outcome) == measured(alone[spec.key])
        assert outcome.status == "done"

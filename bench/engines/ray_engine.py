"""Trainings on a Ray cluster: one that is there, or one of this machine.

Code and plugins are sent along, so that nodes need only the packages. A unit that is lost with its
node goes to another one. A training takes its threads as CPUs and, on GPUs, the share that its
method declares.
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from pydantic import Field
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bench.engines.engine import Made, OnEpoch, Order, validated
from bench.engines.protocol import post
from bench.engines.ray_node import Mail, run_unit
from bench.engines.remote import LOSSES, Site, Unit, arrived, given_up, units
from bench.protocol import Strict
from bench.records import Outcome
from bench.registry import discover

if TYPE_CHECKING:
    from bench.engines.local import Finished, LocalSettings
    from bench.training_spec import TrainingSpec

log = logging.getLogger(__name__)

POLL_S = 0.25
"""Between two looks at the cluster."""

AHEAD = 2
"""Units a slot that Ray is told of: one runs, one waits, and more may come when nodes do."""

PLUGINS = "sent_plugins"
PACKAGES = ("bench", "methods", "datasets")


class RayOptions(Strict):
    """Options of the engine."""

    address: str = Field("", description="of a cluster; by default one that is found, or a new one")
    gpu_per_network: float = Field(
        0.5, gt=0, le=1, description="share of a GPU for each network of a method"
    )
    trainings_a_unit: int | None = Field(None, ge=1, description="that go to a node together")
    data_dir: str = Field("", description="the data folder on the nodes; by default as here")


class RayEngine:
    """Runs trainings as tasks of a Ray cluster that this process is connected to."""

    def __init__(
        self, settings: LocalSettings, options: RayOptions, slots: int, jobs: int | None = None
    ) -> None:
        """Remember; nothing starts.

        Args:
            settings: of the workers, wherever they run.
            options: of the engine.
            slots: trainings at a time that the cluster has room for.
            jobs: units at a time that were asked for; all that there is room for by default.
        """
        self._settings = settings
        self._options = options
        self._slots = slots
        self._window = jobs or slots * AHEAD
        self._registry = discover(settings.plugins)
        self._losses: Counter[str] = Counter()

    def run(
        self,
        trainings: Sequence[TrainingSpec],
        on_epoch: OnEpoch = lambda spec, epoch: None,
    ) -> Iterator[Finished]:
        """Yield each training as it ends, in no fixed order; closing the iterator ends the rest."""
        site = Site.at(self._settings.workplace)
        here = ray.get_runtime_context().get_node_id()
        mail: Any = (
            ray.remote(Mail)
            .options(
                num_cpus=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=here, soft=False),
            )
            .remote()
        )
        waiting = deque(
            units(trainings, self._slots, self._gpu_share, self._options.trainings_a_unit)
        )
        left = {training.key: training for training in trainings}
        running: dict[Any, Unit] = {}
        try:
            while left:
                while waiting and len(running) < self._window:
                    unit = waiting.popleft()
                    running[self._submit(unit, mail, site)] = unit
                ended, _ = ray.wait(list(running), num_returns=1, timeout=POLL_S)
                for message in ray.get(mail.take.remote()):
                    training = left.get(message["key"])
                    if training is None:
                        continue
                    if "epoch" in message:
                        on_epoch(training, message["epoch"])
                        continue
                    del left[training.key]
                    yield self._received(training, message)
                for task in ended:
                    unit = running.pop(task)
                    # What it mailed was there before it ended, and is taken.
                    rest = tuple(t for t in unit.trainings if t.key in left)
                    if not rest:
                        continue
                    reason, is_lost = _reason(task)
                    for training, outcome in self._judged(rest, reason, is_lost):
                        del left[training.key]
                        yield training, outcome, None
                    again = tuple(t for t in rest if t.key in left)
                    if again:
                        log.warning("%d trainings go to another node: %s", len(again), reason)
                        waiting.appendleft(Unit(again, unit.gpu_share))
        finally:
            for task in running:
                ray.cancel(task, force=True)
            ray.kill(mail)

    def _submit(self, unit: Unit, mail: Any, site: Site) -> Any:
        task = ray.remote(run_unit).options(
            num_cpus=self._settings.threads,
            num_gpus=unit.gpu_share,
            max_retries=0,  # what of a lost unit is finished is known here
            name=unit.trainings[0].name,
        )
        return task.remote(mail, unit.to_json(), self._settings, site, PLUGINS)

    def _gpu_share(self, training: TrainingSpec) -> float:
        if self._settings.device != "cuda":
            return 0.0
        declared = self._registry.get("method", training.method).declared
        wanted = declared.get("gpu_share", 0) or (
            declared["n_networks"] * self._options.gpu_per_network
        )
        return float(min(1.0, wanted))

    def _received(self, training: TrainingSpec, message: dict[str, Any]) -> Finished:
        place = self._settings.workplace
        log_path = place.log(training)
        if message["log"]:
            log_path.parent.mkdir(parents=True, exist_ok=True)
            log_path.write_text(message["log"], encoding="utf-8")
        outcome = arrived(Outcome.loads(message["outcome"]), place.beside_database(log_path))
        # On disk before it is committed, as everywhere.
        return training, outcome, post(place.outbox, training, outcome)

    def _judged(
        self, trainings: Sequence[TrainingSpec], reason: str, is_lost: bool
    ) -> list[tuple[TrainingSpec, Outcome]]:
        """Those of a lost unit that are not tried once more, with what is recorded of them."""
        found = []
        for training in trainings:
            self._losses[training.key] += 1
            if is_lost and self._losses[training.key] < LOSSES:
                continue
            times = f" ({self._losses[training.key]} times)" if is_lost else ""
            ended = given_up(training, "crashed", f"{reason}{times}", self._settings)
            found.append((training, ended))
        return found


def _reason(task: Any) -> tuple[str, bool]:
    """Why a task did not end all of its trainings, and whether another node may do so."""
    try:
        ray.get(task)
    except RayTaskError as error:  # an exception of ours: a second time would not help
        return f"the task failed on its node: {str(error).strip().splitlines()[-1]}", False
    except RayError as error:
        first = str(error).strip().splitlines()[0]
        return f"lost with its node or process ({type(error).__name__}: {first})", True
    return "its worker was asked to end", True


def make(order: Order) -> Made:
    """Connect to a cluster, or start one of this machine.

    Raises:
        BenchError: an option is wrong.
    """
    options = validated(RayOptions, order.options, "ray")
    settings = order.settings
    threads = settings.threads or 1
    connect(options, order.local.plugins)
    has = ray.cluster_resources()
    device = settings.device
    if device == "auto":
        device = "cuda" if has.get("GPU") else "cpu"
    room = int(has.get("CPU", 1)) // threads
    if device == "cuda":
        room = min(room, int(has.get("GPU", 0) / options.gpu_per_network))
    slots = max(1, min(room, settings.jobs or room, order.trainings))
    data_dir = Path(options.data_dir) if options.data_dir else order.local.data_dir.resolve()
    worker = replace(order.local, device=device, threads=threads, data_dir=data_dir, gpus=())
    nodes = sum(bool(node["Alive"]) for node in ray.nodes())
    noun = "training" if slots == 1 else "trainings"
    note = f"Ray: {nodes} node{'s' if nodes != 1 else ''}, room for {slots} {noun} at a time."
    return Made(RayEngine(worker, options, slots, settings.jobs), slots, (note,))


def connect(options: RayOptions, plugins: Sequence[Path]) -> None:
    """Connect, sending the code along."""
    if ray.is_initialized():
        ray.shutdown()
    with tempfile.TemporaryDirectory(prefix="lipbench-code-") as folder:
        stage(Path(folder), plugins)
        ray.init(
            address=options.address or None,
            # Plugin files are sent; a node that has the variable would find them twice.
            runtime_env={"working_dir": folder, "env_vars": {"LIPBENCH_PLUGINS": ""}},
            namespace="lipbench",
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
        # The folder is sent with the first task.
        ray.get(ray.remote(_nothing).options(num_cpus=0).remote())


def stage(folder: Path, plugins: Sequence[Path]) -> None:
    """Copy the code that a worker needs: the packages, and plugin files one a folder."""
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            shutil.copytree(
                location,
                folder / package,
                ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
                dirs_exist_ok=True,
            )
    for number, plugin in enumerate(plugins):
        place = folder / PLUGINS / str(number)
        place.mkdir(parents=True)
        shutil.copy(plugin, place)


def _nothing() -> None:
    """Says that the code has arrived."""

"""What an engine is, and which there are; what one needs is imported when it is chosen."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from bench.errors import BenchError, nearest
from bench.settings import residence

if TYPE_CHECKING:
    from bench.engines.local import Finished, LocalSettings
    from bench.settings import Settings
    from bench.training_spec import TrainingSpec

T = TypeVar("T", bound=BaseModel)

OnEpoch = Callable[["TrainingSpec", int], None]
"""Called with a training and the epoch that ended, from 1; from any thread."""


class Engine(Protocol):
    """Runs trainings somewhere and says how each ended; results do not depend on which one."""

    def run(self, trainings: Sequence[TrainingSpec], on_epoch: OnEpoch = ...) -> Iterator[Finished]:
        """Yield each training as it ends, in no fixed order; closing the iterator ends the rest."""
        ...


@dataclass(frozen=True)
class Made:
    """An engine that is ready.

    Attributes:
        slots: trainings at a time, as far as is known.
        notes: sentences for the user before it starts.
    """

    engine: Engine
    slots: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """What an engine is asked for.

    Attributes:
        local: what a worker process needs wherever it runs; one slot, on the CPU.
        settings: device, jobs and threads as they were asked for.
        trainings: how many will run.
        options: of the engine, from the machine file and the command line.
    """

    local: LocalSettings
    settings: Settings
    trainings: int
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """An engine by name.

    Attributes:
        factory: ``module:function``, which takes an ``Order`` and gives a ``Made``.
        needs: package beyond LIPBench's own; empty for none.
        is_here: whether trainings run on this machine, which then knows how long they take.
    """

    name: str
    summary: str
    factory: str
    needs: str = ""
    is_here: bool = False


ENGINES = {
    entry.name: entry
    for entry in (
        Entry(
            "local", "worker processes on this machine", "bench.engines.engine:local", is_here=True
        ),
        Entry("ray", "a Ray cluster", "bench.engines.ray_engine:make", "ray"),
        Entry("slurm", "job arrays of SLURM", "bench.engines.slurm_engine:make", "submitit"),
    )
}


def find(name: str) -> Entry:
    """An engine that can be used here.

    Raises:
        BenchError: there is none of that name, or its package is not installed.
    """
    entry = ENGINES.get(name)
    if entry is None:
        raise BenchError(f"there is no engine {name!r}{nearest(name, ENGINES)}")
    if entry.needs and importlib.util.find_spec(entry.needs) is None:
        raise BenchError(
            f"engine {name!r} needs the package {entry.needs}, which is not installed; "
            f"type: pip install 'lipbench[{name}]'"
        )
    return entry


def make_engine(name: str, order: Order) -> Made:
    """The engine, ready to run.

    Raises:
        BenchError: it does not exist or cannot be used here, or one of its options is wrong.
    """
    residence()  # every training would fail of a wrong word
    module, _, function = find(name).factory.partition(":")
    factory: Callable[[Order], Made] = getattr(importlib.import_module(module), function)
    return factory(order)


def local(order: Order) -> Made:
    """Slots on this machine."""
    from bench.engines.local import LocalEngine

    if order.options:
        name = next(iter(order.options))
        raise BenchError(f"the engine 'local' has no option {name!r}; it takes none")
    settings = order.settings
    device = settings.resolved_device()
    if settings.gpus and device != "cuda":
        raise BenchError(f"--gpus names CUDA devices, but trainings run on {device}; leave it out")
    jobs = settings.resolved_jobs(device, order.trainings)
    threads = settings.resolved_threads(jobs)
    notes: tuple[str, ...] = ()
    if device == "cpu" and jobs * threads > settings.cores:
        notes = (
            f"{jobs} trainings at a time of {threads} threads each want more than the "
            f"{settings.cores} cores there are, which is slower; leave out --jobs or --threads.",
        )
    engine = LocalEngine(
        replace(order.local, jobs=jobs, device=device, threads=threads, stack=settings.stack)
    )
    return Made(engine, jobs, notes)


def validated(model: type[T], options: Mapping[str, Any], engine: str) -> T:
    """Options of an engine, checked. Raises ``BenchError`` naming the option."""
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = nearest(name, model.model_fields)
            raise BenchError(f"the engine {engine!r} has no option {name!r}{hint}") from None
        raise BenchError(f"engine {engine!r}, option {name}: {first['msg']}") from None

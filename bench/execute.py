"""Run one training to its end: the same code in every engine."""

from __future__ import annotations

import logging
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bench.artefacts import artefact as artefact_of
from bench.data.arrays import Prepared
from bench.data.noise import NoiseArtefact
from bench.data.prepared import load
from bench.environment import environment
from bench.errors import DataError, PluginError
from bench.protocol import Protocol
from bench.records import EpochRecord, Evaluation, Outcome, Spectrum
from bench.refine.evaluate import evaluate_refiners
from bench.training.checkpoints import Checkpoint, Saved, capture, identity_of
from bench.training.keeping import Keeper, Keeping
from bench.training.session import Diverged, Session
from bench.training_spec import TrainingSpec

if TYPE_CHECKING:
    from bench.registry import Registry
    from bench.stacking import Along

log = logging.getLogger(__name__)

TRACEBACK_LINES = 40


@dataclass(frozen=True)
class Machine:
    """Facts of the machine that a training runs on; never part of its identity."""

    data_dir: Path
    device: str
    threads: int


def execute(
    spec: TrainingSpec,
    registry: Registry,
    machine: Machine,
    on_epoch: Callable[[EpochRecord], None],
    keeping: Keeping | None = None,
    along: Along | None = None,
) -> Outcome:
    """Train, refine, measure. A failure of any kind is an outcome, not an exception.

    Args:
        spec: what to train.
        registry: where its plugins are.
        machine: where it runs.
        on_epoch: called with every epoch's measurements, and when a checkpoint is gone on from
            with those of its last epoch.
        keeping: where and how often the training is saved; None for never.
        along: trainings that a worker does together with others; None to do this one alone.

    Raises:
        Interrupted: ``keeping`` says that the training shall end; it is saved.
    """
    started_at = datetime.now(UTC).isoformat("T", "milliseconds")
    clock = time.perf_counter()
    device = torch.device(machine.device)
    epochs: list[EpochRecord] = []
    peak_before = 0
    status, error, trace = "done", "", ""
    session: Session | None = None
    evaluations: tuple[Evaluation, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    try:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        for refiner in spec.refiners:
            check_code(registry, "refiner", refiner.name, refiner.source_sha)
        keeper = None if keeping is None else _keeper(spec, machine, device, keeping)
        build = partial(build_session, spec, registry, machine.data_dir, device)
        if along is not None:
            build = partial(along.session, spec)
        session, saved = (build(), None) if keeper is None else keeper.begin(build)
        if saved is not None:
            started_at, peak_before = saved.started_at, saved.peak_memory_bytes
            clock -= saved.wall_s
            epochs += saved.records
            on_epoch(epochs[-1])

        def state() -> Saved:
            taken_s, peak = time.perf_counter() - clock, max(peak_before, _peak_memory(device))
            return Saved(capture(session), tuple(epochs), started_at, taken_s, peak)

        for record in session.epochs() if along is None else along.epochs(spec, session):
            epochs.append(record)
            ahead = session.epoch > record.epoch  # it came along with another: not to be saved
            try:
                on_epoch(record)
            except BaseException:  # nobody listens any more: what is learned need not be lost
                if keeper is not None and not ahead:
                    keeper.save(session, state)
                raise
            if keeper is not None and not ahead:
                keeper.after_epoch(session, state)
        refiners = [(r, registry.create("refiner", r.name, r.params)) for r in spec.refiners]
        evaluations, spectra = evaluate_refiners(session, refiners)
    except Exception as problem:
        status, error = _status(problem), f"{type(problem).__name__}: {problem}"
        trace = "\n".join(traceback.format_exc().splitlines()[-TRACEBACK_LINES:])
        log.error("%s: %s\n%s", spec.name, error, trace)
    others_s = along.others_s(session) if along and session else 0.0
    return Outcome(
        key=spec.key,
        status=status,
        started_at=started_at,
        wall_s=time.perf_counter() - clock - others_s,
        train_s=epochs[-1].wall_s if epochs else None,
        device=device.type,
        precision=session.precision if session else "",
        threads=machine.threads,
        environment=environment(_accelerator(device)),
        peak_memory_bytes=max(peak_before, _peak_memory(device)),
        samples=session.run.samples if session else 0,
        n_parameters=session.n_parameters if session else None,
        epochs=tuple(epochs),
        evaluations=evaluations,
        spectra=spectra,
        error=error,
        traceback=trace,
    )


def _keeper(spec: TrainingSpec, machine: Machine, device: torch.device, keeping: Keeping) -> Keeper:
    identity = identity_of(spec, device, machine.threads)
    return Keeper(keeping, Checkpoint(keeping.folder, identity))


def build_session(
    spec: TrainingSpec, registry: Registry, data_dir: Path, device: torch.device
) -> Session:
    """The training of a specification, ready for its first epoch.

    Raises:
        DataError: data or labels are not those that were planned.
        PluginError: a plugin's code is not what was planned.
    """
    dataset = registry.bind("dataset", spec.dataset, spec.dataset_params)
    prepared = load(dataset, data_dir, registry).at(spec.seed)
    if prepared.info.fingerprint != spec.fingerprint:
        raise DataError(
            f"{spec.dataset} changed since the plan was made (fingerprint "
            f"{prepared.info.fingerprint[:12]}, planned {spec.fingerprint[:12]})"
        )
    for kind, name, source_sha in (
        ("method", spec.method, spec.method_source_sha),
        ("backbone", spec.protocol["backbone"]["name"], spec.backbone_source_sha),
    ):
        check_code(registry, kind, name, source_sha)
    backbone = spec.protocol["backbone"]
    protocol = {
        **spec.protocol,
        "backbone": {"name": backbone["name"], "params": backbone["params"]},
    }
    return Session(
        method=registry.create("method", spec.method, spec.method_params),
        backbone=registry.create("backbone", backbone["name"], backbone["params"]),
        protocol=Protocol.model_validate(protocol),
        info=prepared.info,
        train=prepared.train,
        test=prepared.test,
        artefact=_artefact(spec, registry, prepared, data_dir),
        seed=spec.seed,
        device=device,
    )


def check_code(registry: Registry, kind: str, name: str, source_sha: str) -> None:
    """See that a plugin's code, in its file when it was found and as imported, is what was planned.

    A process that has imported a plugin keeps that code when the file is edited; one that imports
    it later must not run the new code under the old key.

    Raises:
        PluginError: it is not.
    """
    found = (registry.get(kind, name).source_sha, registry.imported_sha(kind, name))
    if found != (source_sha, source_sha):
        raise PluginError(f"{kind} {name!r} was edited since the plan was made; run again")


def _artefact(
    spec: TrainingSpec, registry: Registry, prepared: Prepared, data_dir: Path
) -> NoiseArtefact:
    artefact = artefact_of(
        spec.noise.name, spec.noise.params, spec.seed, prepared, registry, data_dir
    )
    if artefact.sha != spec.noise.artefact_sha:
        raise DataError(
            f"the labels of {spec.noise.label} are not those that were planned "
            f"({artefact.sha[:12]}, planned {spec.noise.artefact_sha[:12]})"
        )
    return artefact


def _status(problem: Exception) -> str:
    if isinstance(problem, Diverged):
        return "diverged"
    if isinstance(problem, (torch.OutOfMemoryError, MemoryError)):
        return "oom"
    return "failed"


def _accelerator(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

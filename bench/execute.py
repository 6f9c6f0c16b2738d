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
from bench.records import EpochRecord, Evaluation, Outcome, Spectrum, TrainingSpec
from bench.refine.evaluate import evaluate_refiners
from bench.training.session import Diverged, Session

if TYPE_CHECKING:
    from bench.registry import Registry

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
) -> Outcome:
    """Train, refine, measure. A failure of any kind is an outcome, not an exception."""
    started_at = datetime.now(UTC).isoformat("T", "milliseconds")
    clock = time.perf_counter()
    device = torch.device(machine.device)
    epochs: list[EpochRecord] = []
    status, error, trace = "done", "", ""
    session: Session | None = None
    evaluations: tuple[Evaluation, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    try:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        session = build_session(spec, registry, machine.data_dir, device)
        for record in session.epochs():
            epochs.append(record)
            on_epoch(record)
        refiners = [(r, registry.create("refiner", r.name, r.params)) for r in spec.refiners]
        evaluations, spectra = evaluate_refiners(session, refiners)
    except Exception as problem:
        status, error = _status(problem), f"{type(problem).__name__}: {problem}"
        trace = "\n".join(traceback.format_exc().splitlines()[-TRACEBACK_LINES:])
        log.error("%s: %s\n%s", spec.name, error, trace)
    return Outcome(
        key=spec.key,
        status=status,
        started_at=started_at,
        wall_s=time.perf_counter() - clock,
        train_s=epochs[-1].wall_s if epochs else None,
        device=device.type,
        precision=session.precision if session else "",
        threads=machine.threads,
        environment=environment(_accelerator(device)),
        peak_memory_bytes=_peak_memory(device),
        samples=session.run.samples if session else 0,
        n_parameters=session.n_parameters if session else None,
        epochs=tuple(epochs),
        evaluations=evaluations,
        spectra=spectra,
        error=error,
        traceback=trace,
    )


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
        if registry.get(kind, name).source_sha != source_sha:
            raise PluginError(f"{kind} {name!r} was edited since the plan was made; run again")
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

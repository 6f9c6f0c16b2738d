"""Trainings as job arrays of SLURM, through submitit.

Logs, outcomes and checkpoints lie in a folder that all nodes see: beside the database, or elsewhere
where the database is on a local disk, as it should be. A job that is preempted or reaches its time
limit goes on from its checkpoint. A run that was killed leaves its jobs in the queue; the same
command takes them over.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from bench.engines import slurm_queue
from bench.engines.engine import Made, OnEpoch, Order, validated
from bench.engines.protocol import Workplace, read_post
from bench.engines.remote import LOSSES, Site, given_up, units
from bench.engines.slurm_job import DONE, EPOCH, STOPPED, UnitJob
from bench.engines.slurm_options import SlurmOptions
from bench.errors import BenchError
from bench.training import keeping

if TYPE_CHECKING:
    from bench.engines.local import Finished, LocalSettings
    from bench.training_spec import TrainingSpec

log = logging.getLogger(__name__)

QUEUE_S = 10.0
"""Between two questions to SLURM, which answers to all its users."""

LOG_BYTES = 2000


@dataclass
class Job:
    """A unit in the queue.

    Attributes:
        id: as SLURM calls it.
        scratch: the unit's folder.
        folder: submitit's, with the job's logs.
    """

    id: str
    trainings: tuple[TrainingSpec, ...]
    scratch: Path
    folder: Path
    epoch: tuple[str, int] = ("", 0)


class SlurmEngine:
    """Runs trainings as jobs of the SLURM that this machine submits to."""

    def __init__(
        self, settings: LocalSettings, options: SlurmOptions, jobs: int | None = None
    ) -> None:
        """Remember; nothing is submitted.

        Args:
            settings: of the workers, wherever they run.
            options: of the engine.
            jobs: at a time.
        """
        self._settings = settings
        self._options = options
        self._jobs = jobs
        own = settings.workplace
        shared = Path(options.folder).resolve() / "runs" / own.root.name if options.folder else None
        self._place = own if shared is None else Workplace(shared)
        self._root = self._place.root.resolve() / "slurm"
        self._folder = self._root / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        self._losses: Counter[str] = Counter()
        self._units = 0

    def run(
        self, trainings: Sequence[TrainingSpec], on_epoch: OnEpoch = lambda spec, epoch: None
    ) -> Iterator[Finished]:
        """Yield each training as it ends, in no fixed order; closing the iterator cancels the rest.

        Raises:
            BenchError: SLURM does not take the jobs.
        """
        left = {training.key: training for training in trainings}
        for finished in self._posted(left):  # by jobs that outlived an earlier run
            del left[finished[0].key]
            yield finished
        jobs = self._taken_over(left)
        taken = {t.key for job in jobs for t in job.trainings}
        try:
            jobs += self._submit([t for t in trainings if t.key in left.keys() - taken])
            asked_at = time.monotonic()
            while left:
                for finished in self._posted(left):
                    del left[finished[0].key]
                    yield finished
                self._tell_epochs(jobs, left, on_epoch)
                jobs = [job for job in jobs if any(t.key in left for t in job.trainings)]
                if time.monotonic() - asked_at >= min(QUEUE_S, 5 * self._options.poll_s):
                    asked_at = time.monotonic()
                    ids = slurm_queue.queued()
                    gone = [] if ids is None else [job for job in jobs if job.id not in ids]
                    jobs = [job for job in jobs if job not in gone]
                    # What a job posted before it ended is there now.
                    for finished in self._posted(left):
                        del left[finished[0].key]
                        yield finished
                    for job in gone:
                        again: list[TrainingSpec] = []
                        for spec, status, error in self._judged(job, left, again):
                            del left[spec.key]
                            yield spec, given_up(spec, status, error, self._settings), None
                        jobs += self._submit(again)
                if left:
                    time.sleep(self._options.poll_s)
        finally:
            if left:
                slurm_queue.cancel(job.id for job in jobs)

    def _submit(self, trainings: Sequence[TrainingSpec]) -> list[Job]:
        """Put trainings into the queue, as arrays where there are several units."""
        if not trainings:
            return []
        options = self._options
        site = Site.at(self._place)
        slots = self._jobs or options.array_parallelism
        executor = submitit.AutoExecutor(
            self._folder, cluster="slurm", slurm_max_num_timeout=options.requeues
        )
        executor.update_parameters(**options.parameters(self._settings.threads, self._jobs))
        together = units(trainings, slots, size=options.trainings_a_job)
        found: list[Job] = []
        for start in range(0, len(together), options.array_size):
            array = together[start : start + options.array_size]
            scratches = [self._new_scratch() for _ in array]
            jobs = [
                UnitJob(self._settings, site, unit.to_json(), scratch)
                for unit, scratch in zip(array, scratches, strict=True)
            ]
            try:
                with executor.batch():
                    submitted = [executor.submit(job) for job in jobs]
            except (FailedJobError, FailedSubmissionError) as error:
                slurm_queue.cancel(job.id for job in found)
                raise BenchError(
                    f"SLURM does not take the jobs: {str(error).strip()}; options of sbatch are "
                    f"given with --machine FILE or -E NAME=VALUE"
                ) from None
            found += [
                Job(sent.job_id, unit.trainings, scratch, self._folder)
                for sent, unit, scratch in zip(submitted, array, scratches, strict=True)
            ]
        for job in found:
            record = {"id": job.id, "keys": [t.key for t in job.trainings]}
            (job.scratch / "job.json").write_text(json.dumps(record), encoding="utf-8")
        return found

    def _new_scratch(self) -> Path:
        self._units += 1
        scratch = self._folder / "units" / str(self._units)
        scratch.mkdir(parents=True)
        return scratch

    def _taken_over(self, left: dict[str, TrainingSpec]) -> list[Job]:
        """Jobs of an earlier run that still wait or run; folders of runs without any go."""
        ids = slurm_queue.queued()
        if ids is None:
            raise BenchError("squeue does not answer; is this a machine that submits to SLURM?")
        found = []
        for folder in sorted(self._root.glob("*/")):
            alive = []
            for file in folder.glob("units/*/job.json"):
                record = json.loads(file.read_text(encoding="utf-8"))
                own = tuple(left[key] for key in record["keys"] if key in left)
                if record["id"] in ids and own:
                    alive.append(Job(record["id"], own, file.parent, folder))
            if not alive:
                shutil.rmtree(folder, ignore_errors=True)
            found += alive
        if found:
            log.warning("%d jobs of an earlier run are taken over", len(found))
        return found

    def _posted(self, left: dict[str, TrainingSpec]) -> Iterator[Finished]:
        outbox, own = self._place.outbox, self._settings.workplace
        for path in sorted(outbox.glob("*.json")):
            training = left.get(path.stem)
            if training is None:
                continue
            _, outcome = read_post(path)
            if self._place == own:
                yield training, outcome, path
                continue
            own.log(training).parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                shutil.copyfile(self._place.log(training), own.log(training))
            yield training, replace(outcome, log=own.beside_database(own.log(training))), path
            if outcome.status == "done":
                keeping.remove(self._place.checkpoints, training.key)

    def _tell_epochs(
        self, jobs: Sequence[Job], left: dict[str, TrainingSpec], on_epoch: OnEpoch
    ) -> None:
        for job in jobs:
            try:
                said = json.loads((job.scratch / EPOCH).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            now = (said["key"], said["epoch"])
            if now != job.epoch and now[0] in left:
                job.epoch = now
                on_epoch(left[now[0]], now[1])

    def _judged(
        self, job: Job, left: dict[str, TrainingSpec], again: list[TrainingSpec]
    ) -> Iterator[tuple[TrainingSpec, str, str]]:
        """What becomes of the trainings of a job that ended without them.

        Those that are to be tried once more are put into ``again``.
        """
        rest = [
            t for t in job.trainings if t.key in left and not (job.scratch / DONE / t.key).exists()
        ]
        if not rest:
            return
        end = slurm_queue.ended(job.id)
        text = f"job {job.id} of SLURM ended ({end.text})"
        if end.state in ("TIMEOUT", "DEADLINE", "OUT_OF_MEMORY"):
            # Trainings run in order, so it was at work on the first of the rest.
            status = "oom" if end.state == "OUT_OF_MEMORY" else "timeout"
            yield rest[0], status, text
            again += rest[1:]
        elif end.state in slurm_queue.LOST or (job.scratch / STOPPED).exists():
            for training in rest:
                self._losses[training.key] += 1
                if self._losses[training.key] < LOSSES:
                    again.append(training)
                else:
                    yield training, "crashed", f"{text}, {LOSSES} times"
            if again:
                log.warning("%d trainings are queued again: %s", len(again), text)
        elif end.state == "CANCELLED":
            for training in rest:
                yield training, "interrupted", text
        else:
            for training in rest:
                yield training, "crashed", f"{text}: {_last_words(job)}"


def _last_words(job: Job) -> str:
    try:
        words = (job.folder / f"{job.id}_0_log.err").read_bytes()[-LOG_BYTES:]
    except OSError:
        return "it left no log"
    lines = words.decode("utf-8", "replace").strip().splitlines()
    return next((line for line in reversed(lines) if line and not line.startswith("srun:")), "")


def make(order: Order) -> Made:
    """An engine for the SLURM of this machine.

    Raises:
        BenchError: an option is wrong, or this machine does not submit to SLURM.
    """
    options = validated(SlurmOptions, order.options, "slurm")
    if shutil.which("sbatch") is None or shutil.which("srun") is None:
        raise BenchError(
            "the engine 'slurm' needs sbatch and srun, which are not on this machine's path; "
            "type the command on a machine that submits to SLURM, or use --engine local"
        )
    settings = order.settings
    device = settings.device
    if device == "auto":
        device = "cuda" if options.gpus else "cpu"
    if device == "cuda" and not options.gpus:
        options = options.model_copy(update={"gpus": 1})
    data_dir = Path(options.data_dir) if options.data_dir else order.local.data_dir.resolve()
    worker = replace(
        order.local, device=device, threads=settings.threads or 1, gpus=(), data_dir=data_dir
    )
    slots = min(settings.jobs or options.array_parallelism, order.trainings)
    where = f"partition {options.partition}" if options.partition else "the default partition"
    note = (
        f"SLURM: {order.trainings} trainings in {where}, at most {slots} jobs at a time of "
        f"{options.time_min} min."
    )
    return Made(SlurmEngine(worker, options, settings.jobs), slots, (note,))

"""What runs inside a job of SLURM: a unit of trainings, and how it makes way.

Preempted or at its time limit, the job lets the epoch end, saves it, and is queued again; then it
goes on from there. What it has finished lies in the coordinator's outbox by then.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.engines.protocol import post
from bench.engines.remote import Site, UnitRun
from bench.training_spec import TrainingSpec

if TYPE_CHECKING:
    from bench.engines.local import LocalSettings

log = logging.getLogger(__name__)

DONE = "done"
EPOCH = "epoch.json"
STOPPED = "stopped"
"""In a unit's folder: keys of finished trainings, the last epoch, that it was asked to end."""


@dataclass
class UnitJob:
    """A unit as submitit keeps and calls it.

    Attributes:
        settings: of the worker; its workplace is the coordinator's.
        specs: of the trainings, as ``TrainingSpec.to_json`` gives them.
        scratch: the unit's own folder, seen from all nodes.
    """

    settings: LocalSettings
    site: Site
    specs: list[dict[str, Any]]
    scratch: Path
    _run: UnitRun | None = field(default=None, repr=False)

    def __call__(self) -> None:
        """Run what is not finished yet."""
        if not self.site.is_seen():
            raise RuntimeError(
                f"{socket.gethostname()} does not see {self.site.place.root}; the engine 'slurm' "
                f"wants a folder that all nodes share: -E folder=PATH"
            )
        (self.scratch / DONE).mkdir(parents=True, exist_ok=True)
        (self.scratch / STOPPED).unlink(missing_ok=True)
        run = self._run = UnitRun(self.settings, self.site, self.scratch)
        signal.signal(signal.SIGTERM, self._terminated)
        trainings = [
            TrainingSpec.from_json(spec)
            for spec in self.specs
            if not (self.scratch / DONE / str(spec["key"])).exists()
        ]
        for spec, outcome in run.run(trainings, self._say_epoch):
            named = replace(outcome, log=run.place.beside_database(run.place.log(spec)))
            post(self.site.place.outbox, spec, named)
            (self.scratch / DONE / spec.key).touch()

    def checkpoint(self) -> Any:
        """Called by submitit before it queues the job again: make way, and then the same again."""
        from submitit.helpers import DelayedSubmission

        self._make_way()
        return DelayedSubmission(replace(self, _run=None))

    def _make_way(self) -> None:
        log.warning("asked to make way; the training goes on from its checkpoint")
        if self._run is not None:
            self._run.stop()

    def _terminated(self, number: int, frame: object) -> None:
        """SLURM ends the job: preempted where it does not queue again, or cancelled."""
        (self.scratch / STOPPED).touch()
        self._make_way()
        raise SystemExit(128 + number)

    def _say_epoch(self, training: TrainingSpec, epoch: int) -> None:
        part = self.scratch / f"{EPOCH}.part"
        part.write_text(json.dumps({"key": training.key, "epoch": epoch}), encoding="utf-8")
        os.replace(part, self.scratch / EPOCH)

"""What coordinator and workers say to each other: JSON lines down, JSON lines up, files across."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.records import Outcome
from bench.training_spec import TrainingSpec


@dataclass(frozen=True)
class Workplace:
    """The folder beside a database that holds logs and outcomes on their way into it."""

    root: Path

    @classmethod
    def beside(cls, db: Path) -> Workplace:
        """``runs/<database name>/``."""
        return cls(db.resolve().parent / "runs" / db.stem)

    @property
    def outbox(self) -> Path:
        """Finished outcomes, until the coordinator has committed them."""
        return self.root / "outbox"

    @property
    def checkpoints(self) -> Path:
        """States of trainings that are not finished, by key."""
        return self.root / "checkpoints"

    @property
    def progress(self) -> Path:
        """What the run that fills this database is doing; absent while there is none."""
        return self.root / "progress.json"

    def log(self, spec: TrainingSpec) -> Path:
        """The log of a training's latest attempt."""
        return self.root / "logs" / f"{spec.key[:16]}.log"

    def beside_database(self, path: Path) -> str:
        """A path in here as seen from the database's folder, so that both can be moved."""
        return path.relative_to(self.root.parent.parent).as_posix()


def post(outbox: Path, spec: TrainingSpec, outcome: Outcome) -> Path:
    """Put an outcome into the outbox, whole or not at all, and surely on disk."""
    outbox.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=outbox, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"spec": spec.to_json(), "outcome": outcome.dumps()}, file)
        file.flush()
        os.fsync(file.fileno())
    place = outbox / f"{spec.key}.json"
    os.replace(temporary, place)
    return place


def read_post(path: Path) -> tuple[TrainingSpec, Outcome]:
    """What ``post`` wrote.

    Raises:
        ValueError, KeyError, TypeError: the file is no outcome.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    spec = TrainingSpec.from_json(data["spec"])
    outcome = Outcome.loads(data["outcome"])
    if outcome.key != spec.key:
        raise ValueError(f"outcome {outcome.key[:12]} came with specification {spec.key[:12]}")
    return spec, outcome


def posted(outbox: Path) -> Iterator[Path]:
    """Outcomes that wait; half-written files of dead workers are removed."""
    if not outbox.is_dir():
        return
    for part in outbox.glob("*.part"):
        part.unlink(missing_ok=True)
    yield from sorted(outbox.glob("*.json"))

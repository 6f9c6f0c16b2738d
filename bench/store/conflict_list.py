"""Conflicts as a list to read: which figure differs, and what each side ran on."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from bench.store.compare import Difference, difference
from bench.store.conflicts import record_of
from bench.store.exchange import read_record

AGREES = "nothing any more"


@dataclass(frozen=True)
class Conflict:
    """One result from elsewhere beside ours.

    Attributes:
        conflict: its hash; training_key: of the training.
        dataset, noise, method, seed: of the training.
        of: what the accuracies are of: a refiner, or an epoch.
        ours, theirs: test accuracies there, shares; None where there is none.
        parts: everything that differs, in words.
        our_environment, their_environment: of the attempts that count, in words.
        origin: where it came from; found_at: when it was taken in, UTC.
        record: theirs, whole.
    """

    conflict: str
    training_key: str
    dataset: str
    noise: str
    method: str
    seed: int
    of: str
    ours: float | None
    theirs: float | None
    parts: tuple[str, ...]
    our_environment: str
    their_environment: str
    origin: str
    found_at: str
    record: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return asdict(self)


def listed(connection: sqlite3.Connection, since: set[str] | None = None) -> list[Conflict]:
    """All that are kept, by data set, noise, method and seed.

    Args:
        connection: a reader.
        since: hashes that are left out, as ``known`` gave them before.
    """
    rows = connection.execute(
        "SELECT c.conflict, c.training_id, c.origin, c.found_at, c.record, d.label "
        "FROM conflicts c JOIN trainings t ON t.id = c.training_id "
        "JOIN datasets d ON d.fingerprint = t.fingerprint"
    ).fetchall()
    found = [_conflict(connection, *row) for row in rows if since is None or row[0] not in since]
    return sorted(found, key=lambda c: (c.dataset, c.noise, c.method, c.seed, c.conflict))


def known(connection: sqlite3.Connection) -> set[str]:
    """Hashes of all that are kept."""
    return {str(row[0]) for row in connection.execute("SELECT conflict FROM conflicts")}


def _conflict(
    connection: sqlite3.Connection,
    conflict: str,
    training_id: int,
    origin: str,
    found_at: str,
    blob: bytes,
    dataset: str,
) -> Conflict:
    ours, theirs = read_record(connection, training_id), record_of(blob)
    spec = ours["spec"]
    what = difference(ours, theirs) or Difference("", None, None, (AGREES,))
    return Conflict(
        conflict=conflict,
        training_key=spec["key"],
        dataset=dataset,
        noise=spec["noise"]["label"],
        method=spec["method_label"],
        seed=spec["seed"],
        of=what.of,
        ours=what.ours,
        theirs=what.theirs,
        parts=what.parts,
        our_environment=environment_of(ours),
        their_environment=environment_of(theirs),
        origin=origin,
        found_at=found_at,
        record=theirs,
    )


def environment_of(record: dict[str, Any]) -> str:
    """Code, torch, machine, device and time of the attempt that a record's results are of."""
    attempts = record["attempts"]
    done = [attempt for attempt in attempts if attempt["status"] == "done"]
    if not attempts:
        return ""
    attempt = [*attempts, *done][-1]
    where = f"{attempt['device']} {attempt['precision']}, {attempt['started_at'][:10]}"
    environment = record["environments"].get(attempt["environment_sha"])
    if environment is None:
        return f"unknown machine; {where}"
    commit = environment["git_commit"][:12] or "no checkout"
    changes = " with changes" if environment["git_dirty"] else ""
    torch = environment["packages"].get("torch") or "unknown"
    machine = environment["accelerator"] or environment["cpu"]
    return f"code {commit}{changes}; torch {torch}; {machine}; {where}"

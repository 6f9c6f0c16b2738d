"""Taking a record from elsewhere into a database, so that nothing that is there is overwritten."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from bench.errors import StoreError
from bench.identity import canonical, content_sha
from bench.records import EpochRecord
from bench.selectors import SELECTORS
from bench.store import conflicts
from bench.store.compare import MEASURED_LATER, difference
from bench.store.exchange import ATTEMPT, BLOBS, JSON, SCORE, read_record
from bench.store.forms import INTEGER
from bench.store.rows import insert

if TYPE_CHECKING:
    from sqlite_utils import Database

Verdict = Literal["new", "more", "same", "conflict", "known conflict"]
"""What taking a record in came to.

``new``: the training has a result now. ``more``: a try, a refiner or a measurement was added to
what is there. ``same``: all of it was there. ``conflict``: the results differ; theirs are kept
beside ours. ``known conflict``: as they were before.
"""


def adopt(db: Database, record: dict[str, Any], origin: str) -> Verdict:
    """Take in a record that was checked; its data set and labels are there already.

    Args:
        db: the writer's database.
        record: as ``RecordForm`` says.
        origin: the name of where it came from, for conflicts.

    Raises:
        StoreError: its data set or its labels are not there.
    """
    with db.atomic():
        training_id = _training(db, record)
        ours = read_record(db.conn, training_id)
        done, theirs_done = (_is_done(side) for side in (ours, record))
        if done and theirs_done and difference(ours, record) is not None:
            return _keep(db, training_id, record, origin)
        more = _add_attempts(db, training_id, ours, record)
        if theirs_done and not done:
            # A failed try's curve gives way to the result, as it does when it is run again here.
            db.execute("DELETE FROM epochs WHERE training_id = ?", [training_id])
            _add_epochs(db, training_id, record["epochs"])
            _add_selections(db, training_id, record["epochs"])
            _add_spectra(db, training_id, record["spectra"])
            _add_evaluations(db, training_id, record["evaluations"])
            return "new"
        if not theirs_done:
            if not ours["epochs"] and record["epochs"]:
                _add_epochs(db, training_id, record["epochs"])
            return "more" if more else "same"
        filled = _fill(db, training_id, ours, record)
        return "more" if more or filled else "same"


def add_described(db: Database, table: str, row: dict[str, Any]) -> None:
    """Insert a data set, labels or a plugin, where it is not there."""
    insert(db, table, [_stored(row)])


def keep_conflict(
    db: Database, training_id: int, record: dict[str, Any], origin: str, found_at: str
) -> bool:
    """Keep a record beside ours; whether it was not kept before."""
    text = canonical(record).encode()
    before = conflicts.count(db.conn)
    row = {
        "conflict": content_sha(record),
        "training_id": training_id,
        "origin": origin,
        "found_at": found_at,
        "record": conflicts.pack(text),
    }
    insert(db, "conflicts", [row])
    return conflicts.count(db.conn) > before


def _keep(db: Database, training_id: int, record: dict[str, Any], origin: str) -> Verdict:
    now = datetime.now(UTC).isoformat("T", "seconds")
    is_new = keep_conflict(db, training_id, record, origin, now)
    return "conflict" if is_new else "known conflict"


def _is_done(record: dict[str, Any]) -> bool:
    return any(attempt["status"] == "done" for attempt in record["attempts"])


def _training(db: Database, record: dict[str, Any]) -> int:
    spec = record["spec"]
    query = "SELECT id FROM trainings WHERE training_key = ?"
    row = db.execute(query, [spec["key"]]).fetchone()
    if row is None:
        artefact = spec["noise"]["artefact_sha"]
        known = db.execute(
            "SELECT 1 FROM artefacts WHERE artefact_sha = ? AND fingerprint = ?",
            [artefact, spec["fingerprint"]],
        ).fetchone()
        if known is None:
            raise StoreError("its data set or its labels are not there, or were refused")
        protocol = canonical(record["protocol"])
        insert(db, "protocols", [{"protocol_sha": spec["protocol_sha"], "protocol": protocol}])
        insert(
            db,
            "trainings",
            [
                {
                    "training_key": spec["key"],
                    "fingerprint": spec["fingerprint"],
                    "artefact_sha": artefact,
                    "protocol_sha": spec["protocol_sha"],
                    "method": spec["method"],
                    "method_params": canonical(spec["method_params"]),
                    "method_source_sha": spec["method_source_sha"],
                    "seed": spec["seed"],
                    "spec": canonical(spec),
                }
            ],
        )
        row = db.execute(query, [spec["key"]]).fetchone()
    return int(row[0])


def _add_attempts(
    db: Database, training_id: int, ours: dict[str, Any], record: dict[str, Any]
) -> bool:
    """Tries that are not there yet, after ours and in their order, each with its environment."""
    known = [canonical(attempt) for attempt in ours["attempts"]]
    new = [attempt for attempt in record["attempts"] if canonical(attempt) not in known]
    for sha in sorted({attempt["environment_sha"] for attempt in new} - {None}):
        environment = record["environments"][sha]
        row = {**environment, "git_dirty": int(environment["git_dirty"])}
        insert(db, "environments", [{"environment_sha": sha, **_stored(row)}])
    (last,) = db.execute(
        "SELECT coalesce(max(attempt), 0) FROM attempts WHERE training_id = ?", [training_id]
    ).fetchone()
    insert(
        db,
        "attempts",
        [
            {
                "training_id": training_id,
                "attempt": number,
                **_stored({name: attempt[name] for name in ATTEMPT}),
                "log": "",
            }
            for number, attempt in enumerate(new, start=last + 1)
        ],
    )
    return bool(new)


def _add_epochs(db: Database, training_id: int, epochs: list[dict[str, Any]]) -> None:
    insert(db, "epochs", [{"training_id": training_id, **_stored(epoch)} for epoch in epochs])


def _add_selections(db: Database, training_id: int, epochs: list[dict[str, Any]]) -> None:
    """What selectors take follows from the epochs and is never believed."""
    if any(epoch["test_accuracy"] is None for epoch in epochs):
        return
    curve = tuple(EpochRecord(**epoch) for epoch in epochs)
    chosen = {name: select(curve) for name, select in SELECTORS.items()}
    insert(
        db,
        "selections",
        [
            {
                "training_id": training_id,
                "selector": name,
                "epoch": choice.epoch,
                "test_accuracy": choice.test_accuracy,
            }
            for name, choice in chosen.items()
            if choice is not None
        ],
    )


def _add_spectra(db: Database, training_id: int, spectra: list[dict[str, Any]]) -> None:
    insert(db, "spectra", [{"training_id": training_id, **_stored(row)} for row in spectra])


def _add_evaluations(db: Database, training_id: int, found: list[dict[str, Any]]) -> None:
    for evaluation in found:
        variant = (
            evaluation["refiner"],
            canonical(evaluation["params"]),
            evaluation["source_sha"],
        )
        db.execute(
            "INSERT OR IGNORE INTO variants (refiner, params, source_sha) VALUES (?, ?, ?)", variant
        )
        (number,) = db.execute(
            "SELECT variant FROM variants WHERE refiner = ? AND params = ? AND source_sha = ?",
            variant,
        ).fetchone()
        row = _stored({name: evaluation[name] for name in SCORE})
        insert(db, "evaluations", [{"training_id": training_id, "variant": number, **row}])


def _fill(db: Database, training_id: int, ours: dict[str, Any], record: dict[str, Any]) -> bool:
    """Measurements of theirs that ours has not, where all that both have agrees."""
    known = {evaluation["evaluation_key"] for evaluation in ours["evaluations"]}
    missing = [e for e in record["evaluations"] if e["evaluation_key"] not in known]
    _add_evaluations(db, training_id, missing)
    heads = {spectrum["head"] for spectrum in ours["spectra"]}
    absent = [spectrum for spectrum in record["spectra"] if spectrum["head"] not in heads]
    _add_spectra(db, training_id, absent)
    changed = bool(missing or absent)
    changed |= _fill_columns(
        db, "epochs", "epoch", MEASURED_LATER, training_id, ours["epochs"], record["epochs"]
    )
    names = ("right_vectors", "ridge")
    return changed | _fill_columns(
        db, "spectra", "head", names, training_id, ours["spectra"], record["spectra"]
    )


def _fill_columns(
    db: Database,
    table: str,
    key: str,
    names: tuple[str, ...],
    training_id: int,
    ours: list[dict[str, Any]],
    theirs: list[dict[str, Any]],
) -> bool:
    known = {row[key]: row for row in theirs}
    changed = False
    for row in ours:
        other = known.get(row[key], {})
        for name in names:
            if row[name] is None and other.get(name) is not None:
                db.execute(
                    f"UPDATE {table} SET {name} = ? WHERE training_id = ? AND {key} = ?",  # noqa: S608
                    [_stored({name: other[name]})[name], training_id, row[key]],
                )
                changed = True
    return changed


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the tables hold it: the inverse of ``exchange.rows``."""
    stored: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            stored[name] = None
        elif name in JSON:
            stored[name] = canonical(value)
        elif isinstance(value, int) and abs(value) > INTEGER:
            stored[name] = float(value)  # canonical JSON writes 1e25 as an integer
        else:
            stored[name] = base64.b64decode(value) if name in BLOBS else value
    return stored

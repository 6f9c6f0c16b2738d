"""Writing outcomes, each in one transaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.identity import canonical, content_sha
from bench.selectors import SELECTORS
from bench.store.packing import pack_vectors
from bench.store.rows import insert, variant_of, variants

if TYPE_CHECKING:
    from sqlite_utils import Database

    from bench.records import CurvePoint, Environment, Outcome
    from bench.training_spec import TrainingSpec


def commit(db: Database, spec: TrainingSpec, outcome: Outcome) -> None:
    """Write one attempt and, when it is done, everything it measured.

    Results of a training that was done before are replaced: equal keys mean equal content.
    """
    with db.atomic():
        row = db.execute("SELECT id FROM trainings WHERE training_key = ?", [spec.key]).fetchone()
        if row is None:
            raise KeyError(spec.key)
        training_id = int(row[0])
        (attempts,) = db.execute(
            "SELECT coalesce(max(attempt), 0) FROM attempts WHERE training_id = ?", [training_id]
        ).fetchone()
        environment_sha = _environment(db, outcome.environment)
        insert(db, "attempts", [_attempt_row(training_id, attempts + 1, outcome, environment_sha)])
        was_done = db.execute(
            "SELECT 1 FROM attempts WHERE training_id = ? AND status = 'done' AND attempt <= ?",
            [training_id, attempts],
        ).fetchone()
        if outcome.status == "done" or not was_done:
            _write_results(db, training_id, outcome)


def is_committed(db: Database, spec: TrainingSpec, outcome: Outcome) -> bool:
    """Whether this very attempt is there already."""
    found = db.execute(
        "SELECT 1 FROM attempts a JOIN trainings t ON t.id = a.training_id "
        "WHERE t.training_key = ? AND a.started_at = ? AND a.wall_s = ? AND a.status = ?",
        [spec.key, outcome.started_at, outcome.wall_s, outcome.status],
    )
    return found.fetchone() is not None


def _write_results(db: Database, training_id: int, outcome: Outcome) -> None:
    for table in ("epochs", "selections", "spectra"):
        db.execute(f"DELETE FROM {table} WHERE training_id = ?", [training_id])  # noqa: S608
    insert(db, "epochs", [{"training_id": training_id, **vars(epoch)} for epoch in outcome.epochs])
    if outcome.status != "done":
        return
    chosen = [(name, select(outcome.epochs)) for name, select in SELECTORS.items()]
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
            for name, choice in chosen
            if choice is not None
        ],
    )
    insert(
        db,
        "spectra",
        [
            {
                "training_id": training_id,
                "head": spectrum.head,
                "singular_values": canonical(spectrum.singular_values),
                "effective_rank": spectrum.effective_rank,
                "refitted": canonical(spectrum.refitted),
                "right_vectors": pack_vectors(spectrum.right),
                "ridge": None if spectrum.ridge is None else canonical(asdict(spectrum.ridge)),
            }
            for spectrum in outcome.spectra
        ],
    )
    numbers = variants(db, outcome.evaluations)
    insert(
        db,
        "evaluations",
        [
            {
                "training_id": training_id,
                "variant": numbers[variant_of(evaluation)],
                "evaluation_key": evaluation.key,
                "test_accuracy": evaluation.test_accuracy,
                "noisy_val_accuracy": evaluation.noisy_val_accuracy,
                "k": evaluation.k,
                "rank": evaluation.rank,
                "wall_s": evaluation.wall_s,
                "curve": canonical([_point(point) for point in evaluation.curve]),
                "error": evaluation.error,
            }
            for evaluation in outcome.evaluations
        ],
        replace=True,
    )


def _point(point: CurvePoint) -> list[float | None]:
    """``[k, noisy validation, test]``; seven digits tell counts of a million samples apart."""
    held = point.noisy_val_accuracy
    return [point.k, None if held is None else round(held, 7), round(point.test_accuracy, 7)]


def _attempt_row(
    training_id: int, attempt: int, outcome: Outcome, environment_sha: str | None
) -> dict[str, Any]:
    return {
        "training_id": training_id,
        "attempt": attempt,
        "status": outcome.status,
        "started_at": outcome.started_at,
        "wall_s": outcome.wall_s,
        "train_s": outcome.train_s,
        "peak_memory_bytes": outcome.peak_memory_bytes,
        "samples": outcome.samples,
        "n_parameters": outcome.n_parameters,
        "device": outcome.device,
        "precision": outcome.precision,
        "threads": outcome.threads,
        "environment_sha": environment_sha,
        "error": outcome.error,
        "traceback": outcome.traceback,
        "log": outcome.log,
    }


def _environment(db: Database, environment: Environment | None) -> str | None:
    if environment is None:
        return None
    row = asdict(environment)
    sha = content_sha(row)
    row |= {
        "environment_sha": sha,
        "git_dirty": int(environment.git_dirty),
        "packages": canonical(environment.packages),
    }
    insert(db, "environments", [row])
    return sha

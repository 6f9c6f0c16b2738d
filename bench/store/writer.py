"""Writing results: plans and outcomes, each in one transaction."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.prepared import as_dict
from bench.identity import canonical, content_sha
from bench.records import Evaluation, RefinerSpec
from bench.selectors import SELECTORS

if TYPE_CHECKING:
    from sqlite_utils import Database

    from bench.plan import Plan
    from bench.records import CurvePoint, Environment, Outcome, TrainingSpec
    from bench.registry import Registry


def record_plan(db: Database, plan: Plan, registry: Registry) -> None:
    """Write what a suite asks for: its board, data, artefacts and trainings (all missing at first).

    Writing the same plan again changes nothing but the board's date.
    """
    with db.atomic():
        _insert_descriptions(db, plan, registry)
        protocol_sha = plan.trainings[0].protocol_sha if plan.trainings else content_sha(None)
        if not plan.trainings:
            _insert(db, "protocols", [{"protocol_sha": protocol_sha, "protocol": "null"}])
        _insert(db, "trainings", [_training_row(training) for training in plan.trainings])
        db.execute("DELETE FROM boards WHERE board = ?", [plan.board])
        _insert(
            db,
            "boards",
            [
                {
                    "board": plan.board,
                    "suite": plan.suite.suite,
                    "budget": plan.suite.budget,
                    "title": plan.suite.title or plan.suite.suite,
                    "data": ", ".join(info.label for info in plan.data),
                    "protocol_sha": protocol_sha,
                    "planned_at": datetime.now(UTC).isoformat("T", "seconds"),
                    "spec": canonical(plan.suite.model_dump(mode="json")),
                }
            ],
        )
        _insert_membership(db, plan)


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
        _insert(db, "attempts", [_attempt_row(training_id, attempts + 1, outcome, environment_sha)])
        was_done = db.execute(
            "SELECT 1 FROM attempts WHERE training_id = ? AND status = 'done' AND attempt <= ?",
            [training_id, attempts],
        ).fetchone()
        if outcome.status == "done" or not was_done:
            _write_results(db, training_id, outcome)


def _write_results(db: Database, training_id: int, outcome: Outcome) -> None:
    for table in ("epochs", "selections", "spectra"):
        db.execute(f"DELETE FROM {table} WHERE training_id = ?", [training_id])  # noqa: S608
    _insert(
        db, "epochs", [{"training_id": training_id, **asdict(epoch)} for epoch in outcome.epochs]
    )
    if outcome.status != "done":
        return
    chosen = [(name, select(outcome.epochs)) for name, select in SELECTORS.items()]
    _insert(
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
    _insert(
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
    variants = _variants(db, outcome.evaluations)
    _insert(
        db,
        "evaluations",
        [
            {
                "training_id": training_id,
                "variant": variants[_variant_of(evaluation)],
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


Variant = tuple[str, str, str]
"""A refiner's name, its parameters as canonical JSON, and the hash of its source."""


def _variant_of(asked: RefinerSpec | Evaluation) -> Variant:
    name = asked.refiner if isinstance(asked, Evaluation) else asked.name
    return name, canonical(asked.params), asked.source_sha


def _variants(db: Database, asked: Iterable[RefinerSpec | Evaluation]) -> dict[Variant, int]:
    """Numbers of variants; those that are new get one."""
    found = {}
    for key in dict.fromkeys(map(_variant_of, asked)):
        db.execute(
            "INSERT OR IGNORE INTO variants (refiner, params, source_sha) VALUES (?, ?, ?)", key
        )
        (found[key],) = db.execute(
            "SELECT variant FROM variants WHERE refiner = ? AND params = ? AND source_sha = ?", key
        ).fetchone()
    return found


def _insert_descriptions(db: Database, plan: Plan, registry: Registry) -> None:
    _insert(
        db,
        "datasets",
        [
            {
                "fingerprint": info.fingerprint,
                "name": info.name,
                "label": info.label,
                "n_train": info.n_train,
                "n_test": info.n_test,
                "class_names": canonical(as_dict(info)["class_names"]),
                "shape": canonical(as_dict(info)["shape"]),
                "is_full": int(info.full),
            }
            for info in plan.data
        ],
    )
    _insert(
        db,
        "artefacts",
        [
            {
                "artefact_sha": artefact.content.sha,
                "fingerprint": artefact.data.fingerprint,
                "realised_rate": artefact.content.rate,
                "matrix": _matrix(artefact.content.matrix),
                "nominal": _matrix(artefact.content.nominal),
                "open_rate": artefact.content.open_rate,
                "candidates": pack_sets(artefact.content.candidates),
                "mean_set_size": artefact.content.mean_set_size,
                "labels": pack_labels(artefact.content.labels),
            }
            for artefact in plan.artefacts
        ],
    )
    protocols = {t.protocol_sha: t.protocol for t in plan.trainings}
    _insert(
        db,
        "protocols",
        [{"protocol_sha": sha, "protocol": canonical(p)} for sha, p in protocols.items()],
    )
    used = {("method", t.method, t.method_source_sha) for t in plan.trainings}
    used |= {("refiner", r.name, r.source_sha) for t in plan.trainings for r in t.refiners}
    rows = []
    for kind, name, source_sha in sorted(used):
        info = registry.get(kind, name)
        rows.append(
            {
                "kind": kind,
                "name": name,
                "source_sha": source_sha,
                "summary": info.summary,
                "paper": info.paper,
                "declared": canonical(info.declared),
            }
        )
    _insert(db, "plugins", rows, replace=True)


def _insert_membership(db: Database, plan: Plan) -> None:
    ids = training_ids(db, [training.key for training in plan.trainings])
    labels = {info.fingerprint: info.label for info in plan.data}
    cells: dict[tuple[str, str, str], int] = {}
    places = []
    for training in plan.trainings:
        place = (labels[training.fingerprint], training.noise.label, training.method_label)
        places.append(cells.setdefault(place, len(cells)))
    firsts: dict[int, TrainingSpec] = {}
    for cell, training in zip(places, plan.trainings, strict=True):
        firsts.setdefault(cell, training)
    _insert(
        db,
        "board_cells",
        [
            {
                "board": plan.board,
                "cell": cell,
                "dataset": dataset,
                "noise": noise,
                "noise_params": canonical(
                    {"name": firsts[cell].noise.name, **firsts[cell].noise.params}
                ),
                "method": method,
            }
            for (dataset, noise, method), cell in cells.items()
        ],
    )
    _insert(
        db,
        "board_members",
        [
            {
                "board": plan.board,
                "cell": cell,
                "position": position,
                "training_id": ids[training.key],
                "seed": training.seed,
            }
            for position, (cell, training) in enumerate(zip(places, plan.trainings, strict=True))
        ],
    )
    variants = _variants(db, (refiner for t in firsts.values() for refiner in t.refiners))
    _insert(
        db,
        "cell_variants",
        [
            {
                "board": plan.board,
                "refiner": refiner.label,
                "cell": cell,
                "variant": variants[_variant_of(refiner)],
            }
            for cell, training in firsts.items()
            for refiner in training.refiners
        ],
    )
    _insert(db, "board_excluded", [{"board": plan.board, **asdict(cell)} for cell in plan.excluded])


def training_ids(db: Database, keys: Iterable[str]) -> dict[str, int]:
    """Row ids of trainings, by key."""
    rows = db.execute(
        "SELECT training_key, id FROM trainings "
        "WHERE training_key IN (SELECT value FROM json_each(?))",
        [json.dumps(list(keys))],
    )
    return {str(key): int(row_id) for key, row_id in rows}


def pack_labels(labels: np.ndarray[Any, Any]) -> bytes:
    """Labels ``(n,)`` as compressed little-endian int32."""
    return zlib.compress(np.asarray(labels, dtype="<i4").tobytes(), level=9)


def unpack_labels(blob: bytes) -> np.ndarray[Any, Any]:
    """The inverse of ``pack_labels``, int64."""
    return np.frombuffer(zlib.decompress(blob), dtype="<i4").astype(np.int64)


def pack_sets(sets: np.ndarray[Any, Any] | None) -> bytes | None:
    """Candidate sets ``(n, C)`` bool as compressed bits; None for single labels."""
    return None if sets is None else zlib.compress(np.packbits(sets).tobytes(), level=9)


def pack_vectors(rows: Sequence[Sequence[float]]) -> bytes:
    """Rows of equal length as compressed little-endian float32."""
    return zlib.compress(np.asarray(rows, dtype="<f4").tobytes(), level=9)


def unpack_vectors(blob: bytes, columns: int) -> np.ndarray[Any, Any]:
    """The inverse of ``pack_vectors``, ``(rows, columns)`` float64."""
    values = np.frombuffer(zlib.decompress(blob), dtype="<f4").astype(np.float64)
    return values.reshape(-1, columns) if columns else values.reshape(0, 0)


def _matrix(matrix: np.ndarray[Any, Any] | None) -> str | None:
    return None if matrix is None else canonical(matrix.tolist())


def _point(point: CurvePoint) -> list[float | None]:
    """``[k, noisy validation, test]``; seven digits tell counts of a million samples apart."""
    held = point.noisy_val_accuracy
    return [point.k, None if held is None else round(held, 7), round(point.test_accuracy, 7)]


def _training_row(training: TrainingSpec) -> dict[str, Any]:
    return {
        "training_key": training.key,
        "fingerprint": training.fingerprint,
        "artefact_sha": training.noise.artefact_sha,
        "protocol_sha": training.protocol_sha,
        "method": training.method,
        "method_params": canonical(training.method_params),
        "method_source_sha": training.method_source_sha,
        "seed": training.seed,
        "spec": canonical(training.described()),
    }


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
    _insert(db, "environments", [row])
    return sha


def _insert(db: Database, table: str, rows: list[dict[str, Any]], *, replace: bool = False) -> None:
    """Insert rows; those whose key exists are left alone, or replaced."""
    if rows:
        db.table(table).insert_all(rows, ignore=not replace, replace=replace)

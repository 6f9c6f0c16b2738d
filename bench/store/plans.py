"""Writing plans: what a suite asks for, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.prepared import as_dict
from bench.identity import canonical, content_sha
from bench.store.packing import pack_labels, pack_sets
from bench.store.rows import insert, variant_of, variants

if TYPE_CHECKING:
    from sqlite_utils import Database

    from bench.plan import Plan
    from bench.records import TrainingSpec
    from bench.registry import Registry


def record_plan(db: Database, plan: Plan, registry: Registry) -> None:
    """Write what a suite asks for: its board, data, artefacts and trainings (all missing at first).

    Writing the same plan again changes nothing but the board's date.
    """
    with db.atomic():
        _insert_descriptions(db, plan, registry)
        protocol_sha = plan.trainings[0].protocol_sha if plan.trainings else content_sha(None)
        if not plan.trainings:
            insert(db, "protocols", [{"protocol_sha": protocol_sha, "protocol": "null"}])
        insert(db, "trainings", [_training_row(training) for training in plan.trainings])
        db.execute("DELETE FROM boards WHERE board = ?", [plan.board])
        insert(
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


def _insert_descriptions(db: Database, plan: Plan, registry: Registry) -> None:
    insert(
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
    insert(
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
    insert(
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
    insert(db, "plugins", rows, replace=True)


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
    insert(
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
    insert(
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
    numbers = variants(db, (refiner for t in firsts.values() for refiner in t.refiners))
    insert(
        db,
        "cell_variants",
        [
            {
                "board": plan.board,
                "refiner": refiner.label,
                "cell": cell,
                "variant": numbers[variant_of(refiner)],
            }
            for cell, training in firsts.items()
            for refiner in training.refiners
        ],
    )
    insert(db, "board_excluded", [{"board": plan.board, **asdict(cell)} for cell in plan.excluded])


def training_ids(db: Database, keys: Iterable[str]) -> dict[str, int]:
    """Row ids of trainings, by key."""
    rows = db.execute(
        "SELECT training_key, id FROM trainings "
        "WHERE training_key IN (SELECT value FROM json_each(?))",
        [json.dumps(list(keys))],
    )
    return {str(key): int(row_id) for key, row_id in rows}


def _matrix(matrix: np.ndarray[Any, Any] | None) -> str | None:
    return None if matrix is None else canonical(matrix.tolist())


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

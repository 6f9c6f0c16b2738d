"""Writing plans: what a suite asks for, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.prepared import as_dict
from bench.identity import canonical, content_sha
from bench.store.packing import pack_labels, pack_sets
from bench.store.progress import rows_of, training_ids
from bench.store.rows import insert, insert_values, variant_of, variants

if TYPE_CHECKING:
    from sqlite_utils import Database

    from bench.drawing import Artefact
    from bench.plan import Plan
    from bench.registry import Registry
    from bench.training_spec import TrainingSpec


def record_plan(db: Database, plan: Plan, registry: Registry) -> None:
    """Write what a suite asks for: its board, data, artefacts and trainings (all missing at first).

    Writing the same plan again changes nothing but the board's date, and takes little time.
    """
    labels = {info.fingerprint: info.label for info in plan.data}
    places, cells = [], dict[Place, int]()
    firsts: list[TrainingSpec] = []
    for training in plan.trainings:
        place = (labels[training.fingerprint], training.noise.label, training.method_label)
        cell = cells.setdefault(place, len(cells))
        places.append(cell)
        if cell == len(firsts):
            firsts.append(training)
    with db.atomic():
        _insert_descriptions(db, plan, firsts, registry)
        ids = _insert_trainings(db, plan.trainings)
        members = [
            (cell, position, ids[training.key], training.seed)
            for position, (cell, training) in enumerate(zip(places, plan.trainings, strict=True))
        ]
        _write_board(db, _board_row(db, plan), _parts(db, plan, cells, firsts, members))


def record_trainings(
    db: Database, plan: Plan, trainings: Sequence[TrainingSpec], registry: Registry
) -> None:
    """Write trainings that belong to no board, such as the trials of tuning.

    Args:
        db: of the writer.
        plan: whose data and artefacts they use.
        trainings: in the order in which they will run.
        registry: the plugins.
    """
    with db.atomic():
        _insert_descriptions(db, plan, trainings, registry)
        _insert_trainings(db, trainings)


Place = tuple[str, str, str]
"""Data set, noise and method of a cell, as the suite shows them."""

Part = tuple[list[str], list[tuple[Any, ...]]]
"""Columns and rows of a table that belongs to a board; the board itself is left out."""


def _parts(
    db: Database,
    plan: Plan,
    cells: Mapping[Place, int],
    firsts: Sequence[TrainingSpec],
    members: list[tuple[Any, ...]],
) -> dict[str, Part]:
    """What a board consists of, by table; tables that others refer to come first."""
    asked = {id(first.choices): first.choices for first in firsts}
    numbers = variants(db, (choice for choices in asked.values() for choice in choices))
    variant = {
        key: [(choice.label, numbers[variant_of(choice)]) for choice in choices]
        for key, choices in asked.items()
    }
    named = zip(cells.items(), firsts, strict=True)
    return {
        "board_cells": (
            ["cell", "dataset", "noise", "noise_params", "method"],
            [(cell, *place[:2], _noise(first), place[2]) for (place, cell), first in named],
        ),
        "board_members": (["cell", "position", "training_id", "seed"], members),
        "cell_variants": (
            ["refiner", "cell", "variant"],
            [
                (label, cell, number)
                for cell, first in enumerate(firsts)
                for label, number in variant[id(first.choices)]
            ],
        ),
        "board_excluded": (
            ["dataset", "noise", "method", "reason"],
            [(out.dataset, out.noise, out.method, out.reason) for out in plan.excluded],
        ),
    }


def _noise(training: TrainingSpec) -> str:
    return canonical({"name": training.noise.name, **training.noise.params})


def _board_row(db: Database, plan: Plan) -> dict[str, Any]:
    protocol_sha = plan.trainings[0].protocol_sha if plan.trainings else content_sha(None)
    if not plan.trainings:
        insert(db, "protocols", [{"protocol_sha": protocol_sha, "protocol": "null"}])
    return {
        "board": plan.board,
        "suite": plan.suite.suite,
        "budget": plan.suite.budget,
        "title": plan.suite.title or plan.suite.suite,
        "data": ", ".join(info.label for info in plan.data),
        "protocol_sha": protocol_sha,
        "planned_at": datetime.now(UTC).isoformat("T", "seconds"),
        "spec": canonical(plan.suite.model_dump(mode="json")),
    }


def _write_board(db: Database, row: dict[str, Any], parts: Mapping[str, Part]) -> None:
    """Put a board in place of what it was; rows that are as they should be are not written."""
    board = row["board"]
    if all(_is_stored(db, board, table, *part) for table, part in parts.items()):
        changes = ", ".join(f"{column} = excluded.{column}" for column in row)
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        db.execute(
            f"INSERT INTO boards ({names}) VALUES ({marks}) "  # noqa: S608
            f"ON CONFLICT (board) DO UPDATE SET {changes}",
            list(row.values()),
        )
        return
    db.execute("DELETE FROM boards WHERE board = ?", [board])
    insert(db, "boards", [row])
    for table, (columns, rows) in parts.items():
        insert_values(db, table, ["board", *columns], ((board, *values) for values in rows))


def _is_stored(
    db: Database, board: str, table: str, columns: list[str], rows: list[tuple[Any, ...]]
) -> bool:
    names = ", ".join(columns)
    stored = db.execute(f"SELECT {names} FROM {table} WHERE board = ?", [board])  # noqa: S608
    return sorted(map(tuple, stored)) == sorted(rows)


def _insert_trainings(db: Database, trainings: Sequence[TrainingSpec]) -> dict[str, int]:
    """Those that are new; row ids of all, by key."""
    ids = training_ids(db.conn, [training.key for training in trainings])
    new = {training.key: training for training in trainings if training.key not in ids}
    insert(db, "trainings", [_training_row(training) for training in new.values()])
    return ids | training_ids(db.conn, list(new)) if new else ids


def _insert_descriptions(
    db: Database, plan: Plan, firsts: Iterable[TrainingSpec], registry: Registry
) -> None:
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
    shas = {artefact.sha: artefact for artefact in plan.artefacts}
    query = "SELECT artefact_sha, 1 FROM artefacts WHERE artefact_sha IN"
    known = dict(rows_of(db.conn, query, shas))
    insert(
        db,
        "artefacts",
        [_artefact_row(artefact) for sha, artefact in shas.items() if sha not in known],
    )
    protocols = {t.protocol_sha: t.protocol for t in firsts}
    insert(
        db,
        "protocols",
        [{"protocol_sha": sha, "protocol": canonical(p)} for sha, p in protocols.items()],
    )
    used = {("method", t.method, t.method_source_sha) for t in firsts}
    used |= {("refiner", choice.name, choice.source_sha) for t in firsts for choice in t.choices}
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


def _artefact_row(artefact: Artefact) -> dict[str, Any]:
    content = artefact.content
    return {
        "artefact_sha": content.sha,
        "fingerprint": artefact.data.fingerprint,
        "realised_rate": content.rate,
        "matrix": _matrix(content.matrix),
        "nominal": _matrix(content.nominal),
        "open_rate": content.open_rate,
        "candidates": pack_sets(content.candidates),
        "mean_set_size": content.mean_set_size,
        "labels": pack_labels(content.labels),
    }


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

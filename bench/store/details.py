"""Everything about one training, for ``show`` and the dashboard."""

from __future__ import annotations

import json
import shlex
import sqlite3
from typing import Any

from bench.errors import StoreError
from bench.suite_files import suite_names


def training_details(connection: sqlite3.Connection, key: str) -> dict[str, Any]:
    """One training as plain containers.

    Args:
        connection: a reader.
        key: its key, or a prefix of it that is unique.

    Raises:
        StoreError: no training, or several, start with ``key``.
    """
    rows = connection.execute(
        "SELECT t.id, t.training_key, t.spec, p.protocol, a.realised_rate FROM trainings t "
        "JOIN artefacts a USING (artefact_sha) JOIN protocols p USING (protocol_sha) "
        "WHERE t.training_key >= ? AND t.training_key < ? LIMIT 2",
        [key.lower(), key.lower() + "g"],  # keys are hexadecimal, so that an index finds a prefix
    ).fetchall()
    if not rows:
        raise StoreError(f"no training starts with {key!r}; the dashboard lists all keys")
    if len(rows) > 1:
        raise StoreError(f"several trainings start with {key!r}; give more digits")
    row_id, training_key, spec, protocol, rate = rows[0]
    return {
        "training_key": training_key,
        "spec": {**json.loads(spec), "protocol": json.loads(protocol)},
        "realised_rate": rate,
        "command": _command(connection, row_id),
        "attempts": _attempts(connection, row_id),
        "epochs": _rows(
            connection, "SELECT * FROM epochs WHERE training_id = ? ORDER BY epoch", row_id
        ),
        "selections": _rows(connection, "SELECT * FROM selections WHERE training_id = ?", row_id),
        "evaluations": _rows(
            connection,
            "SELECT v.refiner, v.params, v.source_sha, e.* FROM evaluations e "
            "JOIN variants v USING (variant) WHERE e.training_id = ? ORDER BY v.refiner, v.params",
            row_id,
        ),
        "spectra": _spectra(connection, row_id),
        "conflicts": connection.execute(
            "SELECT count(*) FROM conflicts WHERE training_id = ?", [row_id]
        ).fetchone()[0],
    }


def _spectra(connection: sqlite3.Connection, row_id: int) -> list[dict[str, Any]]:
    """All but the singular vectors, which nobody reads as text."""
    rows = _rows(connection, "SELECT * FROM spectra WHERE training_id = ?", row_id)
    return [{key: row[key] for key in row if key != "right_vectors"} for row in rows]


def _rows(connection: sqlite3.Connection, sql: str, row_id: int) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, [row_id])
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _attempts(connection: sqlite3.Connection, row_id: int) -> list[dict[str, Any]]:
    attempts = _rows(
        connection,
        "SELECT a.*, e.git_commit, e.git_dirty, e.python, e.cpu, e.accelerator, e.packages "
        "FROM attempts a LEFT JOIN environments e USING (environment_sha) "
        "WHERE a.training_id = ? ORDER BY attempt",
        row_id,
    )
    for attempt in attempts:
        attempt["environment"] = ""
        if attempt["environment_sha"]:
            packages = json.loads(attempt["packages"])
            dirty = " with changes" if attempt["git_dirty"] else ""
            commit = attempt["git_commit"][:12] or "no checkout"
            attempt["environment"] = (
                f"code {commit}{dirty}; Python {attempt['python']}; "
                f"torch {packages.get('torch', 'unknown')}; "
                f"{attempt['accelerator'] or attempt['cpu']}"
            )
    return attempts


def _command(connection: sqlite3.Connection, row_id: int) -> str:
    """What repeats this training, in a suite that asks for it; one of the user's own is a file."""
    row = connection.execute(
        "SELECT b.suite, b.budget, bt.method, bt.noise, t.seed FROM board_trainings bt "
        "JOIN boards b USING (board) JOIN trainings t ON t.id = bt.training_id "
        "WHERE bt.training_id = ? ORDER BY b.planned_at DESC LIMIT 1",
        [row_id],
    ).fetchone()
    if row is None:
        return "no suite in this database asks for it now"
    suite, budget, method, noise, seed = row
    chosen = f" --budget {shlex.quote(budget)}" if budget else ""
    named = suite if suite in suite_names() else f"{suite}.yaml"
    only = " ".join(
        f"--only {shlex.quote(text)}" for text in (f"method={method}", f"noise={noise}")
    )
    return f"python -m bench run {shlex.quote(named)}{chosen} {only} --only seed={seed} --redo all"

"""Whether a results database is sound: the file itself, its references, and what it claims."""

from __future__ import annotations

import sqlite3

from bench.store import conflicts, published

RULES: dict[str, str] = {
    "a training is done but has no evaluation": """
        SELECT training_key FROM training_status s WHERE status = 'done'
        AND NOT EXISTS (SELECT 1 FROM evaluations e WHERE e.training_id = s.training_id)""",
    "a training has evaluations but is not done": """
        SELECT DISTINCT s.training_key FROM evaluations e
        JOIN training_status s ON s.training_id = e.training_id WHERE s.status <> 'done'""",
    "an accuracy is outside 0..1": """
        SELECT evaluation_key FROM evaluations
        WHERE test_accuracy NOT BETWEEN 0 AND 1 OR noisy_val_accuracy NOT BETWEEN 0 AND 1""",
    "a realised noise rate is outside 0..1": """
        SELECT artefact_sha FROM artefacts WHERE realised_rate NOT BETWEEN 0 AND 1""",
    "a chosen k is not on its curve": """
        SELECT evaluation_key FROM evaluations WHERE k IS NOT NULL AND curve <> '[]'
        AND NOT EXISTS (SELECT 1 FROM json_each(curve) WHERE json_extract(value, '$[0]') = k)""",
}
"""What must never be, and the query that finds where it is."""


def problems(connection: sqlite3.Connection) -> list[str]:
    """Every problem found, as a sentence; empty for a sound database."""
    found = []
    for (text,) in connection.execute("PRAGMA integrity_check(20)"):
        if text != "ok":
            found.append(f"file: {text}")
    for table, row_id, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        found.append(f"{table} row {row_id} refers to a row of {parent} that does not exist")
    for sentence, query in RULES.items():
        rows = connection.execute(query).fetchmany(3)
        if rows:
            found.append(f"{sentence}: {', '.join(str(row[0])[:16] for row in rows)}")
    return found + published.problems(connection) + conflicts.problems(connection)

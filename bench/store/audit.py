"""What a board's labels are: rates, matrices, and images under wrong labels."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from sqlite_utils import Database

    from bench.data.audit import Example

COLUMNS = (
    *("dataset", "noise", "seed", "artefact_sha", "n_train", "n_classes", "class_names"),
    *("noise_params", "realised_rate", "open_rate", "mean_set_size", "matrix", "nominal"),
)


def labels(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """A row a data set, noise and seed of a board, in its order.

    Columns: dataset, noise, seed, artefact_sha, n_train, n_classes, class_names (list),
    noise_params (dict), realised_rate (NaN where nobody knows), open_rate, mean_set_size (NaN for
    single labels), matrix and nominal (nested lists, None where there is none).
    """
    rows = connection.execute(
        """
        SELECT bt.dataset, bt.noise, t.seed, a.artefact_sha, d.n_train,
          json_array_length(d.class_names), d.class_names, min(bt.noise_params),
          a.realised_rate, a.open_rate, a.mean_set_size, a.matrix, a.nominal
        FROM board_trainings bt
        JOIN trainings t ON t.id = bt.training_id
        JOIN artefacts a ON a.artefact_sha = t.artefact_sha
        JOIN datasets d ON d.fingerprint = a.fingerprint
        WHERE bt.board = ?
        GROUP BY bt.dataset, bt.noise, t.seed, a.artefact_sha
        ORDER BY min(bt.position)
        """,
        [board],
    )
    found = [tuple(row) for row in rows]
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    for column in ("class_names", "noise_params", "matrix", "nominal"):
        texts = [row[COLUMNS.index(column)] for row in found]
        parsed = [None if text is None else json.loads(text) for text in texts]
        frame[column] = pd.Series(parsed, index=frame.index, dtype=object)
    for column in ("realised_rate", "mean_set_size"):
        frame[column] = frame[column].astype(float)
    return frame


def examples(connection: sqlite3.Connection, artefact_shas: Sequence[str]) -> pd.DataFrame:
    """Stored images: artefact_sha, sample, true_label (None), given_label, is_foreign, png."""
    columns = ["artefact_sha", "sample", "true_label", "given_label", "is_foreign", "png"]
    rows = connection.execute(
        "SELECT artefact_sha, sample, true_label, given_label, is_foreign, png "
        "FROM artefact_examples WHERE artefact_sha IN (SELECT value FROM json_each(?)) "
        "ORDER BY artefact_sha, position",
        [json.dumps(list(artefact_shas))],
    )
    return pd.DataFrame([tuple(row) for row in rows], columns=columns)


def with_examples(connection: sqlite3.Connection) -> set[str]:
    """Hashes of artefacts that have stored images."""
    rows = connection.execute("SELECT DISTINCT artefact_sha FROM artefact_examples")
    return {str(row[0]) for row in rows}


def write_examples(db: Database, artefact_sha: str, found: Sequence[Example]) -> None:
    """Store the images of an artefact; those that are there stay."""
    db.table("artefact_examples").insert_all(
        [
            {
                "artefact_sha": artefact_sha,
                "position": position,
                "sample": example.sample,
                "true_label": example.true,
                "given_label": example.given,
                "is_foreign": int(example.foreign),
                "png": example.png,
            }
            for position, example in enumerate(found)
        ],
        ignore=True,
    )

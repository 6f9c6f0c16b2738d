"""The table of published figures: whole files in, tidy frames out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.errors import DataError
from bench.published.figures import Figure, clashes

if TYPE_CHECKING:
    from sqlite_utils import Database

FIELDS = tuple(Figure.__dataclass_fields__)
CELL = ["dataset", "noise", "method"]
CELL_COLUMNS = [
    *CELL,
    "dataset_name",
    "full",
    "noise_name",
    "noise_params",
    "method_name",
    "method_params",
    "changed",
    "networks",
    "backbone",
    "backbone_params",
    "epochs",
]


@dataclass(frozen=True)
class Imported:
    """What an import did to the table, in rows of its file."""

    added: int
    removed: int
    kept: int


def import_figures(db: Database, file: str, figures: Sequence[Figure]) -> Imported:
    """Make the rows of one file those that it holds now; rows of other files stay.

    All of it is one transaction. The same file again changes nothing.

    Raises:
        DataError: a figure contradicts one of another file.
    """
    with db.atomic():
        before = {figure.key: figure for figure in _stored(db.conn, "file = ?", file)}
        problems = clashes(figures, file, _stored(db.conn, "file <> ?", file))
        if problems:
            raise DataError("\n".join([*problems, "nothing was imported"]))
        after = {figure.key: figure for figure in figures}
        done = Imported(
            added=len(after.keys() - before.keys()),
            removed=len(before.keys() - after.keys()),
            kept=len(after.keys() & before.keys()),
        )
        if before != after:
            db.execute("DELETE FROM published WHERE file = ?", [file])
            rows = [{"figure": key, **asdict(figure)} for key, figure in after.items()]
            db.table("published").insert_all(
                {**row, "verified": int(row["verified"])} for row in rows
            )
    return done


def of_file(connection: sqlite3.Connection, file: str) -> list[Figure]:
    """The figures that came from one file."""
    return _stored(connection, "file = ?", file)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is no published figure, or not even the table."""
    if not _has_table(connection):
        return True
    return connection.execute("SELECT 1 FROM published LIMIT 1").fetchone() is None


def figures(
    connection: sqlite3.Connection, datasets: Collection[str] | None = None
) -> pd.DataFrame:
    """Every figure once, also one that several files hold; in the order of their files.

    A database of before the table has none. Columns are those of ``as_frame``.

    Args:
        connection: a reader.
        datasets: published names of data sets; None for all.
    """
    if not _has_table(connection):
        return as_frame(())
    columns = ", ".join(["figure", *FIELDS])
    frame = pd.read_sql_query(
        f"SELECT {columns} FROM published "  # noqa: S608
        "WHERE ?1 IS NULL OR dataset IN (SELECT value FROM json_each(?1)) ORDER BY file, line",
        connection,
        params=(None if datasets is None else json.dumps(sorted(datasets)),),
    )
    return _typed(frame)


def as_frame(found: Sequence[Figure]) -> pd.DataFrame:
    """Figures as a frame, each once.

    Columns: figure (its key), file, line, method, dataset, noise, rate, backbone, epochs, reported,
    accuracy, std (both in %), source, verified (bool), verification.
    """
    rows = [[figure.key, *(getattr(figure, field) for field in FIELDS)] for figure in found]
    return _typed(pd.DataFrame(rows, columns=["figure", *FIELDS]))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.drop_duplicates("figure", ignore_index=True)
    return frame.astype({"verified": bool, "std": float, "accuracy": float})


def cells(connection: sqlite3.Connection, board: str) -> pd.DataFrame:
    """What each cell of a board is, by plugin names and parameters, under which protocol.

    Returns:
        dataset, noise, method (as the board shows them), dataset_name, full (bool), noise_name,
        noise_params (dict), method_name, method_params (dict), changed (dict: the parameters that
        the suite gives the method itself), networks (how many it trains), backbone,
        backbone_params (dict), epochs.
    """
    rows = connection.execute(
        """
        SELECT DISTINCT bt.dataset, bt.noise, bt.method, d.name AS dataset_name, d.is_full,
          bt.noise_params, t.method AS method_name, t.method_params,
          coalesce(json_extract(m.declared, '$.n_networks'), 1), p.protocol, b.spec
        FROM board_trainings bt
        JOIN boards b USING (board)
        JOIN trainings t ON t.id = bt.training_id
        JOIN datasets d USING (fingerprint)
        JOIN protocols p ON p.protocol_sha = t.protocol_sha
        JOIN plugins m ON m.kind = 'method' AND m.name = t.method
          AND m.source_sha = t.method_source_sha
        WHERE bt.board = ?
        ORDER BY bt.position
        """,
        [board],
    )
    frame = pd.DataFrame([_cell(*row) for row in rows], columns=CELL_COLUMNS)
    return frame.drop_duplicates(CELL, ignore_index=True)


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the table, for ``db check``; nothing where it was only ever imported."""
    if not _has_table(connection):
        return []
    rows = connection.execute(
        f"SELECT figure, {', '.join(FIELDS)} FROM published"  # noqa: S608
    ).fetchall()
    changed = [row for row in rows if _figure(row[1:]).key != row[0]]
    if not changed:
        return []
    places = ", ".join(f"{row[1]}:{row[2]}" for row in changed[:3])
    return [f"a published figure was changed after its import: {places}"]


def _cell(
    dataset: str,
    noise: str,
    method: str,
    dataset_name: str,
    is_full: int,
    noise_params: str,
    method_name: str,
    method_params: str,
    networks: int,
    protocol: str,
    suite: str,
) -> dict[str, Any]:
    recipe, params = json.loads(noise_params), json.loads(method_params)
    trained = json.loads(protocol)
    return {
        "dataset": dataset,
        "noise": noise,
        "method": method,
        "dataset_name": dataset_name,
        "full": bool(is_full),
        "noise_name": recipe.pop("name"),
        "noise_params": recipe,
        "method_name": method_name,
        "method_params": params,
        "changed": _changed(json.loads(suite), method, method_name, params),
        "networks": networks,
        "backbone": trained["backbone"]["name"],
        "backbone_params": trained["backbone"]["params"],
        "epochs": trained["epochs"],
    }


def _changed(
    suite: dict[str, Any], label: str, name: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Parameters that the suite's list of methods gives to one of them.

    A label without parameters has none that differ from the plugin's own.
    """
    if label == name:
        return {}
    given = [
        item["params"]
        for item in suite.get("methods", ())
        if item["name"] == name and item["params"].items() <= params.items()
    ]
    return dict(max(given, key=len, default={}))


def _stored(connection: sqlite3.Connection, where: str, file: str) -> list[Figure]:
    rows = connection.execute(
        f"SELECT {', '.join(FIELDS)} FROM published WHERE {where}",  # noqa: S608
        [file],
    )
    return [_figure(row) for row in rows]


def _figure(row: Sequence[Any]) -> Figure:
    values = dict(zip(FIELDS, row, strict=True))
    return Figure(**{**values, "verified": bool(values["verified"])})


def _has_table(connection: sqlite3.Connection) -> bool:
    return bool(
        connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'published'"
        ).fetchone()
    )

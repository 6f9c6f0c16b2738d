"""Trainings out of a database and into one, each as a document of its own."""

from __future__ import annotations

import base64
import errno
import json
import os
import sqlite3
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.errors import StoreError
from bench.store.documents import FORMAT, MAX_BYTES, check_document, parse, sha_of, text_of

SUFFIX = ".json"

EPOCH = (
    *("epoch", "train_loss", "fit_given", "fit_true", "noisy_val_accuracy", "test_accuracy"),
    *("lr", "wall_s", "approximated_accuracy"),
    *("selected_share", "selection_precision", "selection_recall"),
)
ATTEMPT = (
    *("status", "started_at", "wall_s", "train_s", "peak_memory_bytes", "samples"),
    *("n_parameters", "device", "precision", "threads", "environment_sha", "error", "traceback"),
)
"""All columns but the place among the attempts, and the log, which is a path on one machine."""
SCORE = (
    *("evaluation_key", "test_accuracy", "noisy_val_accuracy", "k", "rank", "wall_s"),
    *("curve", "error"),
)
SPECTRUM = (*("head", "singular_values", "effective_rank", "refitted", "right_vectors", "ridge"),)
ENVIRONMENT = (
    *("git_commit", "git_dirty", "python", "platform", "cpu", "cores", "accelerator", "packages"),
)
DATASET = (
    *("fingerprint", "name", "label", "n_train", "n_test", "class_names", "shape", "is_full"),
)
ARTEFACT = (
    *("artefact_sha", "fingerprint", "realised_rate", "matrix", "nominal", "open_rate"),
    *("candidates", "mean_set_size", "labels"),
)
EXAMPLE = (
    *("artefact_sha", "position", "sample", "true_label", "given_label", "is_foreign", "png"),
)
PLUGIN = ("kind", "name", "source_sha", "summary", "paper", "declared")

JSON = {
    *("curve", "singular_values", "refitted", "ridge", "packages", "class_names", "shape"),
    *("matrix", "nominal", "declared", "params"),
}
"""Columns that hold JSON."""
BLOBS = {"right_vectors", "candidates", "labels", "png"}
"""Columns that hold bytes."""


def read_record(connection: sqlite3.Connection, training_id: int) -> dict[str, Any]:
    """A training with its attempts and what it measured, as ``RecordForm`` says."""
    spec, protocol = connection.execute(
        "SELECT t.spec, p.protocol FROM trainings t JOIN protocols p USING (protocol_sha) "
        "WHERE t.id = ?",
        [training_id],
    ).fetchone()
    of_it = "WHERE training_id = ? ORDER BY"
    attempts = rows(connection, ATTEMPT, f"attempts {of_it} attempt", training_id)
    used = {row["environment_sha"] for row in attempts} - {None}
    environments = {}
    for sha in sorted(used):
        (row,) = rows(connection, ENVIRONMENT, "environments WHERE environment_sha = ?", sha)
        environments[sha] = {**row, "git_dirty": bool(row["git_dirty"])}
    return {
        "spec": json.loads(spec),
        "protocol": json.loads(protocol),
        "environments": environments,
        "attempts": attempts,
        "epochs": rows(connection, EPOCH, f"epochs {of_it} epoch", training_id),
        "evaluations": rows(
            connection,
            ("refiner", "params", "source_sha", *SCORE),
            f"evaluations JOIN variants USING (variant) {of_it} refiner, params, source_sha",
            training_id,
        ),
        "spectra": rows(connection, SPECTRUM, f"spectra {of_it} head", training_id),
    }


def read_document(connection: sqlite3.Connection, training_id: int) -> dict[str, Any]:
    """A training with all that it needs to stand alone.

    Raises:
        StoreError: it does not add up, so that no import would take it.
    """
    record = read_record(connection, training_id)
    spec = record["spec"]
    found = "fingerprint = (SELECT fingerprint FROM trainings WHERE id = ?)"
    (dataset,) = rows(connection, DATASET, f"datasets WHERE {found}", training_id)
    named = "artefact_sha = (SELECT artefact_sha FROM trainings WHERE id = ?)"
    (artefact,) = rows(connection, ARTEFACT, f"artefacts WHERE {named}", training_id)
    used = {("method", spec["method"], spec["method_source_sha"])}
    used |= {("refiner", e["refiner"], e["source_sha"]) for e in record["evaluations"]}
    plugins = []
    for key in sorted(used):
        where = "plugins WHERE kind = ? AND name = ? AND source_sha = ?"
        plugins += rows(connection, PLUGIN, where, *key)
    document = {
        "format": FORMAT,
        "training": record,
        "dataset": dataset,
        "artefact": artefact,
        "plugins": plugins,
    }
    check_document(document)
    return document


def rows(
    connection: sqlite3.Connection, columns: Iterable[str], source: str, *values: object
) -> list[dict[str, Any]]:
    """Rows as plain containers: JSON parsed, bytes in base64.

    Args:
        connection: a reader.
        columns: names out of the constants above.
        source: what follows ``FROM``, without any value in it.
        values: what its question marks stand for.
    """
    names = tuple(columns)
    cursor = connection.cursor()
    cursor.row_factory = None
    cursor.execute(f"SELECT {', '.join(names)} FROM {source}", values)  # noqa: S608
    return [
        {name: _plain(name, value) for name, value in zip(names, row, strict=True)}
        for row in cursor
    ]


def tried(connection: sqlite3.Connection) -> list[tuple[int, dict[str, Any]]]:
    """Row id and described specification of every training that was ever tried, by key."""
    found = connection.execute(
        "SELECT t.id, t.spec FROM trainings t WHERE EXISTS "
        "(SELECT 1 FROM attempts a WHERE a.training_id = t.id) ORDER BY t.training_key"
    )
    return [(int(row[0]), json.loads(row[1])) for row in found]


def write_file(folder: Path, document: dict[str, Any]) -> tuple[Path, bool]:
    """The document as a file, whole or not at all, and whether it is new there.

    Raises:
        StoreError: it is larger than an import would take, or cannot be written.
    """
    data = text_of(document)
    if len(data) > MAX_BYTES:
        raise StoreError(f"it is larger than {MAX_BYTES >> 20} MiB")
    place = folder / f"{sha_of(data)}{SUFFIX}"
    with suppress(StoreError):
        if read_bytes(place) == data:
            return place, False
    try:
        temporary = folder / f".{uuid.uuid4().hex}.part"
        try:
            with temporary.open("xb") as file:
                file.write(data)
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {place} ({error.strerror})") from None
    return place, True


def files_of(places: Iterable[Path]) -> Iterator[Path]:
    """Files as they are named; of a folder those that end in ``.json``, not those below it.

    Raises:
        StoreError: nothing is there, or the folder holds none.
    """
    for place in places:
        if not place.is_dir():
            if not os.path.lexists(place):
                raise StoreError(f"there is no file or folder {place}")
            yield place
            continue
        inside = sorted(path for path in place.iterdir() if path.suffix == SUFFIX)
        if not inside:
            raise StoreError(
                f"{place} holds no {SUFFIX} file; python -m bench db export makes some"
            )
        yield from inside


def read_file(path: Path) -> dict[str, Any]:
    """The document that a file holds.

    Raises:
        StoreError: it is refused; the message is the reason without the file's name.
    """
    data = read_bytes(path)
    if path.name != f"{sha_of(data)}{SUFFIX}":
        raise StoreError(
            f"its name is not the hash of its content ({sha_of(data)[:12]}…{SUFFIX}): it was "
            f"changed or renamed"
        )
    return parse(data)


def read_bytes(path: Path) -> bytes:
    """What lies in a plain file that is no link and not too large.

    Raises:
        StoreError: it is something else, or cannot be read.
    """
    try:
        # Without waiting: a pipe would never answer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreError("it is a symbolic link") from None
        raise StoreError(f"it cannot be read ({error.strerror})") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise StoreError("it is no plain file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise StoreError(f"it is larger than {MAX_BYTES >> 20} MiB")
    return data


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in JSON:
        return json.loads(value)
    return base64.b64encode(value).decode() if name in BLOBS else value

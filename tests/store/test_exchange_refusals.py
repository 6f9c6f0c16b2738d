"""A file of a training is judged before it is believed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from exchange_case import (
    HERE,
    TRAINING,
    Path_,
    documents,
    imported,
    named,
    spoilt,
)
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.identity import canonical, content_sha
from bench.store.check import problems
from bench.store.database import open_writer
from bench.store.documents import check_tree, parse
from bench.store.exchange import read_file, write_file
from bench.store.merge import take_in

SPOILT: dict[str, tuple[Path_, object, str]] = {
    "text for a number": ((TRAINING, "epochs", 0, "test_accuracy"), "0.5", "valid number"),
    "number for text": ((TRAINING, "spec", "method"), 7, "valid string"),
    "truth for a number": ((TRAINING, "attempts", 0, "threads"), True, "valid integer"),
    "list for an object": ((TRAINING, "spec", "noise"), [], "noise"),
    "accuracy above one": ((TRAINING, "epochs", 0, "test_accuracy"), 1.5, "less than or equal"),
    "negative time": ((TRAINING, "attempts", 1, "wall_s"), -1, "greater than or equal"),
    "too large for the database": ((TRAINING, "attempts", 1, "samples"), 2**63, "less than"),
    "SQL for a name": ((TRAINING, "spec", "method"), "ce'; DROP TABLE trainings;--", "pattern"),
    "a path for a name": ((TRAINING, "spec", "dataset"), "../../etc/passwd", "pattern"),
    "a path for a refiner": ((TRAINING, "evaluations", 0, "refiner"), "/bin/sh", "pattern"),
    "a line break in a label": ((TRAINING, "spec", "method_label"), "ce\nelr", "pattern"),
    "a NUL in a text": ((TRAINING, "attempts", 0, "error"), "no\x00memory", "NUL"),
    "half a character": ((TRAINING, "attempts", 0, "error"), "\ud800", "half a character"),
    "another status": ((TRAINING, "attempts", 0, "status"), "excellent", "Input should be"),
    "a date that is none": ((TRAINING, "attempts", 0, "started_at"), "yesterday", "pattern"),
    "another format": (("format",), "lipbench-training-2", "format"),
    "another seed": ((TRAINING, "spec", "seed"), 5, "spec.key"),
    "other parameters": ((TRAINING, "spec", "method_params"), {"q": 1}, "spec.key"),
    "another protocol": ((TRAINING, "protocol", "epochs"), 300, "protocol_sha"),
    "another refiner": ((TRAINING, "evaluations", 0, "params"), {"k": 3}, "evaluation_key"),
    "another machine": (
        (TRAINING, "environments", content_sha(vars(HERE)), "cpu"),
        "a better one",
        "environments",
    ),
    "a machine that is not there": (
        (TRAINING, "attempts", 1, "environment_sha"),
        "f" * 64,
        "environment that is not there",
    ),
    "no result": ((TRAINING, "evaluations"), [], "evaluations"),
    "a result of nothing": ((TRAINING, "attempts"), [], "evaluations"),
    "epochs out of order": ((TRAINING, "epochs", 0, "epoch"), 3, "ascending"),
    "a k off its curve": ((TRAINING, "evaluations", 0, "k"), 99, "not on its curve"),
    "an error with an accuracy": ((TRAINING, "evaluations", 0, "error"), "rank 0", "accuracy"),
    "other labels": (("artefact", "labels"), "eNpjYGBgAAAABAAB", "labels"),
    "labels that are no base64": (("artefact", "labels"), "<script>", "pattern"),
    "labels of another data set": (("dataset", "fingerprint"), "0" * 64, "fingerprint"),
    "a matrix of another size": (("artefact", "nominal"), [[1]], "nominal"),
    "vectors of another size": (
        (TRAINING, "spectra", 0, "right_vectors"),
        "eJxjYGBgAAAABAAB",
        "right_vectors",
    ),
    "a field more": ((TRAINING, "spec", "__class__"), "os.system", "Extra inputs"),
    "too deep": ((TRAINING, "spec", "noise", "params"), {"a": [[[[[[[[[[[[1]]]]]]]]]]]]}, "deeper"),
    "a text that is too long": ((TRAINING, "attempts", 0, "error"), "x" * 300_000, "at most"),
    "a name that is too long": ((TRAINING, "protocol", "x" * 301), 1, "longer"),
    "a list that is too long": ((TRAINING, "spec", "uses"), ["a"] * 200_001, "items"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_file_with_one_wrong_value_is_refused_with_the_reason(
    document: dict[str, Any], tmp_path: Path, case: str
) -> None:
    place, value, reason = SPOILT[case]
    path = named(tmp_path, spoilt(document, place, value))
    with pytest.raises(StoreError) as error:
        read_file(path)
    assert reason in str(error.value)
    assert len(str(error.value)) < 400


BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no JSON"),
    "binary": (b"\x80\x04\x95\x00c__builtin__\neval\n", "no JSON"),
    "another encoding": ("{}".encode("utf-16"), "no JSON"),
    "not a number": (b'{"a":NaN}', "NaN is no number"),
    "infinity": (b'{"a":-Infinity}', "Infinity is no number"),
    "beyond every number": (b'{"a":1e999}', "not finite"),
    "an endless integer": (b'{"a":' + b"9" * 5_000 + b"}", "no JSON"),
    "a long integer": (b'{"a":' + b"9" * 400 + b"}", "not finite"),
    "a tower of brackets": (b"[" * 100_000, "deeper"),
    "a closed tower": (b"[" * 500 + b"]" * 500, "deeper"),
    "a name twice": (b'{"a":1,"a":2}', "twice"),
    "spaces": (b'{"a": 1}', "canonical"),
    "keys out of order": (b'{"b":1,"a":2}', "canonical"),
    "a list": (b"[]", "dictionary"),
    "a number": (b"1", "dictionary"),
    "too large": (b" " * (16 << 20) + b" ", "larger than 16 MiB"),
}


@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_no_document_are_refused_with_the_reason(tmp_path: Path, case: str) -> None:
    data, reason = BYTES[case]
    with pytest.raises(StoreError, match=reason):
        read_file(named(tmp_path, data))


def test_labels_that_unpack_to_gigabytes_are_refused(
    document: dict[str, Any], tmp_path: Path
) -> None:
    import base64
    import zlib

    stream = zlib.compressobj(9)
    bomb = b"".join(stream.compress(bytes(1 << 20)) for _ in range(65)) + stream.flush()
    data = spoilt(document, ("artefact", "labels"), base64.b64encode(bomb).decode())
    with pytest.raises(StoreError, match="larger than 64 MiB unpacked"):
        read_file(named(tmp_path, data))


def test_a_file_that_was_changed_is_refused_by_its_name(
    document: dict[str, Any], tmp_path: Path
) -> None:
    path, _ = write_file(tmp_path, document)
    path.write_bytes(path.read_bytes().replace(b'"threads":1', b'"threads":2'))
    with pytest.raises(StoreError, match="its name is not the hash of its content"):
        read_file(path)


def test_a_symbolic_link_is_refused(document: dict[str, Any], tmp_path: Path) -> None:
    path, _ = write_file(tmp_path, document)
    moved = path.rename(tmp_path / "elsewhere")
    path.symlink_to(moved)
    with pytest.raises(StoreError, match="symbolic link"):
        read_file(path)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(StoreError, match="no plain file"):
        read_file(tmp_path / "pipe.json")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def places_of(value: object, so_far: Path_ = ()) -> list[Path_]:
    """Every place inside plain containers."""
    found = [so_far] if so_far else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places_of(inner, (*so_far, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places_of(inner, (*so_far, number))
    return found


@given(data=st.data())
def test_any_value_at_any_place_is_refused_or_taken_whole(
    database: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = data.draw(st.sampled_from(documents(database)))
    place = data.draw(st.sampled_from(places_of(document)))
    value = data.draw(JSON)
    text = spoilt(document, place, value)
    try:
        found = parse(text)
    except StoreError:
        return
    into = tmp_path_factory.mktemp("fuzz") / "new.db"
    with open_writer(into) as db:
        take_in(db, found, "fuzz")
        assert problems(db.conn) == []
    (again,) = documents(into)
    assert again["training"] == found["training"]


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(StoreError):
        parse(data)


@given(JSON)
def test_any_json_that_passes_has_one_canonical_form(value: object) -> None:
    with suppress(StoreError):
        check_tree(value)
        assert json.loads(canonical(value)) == value


def test_no_file_of_a_refused_import_reaches_the_database(
    document: dict[str, Any], tmp_path: Path
) -> None:
    path = named(tmp_path, spoilt(document, (TRAINING, "spec", "seed"), 5))
    with pytest.raises(StoreError):
        imported(tmp_path / "new.db", path)
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        for table in ("datasets", "artefacts", "trainings", "plugins"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)

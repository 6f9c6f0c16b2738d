"""Trainings as files: what goes out comes back, and a file is judged before it is believed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import MakeDatabase, done, ended

from bench.errors import StoreError
from bench.identity import canonical, content_sha
from bench.records import (
    Environment,
    EpochRecord,
    Outcome,
    RidgeTwins,
    Spectrum,
    TrainingSpec,
)
from bench.store import exchange, forms
from bench.store.check import problems
from bench.store.database import open_reader, open_writer, peek
from bench.store.documents import check_tree, parse, sha_of, text_of
from bench.store.exchange import files_of, read_document, read_file, tried, write_file
from bench.store.merge import take_in

SMALL = """
suite: tiny
datasets: [digits]
noises: [{symmetric: {rate: 0.5}}, {partial-uniform: {q: 0.1}}]
methods: [proden]
refiners: [off, lip]
seeds: 1
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 3, batch_size: 256}
"""
"""Two trainings: one on single labels, one on candidate sets."""

HERE = Environment("a" * 40, True, "3.11.7", "Linux", "a CPU", 2, "", {"torch": "2.6.0"})
TWINS = RidgeTwins(1.0, 2.5, 0.125, 4.0, (2.0, 1.0), (1.75, 1.5), (0.1, 1e-17))
SPECTRUM = Spectrum(
    0, (3.0, 1 / 3), 1.5, {"lip": (2.0, -0.1)}, tuple((i / 7, 0.5) for i in range(10)), TWINS
)


def full(spec: TrainingSpec) -> list[Outcome]:
    """A try that failed and one that measured everything there is to measure."""
    found = done(spec)
    epochs = tuple(
        replace(
            epoch,
            train_loss=1e25,
            approximated_accuracy=1 / 3,
            selected_share=0.5,
            selection_precision=1.0,
            selection_recall=0.0,
        )
        for epoch in found.epochs
    )
    whole = replace(found, environment=HERE, epochs=epochs, spectra=(SPECTRUM,), n_parameters=7)
    return [ended(spec, "oom", "no memory", traceback="Traceback\n  ünicode"), whole]


@pytest.fixture(scope="module")
def database(make_database: MakeDatabase) -> Path:
    """Two trainings with everything that can be measured."""
    return make_database(full, suite=SMALL)


def documents(path: Path) -> list[dict[str, Any]]:
    """All documents of a database."""
    with closing(open_reader(path)) as connection:
        return [read_document(connection, number) for number, _ in tried(connection)]


@pytest.fixture
def document(database: Path) -> dict[str, Any]:
    """The document of the training on single labels, to be spoilt."""
    return next(found for found in documents(database) if found["artefact"]["matrix"])


def named(folder: Path, data: bytes) -> Path:
    """A file with the name that its content deserves."""
    path = folder / f"{sha_of(data)}.json"
    path.write_bytes(data)
    return path


def imported(into: Path, *places: Path) -> list[str]:
    """Verdicts of files that are all taken."""
    with open_writer(into) as db:
        return [take_in(db, read_file(path), path.name) for path in files_of(places)]


def test_what_goes_out_comes_back_bit_for_bit(database: Path, tmp_path: Path) -> None:
    before = documents(database)
    for document in before:
        write_file(tmp_path, document)
    assert imported(tmp_path / "new.db", tmp_path) == ["new", "new"]
    assert [text_of(d) for d in documents(tmp_path / "new.db")] == [text_of(d) for d in before]


def test_selections_are_worked_out_again_as_they_were(database: Path, tmp_path: Path) -> None:
    for document in documents(database):
        write_file(tmp_path, document)
    imported(tmp_path / "new.db", tmp_path)
    found = []
    for path in (database, tmp_path / "new.db"):
        with closing(open_reader(path)) as connection:
            rows = connection.execute(
                "SELECT t.training_key, s.selector, s.epoch, s.test_accuracy FROM selections s "
                "JOIN trainings t ON t.id = s.training_id ORDER BY 1, 2"
            )
            found.append([tuple(row) for row in rows])
            assert problems(connection) == []
    assert found[0] == found[1] != []


def test_importing_twice_changes_nothing(database: Path, tmp_path: Path) -> None:
    for document in documents(database):
        write_file(tmp_path, document)
    imported(tmp_path / "new.db", tmp_path)
    assert imported(tmp_path / "new.db", tmp_path) == ["same", "same"]


def test_a_file_is_named_by_the_hash_of_its_content(
    document: dict[str, Any], tmp_path: Path
) -> None:
    path, is_new = write_file(tmp_path, document)
    assert path.name == f"{content_sha(document)}.json"
    assert is_new
    assert write_file(tmp_path, document) == (path, False)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_file_that_was_cut_short_is_written_again(
    document: dict[str, Any], tmp_path: Path
) -> None:
    path, _ = write_file(tmp_path, document)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert write_file(tmp_path, document) == (path, True)
    assert path.read_bytes() == whole


def test_every_column_of_the_tables_is_in_the_file() -> None:
    here = {
        "attempts": {*exchange.ATTEMPT, "training_id", "attempt", "log"},
        "epochs": {*exchange.EPOCH, "training_id"},
        "evaluations": {*exchange.SCORE, "training_id", "variant"},
        "spectra": {*exchange.SPECTRUM, "training_id"},
        "environments": {*exchange.ENVIRONMENT, "environment_sha"},
        "datasets": {*exchange.DATASET},
        "artefacts": {*exchange.ARTEFACT},
        "plugins": {*exchange.PLUGIN},
    }
    with peek(Path("no such file")) as connection:
        for table, columns in here.items():
            found = connection.execute("SELECT name FROM pragma_table_info(?)", [table])
            assert {row[0] for row in found} == columns, table


def test_forms_have_the_fields_of_what_they_are_forms_of() -> None:
    described = {item.name for item in fields(TrainingSpec)} - {"protocol", "refiners"}
    assert set(forms.SpecForm.model_fields) == described
    assert set(forms.EnvironmentForm.model_fields) == {item.name for item in fields(Environment)}
    assert set(forms.EpochForm.model_fields) == {item.name for item in fields(EpochRecord)}
    assert set(forms.RidgeForm.model_fields) == {item.name for item in fields(RidgeTwins)}


Path_ = tuple[str | int, ...]


def spoilt(document: dict[str, Any], place: Path_, value: object) -> bytes:
    """The document with one value in place of another, otherwise as it should be."""
    copy = json.loads(text_of(document))
    inside = copy
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    return canonical(copy).encode()


TRAINING = "training"
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


def test_an_export_does_not_write_through_a_link(document: dict[str, Any], tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"{content_sha(document)}.json").symlink_to(precious)
    write_file(folder, document)
    assert precious.read_text() == "mine"
    assert not (folder / f"{content_sha(document)}.json").is_symlink()


def test_sql_where_text_is_free_is_text(document: dict[str, Any], tmp_path: Path) -> None:
    text = "x'); DROP TABLE trainings; --"
    data = spoilt(document, (TRAINING, "attempts", 0, "error"), text)
    assert imported(tmp_path / "new.db", named(tmp_path, data)) == ["new"]
    with closing(open_reader(tmp_path / "new.db")) as connection:
        assert connection.execute("SELECT count(*) FROM trainings").fetchone()[0] == 1
        assert connection.execute("SELECT error FROM attempts").fetchone()[0] == text


def test_labels_that_are_here_are_not_replaced_by_those_of_a_file(
    database: Path, document: dict[str, Any], tmp_path: Path
) -> None:
    """What nobody can check, such as the realised rate, is that of whoever was first."""
    for found in documents(database):
        write_file(tmp_path, found)
    imported(tmp_path / "new.db", tmp_path)
    data = spoilt(document, ("artefact", "realised_rate"), 0.25)
    assert imported(tmp_path / "new.db", named(tmp_path, data)) == ["same"]
    assert documents(tmp_path / "new.db") == documents(database)


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

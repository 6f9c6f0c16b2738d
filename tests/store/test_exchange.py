"""Trainings as files: what goes out comes back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from exchange_case import (
    TRAINING,
    documents,
    imported,
    named,
    spoilt,
)

from bench.identity import content_sha
from bench.records import Environment, EpochRecord, RidgeTwins
from bench.store import exchange, forms
from bench.store.check import problems
from bench.store.database import open_reader, peek
from bench.store.documents import text_of
from bench.store.exchange import write_file
from bench.training_spec import TrainingSpec


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

"""A run's environment, configuration and log."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from page_parts import Said, Visit
from run_page_parts import keys

from bench.store.database import open_reader
from dashboard import runs_data, words


def test_environment_is_shown(visit: Visit, said: Said, machines: Path) -> None:
    at = visit(machines, "runs", run=keys(machines)[0], made="Environment")
    found = next(
        f.value.set_index("setting")["value"]
        for f in at.dataframe
        if "git_commit" in set(f.value.get("setting", []))
    )
    assert found["packages.torch"] == "2.14.1"
    assert found["git_dirty"] == "true"
    assert found["precision"] == "fp32"
    assert "changes that were not committed" in said(at)


def test_configuration_is_a_table_and_json(visit: Visit, full: Path) -> None:
    at = visit(full, "runs", run=keys(full)[0])
    found = next(
        f.value.set_index("setting")["value"]
        for f in at.dataframe
        if "protocol.epochs" in set(f.value.get("setting", []))
    )
    assert found["protocol.epochs"] == "12"
    assert found["method"] == "ce"
    assert json.loads(at.json[0].value)["protocol"]["epochs"] == 12


def test_a_log_that_is_not_there_says_where_it_would_be(
    visit: Visit, said: Said, machines: Path
) -> None:
    text = said(visit(machines, "runs", run=keys(machines)[0]))
    assert words.plain(str(machines.parent / "runs" / "some" / "logs")) in text
    assert "There is no such file" in text


def test_a_log_is_shown_as_text(visit: Visit, said: Said, machines: Path) -> None:
    key = keys(machines, "gce")[0]
    with closing(open_reader(machines)) as connection:
        (named,) = connection.execute(
            "SELECT log FROM attempts a JOIN trainings t ON t.id = a.training_id "
            "WHERE t.training_key LIKE ?",
            [f"{key}%"],
        ).fetchone()
    place = machines.parent / named
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("epoch 1\n<script>alert(1)</script>\n")
    assert "epoch 1\n<script>alert(1)</script>" in [
        code.value for code in visit(machines, "runs", run=key).code
    ]
    place.write_text("  \n")
    assert "The log is empty" in said(visit(machines, "runs", run=key))


def test_logs_outside_the_folder_of_the_database_are_not_read(tmp_path: Path) -> None:
    db = tmp_path / "in" / "some.db"
    (db.parent / "runs").mkdir(parents=True)
    secret = tmp_path / "secret.log"
    secret.write_text("secret")
    (db.parent / "runs" / "link.log").symlink_to(secret)
    (db.parent / "key.pem").write_text("secret")
    for named in (
        "../secret.log",
        str(secret),
        "runs/link.log",
        "key.pem",
        "runs/../../secret.log",
    ):
        found = runs_data.read_log(db, named)
        assert found.text is None
        assert "not read" in found.reason
    for named in ("", "runs", "runs/none.log", "a\0b.log", "x" * 5000 + ".log"):
        found = runs_data.read_log(db, named)
        assert found.text is None
        assert found.reason


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "runs" / "a.log"
    log.parent.mkdir()
    log.write_bytes(b"begin\n" + b"x" * runs_data.LOG_BYTES + b"\xff end")
    found = runs_data.read_log(tmp_path / "some.db", "runs/a.log")
    assert found.is_cut
    assert found.text is not None
    assert found.text.endswith("\N{REPLACEMENT CHARACTER} end")
    assert "begin" not in found.text
    assert len(found.text) == runs_data.LOG_BYTES

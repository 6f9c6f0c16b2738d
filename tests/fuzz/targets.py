"""What is fuzzed: the reader of exchanged trainings, and the reader of suites."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from bench.cell import evaluation_key, training_key
from bench.errors import BenchError, StoreError
from bench.identity import canonical, content_sha
from bench.registry import Registry
from bench.spec import load_suite
from bench.store.check import problems
from bench.store.documents import parse, text_of
from bench.store.exchange import read_document, tried
from bench.store.merge import take_in
from bench.store.schema import migrations

IMPORT_FILES = ("bench/store/documents.py", "bench/store/adopt.py", "bench/store/exchange.py")
SPEC_FILES = (
    "bench/spec.py",
    "bench/suite_files.py",
    "bench/yaml_marks.py",
    "bench/protocol.py",
    "bench/params.py",
)

ODD = (
    *(None, True, False, 0, -1, 1, 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, 1.5, "", "x" * 1_001),
    *("\x00", "\ud800", "../../etc/passwd", "'; DROP TABLE trainings; --", "NaN", "0" * 64),
    *([], {}, [[]], {"": {}}, [None] * 3),
)
"""Values that are put in the place of others."""

YAML_WORDS = (
    *(b"suite: ", b"extends: ", b"datasets: ", b"methods: ", b"grid: ", b"exclude:", b"overrides:"),
    *(b"budgets:", b"seeds: ", b"protocol: ", b"if_present: ", b"digits", b"elr", b"symmetric"),
    *(b"&a ", b"*a", b"<<: *a", b"!!python/object/apply:os.system [ls]", b"!!binary ", b"!!set "),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b": ",
        b"- ",
        b"\n",
        b"\n  ",
        b"? ",
        b"|\n",
        b">-\n",
        b"%YAML 9",
        b"---",
    ),
    *(b".nan", b".inf", b"1e999", b"0x1F", b"1_000", b"2026-01-01", b"null", b"~", b"'", b'"'),
    *(b"\x00", b"\xff\xfe", "ü".encode(), b"\t", b"#"),
)


def importer() -> Callable[[bytes], None]:
    """A target: a file is refused in words, or taken so that it comes out as it went in."""
    with closing(sqlite3.connect(":memory:")) as connection:
        migrations.apply(Database(connection))
        connection.commit()
        empty = connection.serialize()

    def target(data: bytes) -> None:
        try:
            document = parse(data)
        except StoreError:
            return
        db = Database(memory=True)
        db.conn.deserialize(empty)
        take_in(db, document, "fuzz")
        assert problems(db.conn) == []
        ((number, _),) = tried(db.conn) or [(0, {})]
        again = read_document(db.conn, number)
        assert text_of(again["training"]) == text_of(document["training"])
        db.close()

    return target


def spec_reader(registry: Registry, folder: Path) -> Callable[[bytes], None]:
    """A target: a suite file, written into the folder, is refused in words, or it is a suite."""
    path = folder / "suite.yaml"

    def target(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(BenchError):
            load_suite(str(path), None, registry)

    return target


def put_odd(data: bytes, rng: random.Random) -> bytes:
    """A document with an odd value somewhere, in canonical form."""
    return _changed(data, rng, lambda inside, key: inside.__setitem__(key, rng.choice(ODD)))


def drop(data: bytes, rng: random.Random) -> bytes:
    """A document that lacks something."""
    return _changed(data, rng, lambda inside, key: inside.__delitem__(key))


def swap(data: bytes, rng: random.Random) -> bytes:
    """A document with two neighbours in each other's place."""

    def change(inside: Any, key: Any) -> None:
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        other = rng.choice(list(keys))
        inside[key], inside[other] = inside[other], inside[key]

    return _changed(data, rng, change)


def nudge(data: bytes, rng: random.Random) -> bytes:
    """A document with a number that is a little different."""

    def change(inside: Any, key: Any) -> None:
        if isinstance(inside[key], (int, float)):
            inside[key] = inside[key] * rng.choice((0, -1, 0.5, 2)) + rng.choice((0, 1, 1e-9))

    return _changed(data, rng, change)


def repair(data: bytes, rng: random.Random) -> bytes:
    """A document whose hashes are those of what it says, as an attacker would write it."""
    try:
        document = json.loads(data)
        record = document["training"]
        spec, protocol = record["spec"], record["protocol"]
        spec["backbone_source_sha"] = protocol["backbone"]["source"]
        spec["protocol_sha"] = content_sha(protocol)
        spec["key"] = training_key(
            method={
                "name": spec["method"],
                "params": spec["method_params"],
                "source": spec["method_source_sha"],
            },
            fingerprint=spec["fingerprint"],
            artefact_sha=spec["noise"]["artefact_sha"],
            protocol=protocol,
            seed=spec["seed"],
        )
        for found in record["evaluations"]:
            found["evaluation_key"] = evaluation_key(
                spec["key"], found["refiner"], found["params"], found["source_sha"]
            )
        renamed = {}
        for sha, environment in record["environments"].items():
            renamed[sha] = content_sha(environment)
        record["environments"] = {renamed[k]: v for k, v in record["environments"].items()}
        for attempt in record["attempts"]:
            attempt["environment_sha"] = renamed.get(attempt["environment_sha"])
        return canonical(document).encode()
    except Exception:  # what was changed too far is left as it is
        return data


def _changed(data: bytes, rng: random.Random, change: Callable[[Any, Any], None]) -> bytes:
    """The document with something changed at a random place; bytes that are none stay."""
    try:
        document = inside = json.loads(data)
        place: Any = None
        while isinstance(inside, (dict, list)) and inside:
            keys = list(inside) if isinstance(inside, dict) else range(len(inside))
            parent, place = inside, rng.choice(list(keys))
            inside = inside[place]
            if not rng.randrange(6):
                break
        if place is not None:
            change(parent, place)
        return canonical(document).encode()
    except (ValueError, TypeError, OverflowError, RecursionError):
        return data

"""Trainings with everything that can be measured, as documents, and documents spoilt."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from made_up_runs import done, ended

from bench.identity import canonical
from bench.records import Environment, Outcome, RidgeTwins, Spectrum
from bench.store.database import open_reader, open_writer
from bench.store.documents import sha_of, text_of
from bench.store.exchange import files_of, read_document, read_file, tried
from bench.store.merge import take_in
from bench.training_spec import TrainingSpec

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


def documents(path: Path) -> list[dict[str, Any]]:
    """All documents of a database."""
    with closing(open_reader(path)) as connection:
        return [read_document(connection, number) for number, _ in tried(connection)]


def named(folder: Path, data: bytes) -> Path:
    """A file with the name that its content deserves."""
    path = folder / f"{sha_of(data)}.json"
    path.write_bytes(data)
    return path


def imported(into: Path, *places: Path) -> list[str]:
    """Verdicts of files that are all taken."""
    with open_writer(into) as db:
        return [take_in(db, read_file(path), path.name) for path in files_of(places)]


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

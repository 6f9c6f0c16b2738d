"""What one training is outside a database: its form, its limits, and what must add up in it.

A *record* is a training with its attempts and what it measured. A *document* is a record with the
descriptions that it needs to stand alone: data set, labels, plugins. Both are plain containers, so
that their canonical JSON has one hash; the models here only judge them. Nothing here touches a
database or a file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import zlib
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import ValidationError

from bench.cell import evaluation_key, training_key
from bench.data.noise import labels_sha
from bench.errors import StoreError
from bench.identity import canonical, content_sha
from bench.store.forms import (
    ArtefactForm,
    DatasetForm,
    DocumentForm,
    Form,
    RecordForm,
)

FORMAT = "lipbench-training-1"
MAX_BYTES = 16 << 20
"""Of a file. Shipped results make files of at most 40 kB."""
MAX_DEPTH = 12
MAX_ITEMS = 200_000
"""Of one list or object."""
MAX_TEXT = 12 << 20
MAX_KEY = 300
MAX_UNPACKED = 64 << 20
"""Bytes of labels or vectors after decompression."""


def parse(data: bytes) -> dict[str, Any]:
    """A document from the bytes of a file, as ``text_of`` wrote them.

    Raises:
        StoreError: it is too large or too deep, no JSON, not canonical, or does not add up. The
            message is one reason without the file's name.
    """
    if len(data) > MAX_BYTES:
        raise StoreError(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        found = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError:
        raise StoreError(f"it is nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        raise StoreError(f"it is no JSON of ours ({printable(str(error))})") from None
    check_tree(found)
    if canonical(found).encode() != data:
        raise StoreError("it is not in canonical form: keys sorted, no spaces, 1 in place of 1.0")
    check_document(found)
    return dict(found)


def text_of(document: dict[str, Any]) -> bytes:
    """The one file that a document is."""
    return canonical(document).encode()


def sha_of(data: bytes) -> str:
    """The name of a file: the hash of its bytes."""
    return hashlib.sha256(data).hexdigest()


def check_tree(value: Any) -> None:
    """Depth, lengths, finite numbers and clean text, whatever the containers mean.

    Raises:
        StoreError: with the first thing that is wrong.
    """
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                _check_length(item)
                for key in item:
                    if len(key) > MAX_KEY:
                        raise StoreError(f"a name is longer than {MAX_KEY} letters")
                    _check_text(key)
                below += item.values()
            elif isinstance(item, (list, tuple)):
                _check_length(item)
                below += item
            else:
                _check_leaf(item)
        if not below:
            return
        level = below
    raise StoreError(f"it is nested deeper than {MAX_DEPTH}")


def check_document(document: Any) -> None:
    """Types, ranges, keys and references of a document.

    Raises:
        StoreError: with the place and what is wrong there.
    """
    _validate(DocumentForm, document)
    record, dataset, artefact = (document[part] for part in ("training", "dataset", "artefact"))
    _adds_up(record)
    spec = record["spec"]
    _same(dataset["fingerprint"], spec["fingerprint"], "dataset.fingerprint")
    check_artefact(artefact, dataset)
    _same(artefact["artefact_sha"], spec["noise"]["artefact_sha"], "artefact.artefact_sha")


def check_record(record: Any) -> None:
    """As ``check_document``, of the training alone."""
    check_tree(record)
    _validate(RecordForm, record)
    _adds_up(record)


def check_artefact(artefact: Any, dataset: Any) -> None:
    """That labels are labels of the data set, and that they have the hash that they claim.

    Foreign inputs are part of that hash and not of the document, so that it cannot be told where
    there are any.

    Raises:
        StoreError: they are not, or have another.
    """
    _validate(ArtefactForm, artefact)
    _validate(DatasetForm, dataset)
    _same(artefact["fingerprint"], dataset["fingerprint"], "artefact.fingerprint")
    n_classes = len(dataset["class_names"])
    raw = unpack(artefact["labels"], "artefact.labels")
    if len(raw) % 4:
        raise StoreError("artefact.labels: not a whole number of labels")
    labels = np.frombuffer(raw, dtype="<i4").astype(np.int64)
    if len(labels) and not -1 <= labels.min() <= labels.max() < n_classes:
        raise StoreError(f"artefact.labels: a label is outside -1..{n_classes - 1}")
    sets = None
    if artefact["candidates"] is not None:
        bits = np.frombuffer(unpack(artefact["candidates"], "artefact.candidates"), dtype=np.uint8)
        if len(bits) != math.ceil(len(labels) * n_classes / 8):
            raise StoreError("artefact.candidates: another number of samples or classes")
        sets = np.unpackbits(bits, count=len(labels) * n_classes)
    for name in ("matrix", "nominal"):
        rows = artefact[name]
        if rows is not None and {len(rows), *map(len, rows)} != {n_classes}:
            raise StoreError(f"artefact.{name}: not one row and column a class")
    if not artefact["open_rate"]:
        found = labels_sha(artefact["fingerprint"], labels, None, sets)
        _same(found, artefact["artefact_sha"], "artefact.artefact_sha (hash of the labels)")


def check_form(form: type[Form], value: Any) -> None:
    """Depth, lengths, types and ranges of something that refers to nothing.

    Raises:
        StoreError: with the first thing that is wrong.
    """
    check_tree(value)
    _validate(form, value)


def unpack(text: str, place: str) -> bytes:
    """Bytes that were packed and written in base64.

    Raises:
        StoreError: damaged, or larger than any labels or vectors.
    """
    try:
        packed = zlib.decompressobj()
        raw = packed.decompress(base64.b64decode(text, validate=True), MAX_UNPACKED)
    except (binascii.Error, zlib.error) as error:
        raise StoreError(f"{place}: damaged ({error})") from None
    if not packed.eof or packed.unused_data:
        raise StoreError(f"{place}: damaged, or larger than {MAX_UNPACKED >> 20} MiB unpacked")
    return raw


def printable(text: str, most: int = 120) -> str:
    """For messages: one line of letters that a terminal shows, cut where it is long."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _adds_up(record: dict[str, Any]) -> None:
    """Keys are those of what they name, references exist, and results are of what was done."""
    spec, protocol = record["spec"], record["protocol"]
    backbone = protocol.get("backbone")
    if not isinstance(backbone, dict):
        raise StoreError("training.protocol.backbone: missing")
    _same(backbone.get("source"), spec["backbone_source_sha"], "spec.backbone_source_sha")
    _same(content_sha(protocol), spec["protocol_sha"], "spec.protocol_sha")
    method = ("method", "method_params", "method_source_sha")
    key = training_key(
        method=dict(
            zip(("name", "params", "source"), (spec[name] for name in method), strict=True)
        ),
        fingerprint=spec["fingerprint"],
        artefact_sha=spec["noise"]["artefact_sha"],
        protocol=protocol,
        seed=spec["seed"],
    )
    _same(key, spec["key"], "spec.key (hash of what the training is)")
    for sha, environment in record["environments"].items():
        _same(content_sha(environment), sha, "environments")
    for attempt in record["attempts"]:
        if attempt["environment_sha"] not in {None, *record["environments"]}:
            raise StoreError("attempts: one names an environment that is not there")
    done = any(attempt["status"] == "done" for attempt in record["attempts"])
    if done != bool(record["evaluations"]):
        raise StoreError("evaluations: there are some exactly when an attempt is done")
    if record["spectra"] and not done:
        raise StoreError("spectra: no attempt is done")
    _ascending([epoch["epoch"] for epoch in record["epochs"]], "epochs.epoch")
    _ascending([spectrum["head"] for spectrum in record["spectra"]], "spectra.head")
    _evaluations_add_up(record["evaluations"], key)
    for spectrum in record["spectra"]:
        _vectors_add_up(spectrum)


def _evaluations_add_up(evaluations: list[dict[str, Any]], key: str) -> None:
    seen: set[str] = set()
    for evaluation in evaluations:
        named = (evaluation[name] for name in ("refiner", "params", "source_sha"))
        _same(evaluation_key(key, *named), evaluation["evaluation_key"], "evaluation_key")
        if evaluation["evaluation_key"] in seen:
            raise StoreError(f"evaluations: {evaluation['refiner']} is there twice")
        seen.add(evaluation["evaluation_key"])
        if (evaluation["test_accuracy"] is None) != bool(evaluation["error"]):
            raise StoreError("evaluations: an accuracy is missing exactly when there is an error")
        ranks = [point[0] for point in evaluation["curve"]]
        if ranks and evaluation["k"] is not None and evaluation["k"] not in ranks:
            raise StoreError("evaluations: a chosen k is not on its curve")


def _vectors_add_up(spectrum: dict[str, Any]) -> None:
    if spectrum["right_vectors"] is None:
        return
    size, columns = (
        len(unpack(spectrum["right_vectors"], "spectra.right_vectors")),
        4 * len(spectrum["singular_values"]),
    )
    if size % columns if columns else size:
        raise StoreError("spectra.right_vectors: not one a singular value")


def _validate(form: type[Form], value: Any) -> None:
    try:
        form.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise StoreError(f"{printable(place)}: {printable(first['msg'])}") from None


def _check_length(container: dict[str, Any] | list[Any] | tuple[Any, ...]) -> None:
    if len(container) > MAX_ITEMS:
        raise StoreError(f"a list has more than {MAX_ITEMS:,} items")


def _check_leaf(value: Any) -> None:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise StoreError(f"a text is longer than {MAX_TEXT >> 20} Mi letters")
        _check_text(value)
    elif isinstance(value, (int, float)):
        try:
            finite = math.isfinite(value)
        except OverflowError:
            finite = False
        if not finite:
            raise StoreError("a number is not finite")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise StoreError("a text holds a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise StoreError("a text holds half a character") from None


def _ascending(numbers: list[int], place: str) -> None:
    if any(one >= other for one, other in pairwise(numbers)):
        raise StoreError(f"{place}: not ascending, or there twice")


def _same(found: object, claimed: object, place: str) -> None:
    if found != claimed:
        raise StoreError(
            f"{place}: {printable(str(claimed))} is claimed, {printable(str(found))} is so"
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")

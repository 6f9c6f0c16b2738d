"""Reading a file of published figures: every problem in it is named, or it is read as a whole."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.errors import DataError, nearest
from bench.identity import content_sha
from bench.published.aliases import Aliases

COLUMNS = (
    "method",
    "dataset",
    "noise",
    "rate",
    "backbone",
    "epochs",
    "reported",
    "accuracy",
    "std",
    "source",
    "verified",
)
REQUIRED = ("method", "dataset", "noise", "accuracy", "source", "verified")
CELL = ("method", "dataset", "noise", "rate", "backbone", "epochs", "reported", "source")
"""What makes a figure one figure: two rows equal in these may not differ in accuracy or std."""

VERIFIED = "verified in "
UNVERIFIED = "recalled, unverified"


@dataclass(frozen=True)
class Figure:
    """One published figure, in the words of its source.

    Attributes:
        file, line: where it stands.
        rate: ``0.5``; ``0.35+0.3`` of two noises in a row; empty where the noise has none.
        epochs, reported: as the source says it; may be empty.
        accuracy, std: in %; std is None where the source gives none.
        verified: whether somebody saw it in its source; ``verification`` says where.
    """

    file: str
    line: int
    method: str
    dataset: str
    noise: str
    rate: str
    backbone: str
    epochs: str
    reported: str
    accuracy: float
    std: float | None
    source: str
    verified: bool
    verification: str

    @property
    def key(self) -> str:
        """sha256 of what it says, wherever it stands."""
        return content_sha({k: v for k, v in asdict(self).items() if k not in ("file", "line")})

    @property
    def cell(self) -> tuple[str, ...]:
        """All but accuracy, std and verification."""
        return tuple(getattr(self, column) for column in CELL)


def read_figures(path: Path, aliases: Aliases) -> list[Figure]:
    """The figures of a CSV file.

    Raises:
        DataError: a line ``file:line: what is wrong`` for each problem, and the next command.
    """
    problems: list[str] = []
    figures: list[Figure] = []
    header: list[str] | None = None
    for line, row in _rows(path):
        where = f"{path}:{line}"
        if header is None:
            header = [cell.strip() for cell in row]
            problems += [f"{where}: {text}" for text in _about_header(header)]
            if problems:
                break
        elif [cell.strip() for cell in row] == header:
            problems.append(f"{where}: the header again; delete this line")
        elif len(row) != len(header):
            problems.append(
                f"{where}: {len(row)} values, but the header has {len(header)} columns; "
                'a text with a comma needs "quotes"'
            )
        else:
            given = dict(zip(header, (cell.strip() for cell in row), strict=True))
            wrong = list(_about_row(given, aliases))
            problems += [f"{where}: {text}" for text in wrong]
            if not wrong:
                figures.append(_figure(given, path.name, line))
    if header is None:
        problems.append(f"{path}:1: the file is empty; its first line is {','.join(COLUMNS)}")
    elif not figures and not problems:
        problems.append(f"{path}:1: there is no figure under the header")
    problems += clashes(figures, str(path))
    if problems:
        raise DataError("\n".join([*_in_order(problems), _advice(path, len(problems))]))
    return figures


def clashes(figures: Iterable[Figure], path: str, others: Iterable[Figure] = ()) -> list[str]:
    """Rows that say a thing twice, or two things of one cell.

    Two rows of a file may not be equal. Rows that agree in all but accuracy, std and verification
    contradict each other: one source gives one figure of one cell under one protocol. Another
    source, backbone, number of epochs or selection makes another figure, and both are kept.

    Args:
        figures: of one file.
        path: how messages name it.
        others: of other files; the same figure in two files is no problem, a contradiction is.
    """
    problems = []
    seen: dict[tuple[str, ...], Figure] = {other.cell: other for other in others}
    for figure in figures:
        before = seen.setdefault(figure.cell, figure)
        if before is figure:
            continue
        same_file = before.file == figure.file
        place = f"line {before.line}" if same_file else f"{before.file}:{before.line}"
        if (before.accuracy, before.std) != (figure.accuracy, figure.std):
            problems.append(
                f"{path}:{figure.line}: contradicts {place}, which differs only in the figure "
                f"({_shown(before)} there, {_shown(figure)} here); correct one, or name another "
                f"source" + ("" if same_file else f"; a file called {before.file} replaces it")
            )
        elif same_file:
            problems.append(f"{path}:{figure.line}: the same figure as {place}; delete one")
    return problems


def rates(text: str) -> tuple[float, ...] | None:
    """The rates in ``0.5``, ``0.35+0.3`` or an empty text; None where it is none of these."""
    if not text:
        return ()
    found = [number(part) for part in text.split("+")]
    return None if None in found else tuple(value for value in found if value is not None)


def number(text: str) -> float | None:
    """A finite decimal number, or None."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which each starts; lines without any text are left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{line}: not valid CSV: {error}; check its quotes") from None


def _about_header(header: list[str]) -> Iterator[str]:
    for column in dict.fromkeys(header):
        if header.count(column) > 1:
            yield f"column {column!r} is there {header.count(column)} times"
        elif column not in COLUMNS:
            absent = [name for name in COLUMNS if name not in header]
            yield f"unknown column {column!r}{nearest(column, absent or COLUMNS)}"
    for column in COLUMNS:
        if column not in header:
            yield f"the column {column!r} is missing; the columns are {','.join(COLUMNS)}"


def _about_row(given: dict[str, str], aliases: Aliases) -> Iterator[str]:
    for column in REQUIRED:
        if not given[column]:
            yield f"{column} is empty; every figure needs one"
    noise = given["noise"]
    if noise and noise not in aliases.noises:
        yield f"unknown noise {noise!r}{nearest(noise, aliases.noises)}"
    elif noise:
        yield from _about_rate(given["rate"], noise, aliases.noises[noise].rates)
    if given["accuracy"]:
        accuracy = number(given["accuracy"])
        if accuracy is None:
            yield f"accuracy {given['accuracy']!r} is no number; it is in %, for example 91.16"
        elif not 0 <= accuracy <= 100:
            yield f"accuracy {given['accuracy']} is outside 0..100; it is in %"
    if given["std"]:
        std = number(given["std"])
        if std is None:
            yield f"std {given['std']!r} is no number; leave it empty where the source has none"
        elif std < 0:
            yield f"std {given['std']} is below 0; did you mean {given['std'].lstrip('-')}?"
    verified = given["verified"]
    seen = verified.startswith(VERIFIED) and verified != VERIFIED.strip()
    if verified and verified != UNVERIFIED and not seen:
        valid = (f"{VERIFIED}{given['source'] or 'SOURCE'}", UNVERIFIED)
        yield f"verified says {verified!r}{nearest(verified.lower(), valid)}"


def _about_rate(text: str, noise: str, allowed: tuple[int, ...]) -> Iterator[str]:
    found = rates(text)
    if found is None:
        yield f"rate {text!r} is no number; it is a share, for example 0.5, or 0.35+0.3 of two"
        return
    if len(found) not in allowed:
        wanted = " or ".join({0: "no rate", 1: "one rate"}.get(n, f"{n} rates") for n in allowed)
        example = {1: "0.5", 2: "0.35+0.3"}.get(allowed[-1], "leave it empty")
        yield f"noise {noise!r} takes {wanted}, got {text!r}; for example: {example}"
    for rate in found:
        if not 0 <= rate <= 1:
            share = f"; did you mean {rate / 100:g}?" if 1 < rate <= 100 else "; it is a share"
            yield f"rate {rate:g} is outside 0..1{share}"


def _figure(given: dict[str, str], file: str, line: int) -> Figure:
    texts = {column: given[column] for column in CELL}
    return Figure(
        **{**texts, "rate": "+".join(f"{rate:g}" for rate in rates(given["rate"]) or ())},
        file=file,
        line=line,
        accuracy=float(given["accuracy"]),
        std=float(given["std"]) if given["std"] else None,
        verified=given["verified"] != UNVERIFIED,
        verification=given["verified"],
    )


def _shown(figure: Figure) -> str:
    return f"{figure.accuracy:g}" + ("" if figure.std is None else f" ± {figure.std:g}")


def _in_order(problems: list[str]) -> list[str]:
    def line(problem: str) -> int:
        found = re.search(r":(\d+): ", problem)
        return int(found[1]) if found else 0

    return sorted(problems, key=line)


def _advice(path: Any, number_of: int) -> str:
    noun = "problem" if number_of == 1 else "problems"
    return (
        f"{number_of} {noun}, so nothing was imported; mend them, then: "
        f"python -m bench published import {path}"
    )

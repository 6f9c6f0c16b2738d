"""The charts and frames of an analysis, as files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from bench.errors import BenchError
from bench.report.noise_charts import save
from bench.report.structure_charts import (
    angle_chart,
    rank_chart,
    similarity_chart,
    spectra_chart,
)
from bench.stats import twins

Part = tuple[str, pd.DataFrame, Callable[[pd.DataFrame], Any]]
"""A file's name without suffix, its numbers, and what draws them."""


def write_all(heads: pd.DataFrame, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Every chart of ``stats.twins`` as png and svg, its numbers as csv; returns the paths.

    Args:
        heads: as ``store.structure.heads`` gives them.
        folder: made where it is not there; files of the same names are replaced.
        formats: some of png, svg, csv.

    Raises:
        BenchError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"{folder} cannot be made: {error.strerror}") from None
    written = []
    for name, frame, draw in tqdm(list(_parts(heads)), desc="charts", unit="chart", leave=False):
        for form in formats:
            path = folder / f"{name}.{form}"
            if form == "csv":
                frame.to_csv(path, index=False)
            else:
                save(draw(frame), path)
            written.append(path)
    path = folder / "summary.csv"
    twins.summary(heads).to_csv(path, index=False)
    return [*written, path]


def _parts(heads: pd.DataFrame) -> Iterator[Part]:
    per_method: list[tuple[str, pd.DataFrame, Callable[[pd.DataFrame], Any]]] = [
        ("spectra", twins.spectra(heads), spectra_chart),
        ("effective-rank", twins.ranks(heads), rank_chart),
    ]
    for title, frame, draw in per_method:
        for (dataset, method), group in frame.groupby(["dataset", "method"], sort=False):
            if not group["is_clean"].all():
                yield slug(title, dataset, method), group, draw
    per_cell: list[tuple[str, pd.DataFrame, Callable[[pd.DataFrame], Any]]] = [
        ("similarity", twins.similarity_map(heads), similarity_chart),
        ("angles", twins.angles(heads), angle_chart),
    ]
    for title, frame, draw in per_cell:
        for (dataset, noise, method), group in frame.groupby(twins.CELL, sort=False):
            yield slug(title, dataset, method, noise), group, draw


def slug(*words: object) -> str:
    """A file name of letters, digits, points and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", " ".join(map(str, words))).strip("-.")

"""What differs between runs: configuration, environment and results, as frames and in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.data import OFF
from dashboard.exports import Shown
from dashboard.run_tables import MIB, SELECTORS, flatten, is_oracle, width
from dashboard.runs_data import Run
from dashboard.words import listing, percent, plain

NONE = "–"

MOST_PX = 210
"""Of the column of settings, so that a phone shows values beside it."""

MACHINE = {
    "accelerator": "accelerator",
    "cpu": "CPU",
    "device": "device",
    "precision": "precision",
    "threads": "threads",
    "python": "version of Python",
    "packages": "versions of packages",
    "git_commit": "commit of the code",
}
"""What may move a figure within rounding, in words."""


def names(runs: Sequence[Run]) -> list[str]:
    """A short name for every run: what tells them apart, then the key."""
    telling = [part for part in _parts(runs) if len(set(part)) > 1]
    return [
        " · ".join([*(part[position] for part in telling), run.short])
        for position, run in enumerate(runs)
    ]


def cell_names(runs: Sequence[Run]) -> list[str]:
    """A short name for the cell of every run: what tells cells apart; at least the method."""
    parts = _parts(runs)[:-1]
    telling = [part for part in parts if len(set(part)) > 1] or parts[:1]
    return [" · ".join(part[position] for part in telling) for position in range(len(runs))]


def shared(runs: Sequence[Run]) -> str:
    """What all runs have in common of method, noise, data set and seed; may be empty."""
    return " · ".join(part[0] for part in _parts(runs) if len(set(part)) == 1)


def _parts(runs: Sequence[Run]) -> list[list[str]]:
    return [
        [run.method for run in runs],
        [run.noise for run in runs],
        [run.dataset for run in runs],
        [f"seed {run.seed}" for run in runs],
    ]


def everything(run: Run) -> dict[tuple[str, str], str]:
    """(part, dotted path) -> value in words, of all that is known of a run."""
    spec = dict(run.details["spec"])
    protocol = spec.pop("protocol")
    for derived in ("key", "protocol_sha"):  # of the key are the headings made, of the other rows
        spec.pop(derived, None)
    attempt = run.attempt or {}
    environment = {
        **{name: attempt.get(name) for name in ("device", "precision", "threads")},
        **run.details["environment"],
    }
    found: dict[tuple[str, str], str] = {}
    for part, settings in (
        ("configuration", spec),
        ("protocol", protocol),
        ("environment", environment),
    ):
        # An empty mapping is no setting: where others have some, a row of nothing would differ.
        found |= {
            (part, path): _words(value) for path, value in flatten(settings).items() if value != {}
        }
    return found | {("result", name): value for name, value in _results(run).items()}


def _results(run: Run) -> dict[str, str]:
    attempt = run.attempt or {}
    found = {"status": run.status}
    for selector, words in SELECTORS.items():
        value = run.selected(selector)
        if value is not None and not is_oracle(selector):
            found[f"test %, {words}"] = percent(value)
    for evaluation in run.details["evaluations"]:
        name = run.refiner(evaluation)
        if name == OFF:
            continue
        value = evaluation["test_accuracy"]
        found[f"test % under {name}"] = NONE if value is None else percent(value)
    memory = attempt.get("peak_memory_bytes")
    figures = {
        "seconds": (attempt.get("wall_s"), "{:.1f}"),
        "peak memory, MiB": (None if memory is None else memory / MIB, "{:.0f}"),
        "parameters": (attempt.get("n_parameters"), "{:,}"),
        "training samples processed": (attempt.get("samples"), "{:,}"),
        "error": (attempt.get("error") or None, "{}"),
    }
    return found | {
        name: form.format(value) for name, (value, form) in figures.items() if value is not None
    }


def differences(runs: Sequence[Run], *, all_rows: bool) -> pd.DataFrame:
    """A row a setting or result, a column a run.

    Args:
        runs: at least two.
        all_rows: False for only those rows in which runs differ.

    Returns:
        setting, a column for every run by its position (``run0``, ``run1``, ...), and part.
    """
    values = [everything(run) for run in runs]
    paths = dict.fromkeys(path for found in values for path in found)
    rows = []
    for part, setting in paths:
        cells = [found.get((part, setting), NONE) for found in values]
        if all_rows or len(set(cells)) > 1:
            rows.append([setting, *cells, part])
    order = ("result", "configuration", "protocol", "environment")
    rows.sort(key=lambda row: order.index(row[-1]))
    return pd.DataFrame(rows, columns=["setting", *(f"run{i}" for i in range(len(runs))), "part"])


def differences_table(frame: pd.DataFrame, headings: Sequence[str]) -> Shown:
    """Differences under the runs' names."""
    text = st.column_config.TextColumn
    columns = {
        "part": text("part", help="Result, configuration, protocol or environment."),
        "setting": text(
            "setting",
            width=min(width(frame["setting"]), MOST_PX),
            help="Settings inside others have dotted paths, as protocol.lr.",
        ),
    }
    for position, heading in enumerate(headings):
        columns[f"run{position}"] = text(heading, help=f"Of run {plain(heading)}.")
    return Shown(frame, columns)


def machines(runs: Sequence[Run]) -> str:
    """A sentence about where the runs were made, which may move figures within rounding."""
    known = [run for run in runs if run.details["environment"] and run.attempt]
    if len(known) < 2:
        return ""
    values: list[dict[str, Any]] = [
        {**(run.attempt or {}), **run.details["environment"]} for run in known
    ]
    differ = [
        words
        for name, words in MACHINE.items()
        if len({json.dumps(value.get(name), sort_keys=True) for value in values}) > 1
    ]
    changed = any(value["git_dirty"] for value in values)
    if differ:
        text = (
            f"The runs differ in {listing(differ, most=len(differ))}: differences within rounding "
            "may come from that."
        )
    else:
        text = "The runs were made on the same hardware, with the same packages and commit."
    if changed:
        text += (
            " Some had code with changes that were not committed, which the commit does not show."
        )
    return text


def _words(value: Any) -> str:
    if value is None:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

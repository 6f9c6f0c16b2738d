"""The tables of the page of runs: numbers stay numbers, and every column explains itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from bench.store.runs import GAIN_OF
from dashboard.data import OFF
from dashboard.exports import Shown
from dashboard.runs_data import Run
from dashboard.tables import LETTER_PX, MOST_PX, PADDING_PX

MIB = 2**20

SELECTORS = {
    "last": "last epoch",
    "last10": "last 10 epochs",
    "best-noisy-val": "best on noisy validation",
    "oracle-best-test": "best test epoch: oracle, not ranked",
}

EVERYTHING = dict(width="content", height="content")
"""Settings of a table that is shown whole."""


def is_oracle(selector: str) -> bool:
    """Whether a selector looks at test labels."""
    return selector.startswith("oracle")


def runs_table(page: pd.DataFrame, *, with_dataset: bool) -> Shown:
    """A row a run of one page of the list.

    Args:
        page: as ``read_page`` gives it.
        with_dataset: whether there is more than one data set to tell apart.
    """
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    frame = pd.DataFrame(
        {
            "key": page["short"],
            "method": page["method"],
            "noise": page["noise"],
            "dataset": page["dataset"],
            "seed": page["seed"],
            "status": page["status"],
            "accuracy": 100 * page["test_accuracy"],
            "gain": 100 * page["gain"],
            "seconds": page["wall_s"],
            "memory": page["peak_memory_bytes"] / MIB,
            "device": _device(page),
            "when": page["started_at"].map(_minute),
            "error": page["error"],
        }
    )
    columns = {
        "key": text("key", help="First digits of the training's key; enough to find it by."),
        "method": text("method", help="The method and parameters that differ."),
        "noise": text("noise", help="The noise and its parameters that differ."),
        "dataset": text("data set", help="The data set, with its sizes where it is a subset."),
        "seed": number("seed", format="%d", help="Of weights, batches and noise alike."),
        "status": text("status", help="Done, missing (not run yet), or how the last try ended."),
        "accuracy": number(
            "test, %", format="%.2f", help="Test accuracy after the last epoch, refiner off."
        ),
        "gain": number(
            f"gain of {GAIN_OF}",
            format="%+.2f",
            help=f"Test accuracy under {GAIN_OF} minus that of off, in percentage points, from the "
            "same trained weights.",
        ),
        "seconds": number(
            "seconds", format="%.1f", help="From start to end of the try that counts."
        ),
        "memory": number(
            "MiB",
            format="%.0f",
            help="Peak memory: of the device on an accelerator, of the process otherwise.",
        ),
        "device": text("device", help="Device and precision."),
        "when": text("started, UTC", help="When the try that counts began."),
        "error": text("error", width="large", help="Last line of a failure."),
    }
    unused = [name for name in ("gain", "memory") if frame[name].isna().all()]
    unused += [] if with_dataset else ["dataset"]
    unused += [] if frame["error"].any() else ["error"]
    return Shown(frame.drop(columns=unused), {k: v for k, v in columns.items() if k not in unused})


def _device(page: pd.DataFrame) -> pd.Series:
    pairs = zip(page["device"], page["precision"], strict=True)
    return pd.Series(
        [" ".join(str(word) for word in pair if word and not pd.isna(word)) for pair in pairs],
        dtype=object,
        index=page.index,
    )


def _minute(iso: object) -> str | None:
    """``2026-11-22 21:40``, which sorts as text."""
    return iso[:16].replace("T", " ") if isinstance(iso, str) else None


def evaluations_table(run: Run) -> Shown:
    """A row a refiner of one run, off first."""
    off = run.accuracy(OFF)
    rows = sorted(run.details["evaluations"], key=lambda row: run.refiner(row) != OFF)
    frame = pd.DataFrame(
        {
            "refiner": [run.refiner(row) for row in rows],
            "accuracy": _percents(row["test_accuracy"] for row in rows),
            "gain": _percents(
                None
                if off is None or row["test_accuracy"] is None or run.refiner(row) == OFF
                else row["test_accuracy"] - off
                for row in rows
            ),
            "validation": _percents(row["noisy_val_accuracy"] for row in rows),
            "k": pd.Series([row["k"] for row in rows], dtype="Int64"),
            "rank": pd.Series([row["rank"] for row in rows], dtype="Int64"),
            "seconds": pd.Series([row["wall_s"] for row in rows], dtype=float),
            "params": [_words(json.loads(row["params"])) for row in rows],
            "error": [row["error"] for row in rows],
        }
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns = {
        "refiner": text("refiner", pinned=True, help="The plug-in on the trained classifier."),
        "accuracy": number("test, %", format="%.2f", help="Test accuracy on the last weights."),
        "gain": number(
            "gain over off",
            format="%+.2f",
            help="In percentage points; both come from the same trained weights.",
        ),
        "validation": number(
            "noisy val., %", format="%.2f", help="Accuracy on held-out samples with given labels."
        ),
        "k": number("k", format="%d", help="The rank that was taken; none for some refiners."),
        "rank": number("rank", format="%d", help="Rank of the trained head."),
        "seconds": number("seconds", format="%.3f", help="That the refiner took."),
        "params": text("parameters", help="Of the refiner, all of them."),
        "error": text("error", width="large", help="Why there is no value."),
    }
    if not frame["error"].any():
        del frame["error"], columns["error"]
    return Shown(frame, columns)


def selections_table(run: Run, *, oracle: bool) -> Shown:
    """A row a selector, refiner off; the oracle only if it is asked for."""
    rows = [
        row for row in run.details["selections"] if oracle or not is_oracle(str(row["selector"]))
    ]
    order = {name: position for position, name in enumerate(SELECTORS)}
    rows.sort(key=lambda row: order.get(row["selector"], len(order)))
    frame = pd.DataFrame(
        {
            "selector": [SELECTORS.get(row["selector"], row["selector"]) for row in rows],
            "epoch": pd.Series([row["epoch"] for row in rows], dtype="Int64"),
            "accuracy": _percents(row["test_accuracy"] for row in rows),
        }
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return Shown(
        frame,
        {
            "selector": text(
                "accuracy at", help="Which epoch speaks for the run. An oracle uses test labels."
            ),
            "epoch": number(
                "epoch", format="%d", help="The epoch that was taken; the last of those averaged."
            ),
            "accuracy": number("test, %", format="%.2f", help="Test accuracy, refiner off."),
        },
    )


def attempts_table(attempts: Sequence[dict[str, Any]]) -> Shown:
    """A row a try, the first one first."""
    rows = list(attempts)
    memory = [row["peak_memory_bytes"] for row in rows]
    frame = pd.DataFrame(
        {
            "attempt": [row["attempt"] for row in rows],
            "status": [row["status"] for row in rows],
            "when": [_minute(row["started_at"]) for row in rows],
            "seconds": pd.Series([row["wall_s"] for row in rows], dtype=float),
            "memory": pd.Series(memory, dtype=float) / MIB,
            "device": [row["device"] for row in rows],
            "precision": [row["precision"] for row in rows],
            "threads": [row["threads"] for row in rows],
            "environment": [row["environment"] for row in rows],
            "error": [row["error"] for row in rows],
        }
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return Shown(
        frame,
        {
            "attempt": number("try", format="%d", help="Tries are counted from 1."),
            "status": text("status", help="How it ended; only one that is done has results."),
            "when": text("started, UTC", help="When it began."),
            "seconds": number("seconds", format="%.1f", help="From start to end."),
            "memory": number("MiB", format="%.0f", help="Peak memory of device or process."),
            "device": text("device", help="What it ran on."),
            "precision": text("precision", help="Of the forward and backward passes."),
            "threads": number("threads", format="%d", help="Of the CPU."),
            "environment": text("environment", width="medium", help="Code, Python and machine."),
            "error": text("error", width="large", help="Last line of the failure."),
        },
    )


def settings_table(settings: dict[str, Any], meaning: str) -> Shown:
    """A row a setting, nested ones under dotted paths.

    Args:
        settings: nested containers.
        meaning: of the values, for the column's help.
    """
    flat = flatten(settings)
    text = st.column_config.TextColumn
    return Shown(
        pd.DataFrame({"setting": list(flat), "value": [_words(value) for value in flat.values()]}),
        {
            "setting": text(
                "setting", width=width(flat), help="Settings inside others have dotted paths."
            ),
            "value": text("value", width="large", help=meaning),
        },
    )


def width(texts: Iterable[str]) -> int:
    """Pixels of a column that shows the longest of these texts, within reason."""
    longest = max(map(len, texts), default=0)
    return min(LETTER_PX * longest + PADDING_PX, MOST_PX)


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """Nested containers as dotted path -> value; lists and empty containers are values."""
    if not isinstance(value, dict) or not value:
        return {path: value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= flatten(inner, f"{path}.{name}" if path else str(name))
    return found


def _percents(values: Any) -> pd.Series:
    return 100 * pd.Series(list(values), dtype=float)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

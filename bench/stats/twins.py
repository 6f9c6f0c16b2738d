"""Heads trained on wrong labels beside their twins: same data, method and seed, true labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.subspace import (
    above_chance,
    chance_level,
    energy_rank,
    largest_sines,
    similarity,
    sine_bounds,
)

COLUMNS = [
    *("dataset", "noise", "method", "seed", "head", "kind", "rate", "is_clean", "values"),
    *("effective_rank", "right", "ridge"),
]
"""What ``heads`` must have, as ``store.structure.heads`` gives it: kind is the noise without its
parameters, rate the realised share of wrong labels, values the singular values, right ``(l, r)``,
ridge a mapping or None."""

TWIN = ["dataset", "method", "seed", "head"]
CELL = ["dataset", "noise", "method"]
ENERGY = 0.9
"""The rank at which one number is given holds this share of the clean head's energy."""


def validate(heads: pd.DataFrame) -> pd.DataFrame:
    """The heads, checked.

    Raises:
        ValueError: a column is missing, or a head is there twice.
    """
    missing = [column for column in COLUMNS if column not in heads]
    if missing:
        raise ValueError(f"heads lack the columns {missing}")
    if heads.duplicated(["noise", *TWIN]).any():
        raise ValueError("a head is there twice")
    return heads


def pairs(heads: pd.DataFrame) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(noisy, clean) of every head on wrong labels whose twin on true ones is there.

    Where several noises of a suite leave all labels true, the first one is the twin.
    """
    rows: list[dict[str, Any]] = [dict(row) for row in validate(heads).to_dict("records")]  # type: ignore[arg-type]
    clean: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["is_clean"]:
            clean.setdefault(tuple(row[key] for key in TWIN), row)
    found = []
    for row in rows:
        twin = clean.get(tuple(row[key] for key in TWIN))
        if twin is not None and not row["is_clean"]:
            found.append((row, twin))
    return found


def summary(heads: pd.DataFrame, energy: float = ENERGY) -> pd.DataFrame:
    """One row a cell on wrong labels, means over seeds and heads.

    Returns:
        dataset, noise, method, seeds, rate, effective_rank, clean_effective_rank, k (median over
        seeds of the rank that holds ``energy`` of the clean head), similarity, chance, above_chance
        and sine at that k (of the trained heads), ridge_sine and ridge_bound at the k of the ridge
        head of the true labels (NaN where there are none; the bound may be infinite).
    """
    rows = []
    for noisy, clean in pairs(heads):
        k = energy_rank(np.asarray(clean["values"]), energy)
        phi = similarity(clean["right"], noisy["right"])
        n_labels = len(clean["right"])
        entry = {key: noisy[key] for key in (*CELL, "seed", "rate", "effective_rank")}
        entry |= {
            "clean_effective_rank": clean["effective_rank"],
            "k": k,
            "similarity": phi[k - 1, k - 1],
            "chance": chance_level(phi.shape, n_labels)[k - 1, k - 1],
            "above_chance": above_chance(phi, n_labels)[k - 1, k - 1],
            "sine": largest_sines(clean["right"], noisy["right"])[k - 1],
        }
        sine, bound = _ridge_at(noisy["ridge"], energy)
        rows.append(entry | {"ridge_sine": sine, "ridge_bound": bound})
    numbers = ["rate", "effective_rank", "clean_effective_rank", "similarity", "chance"]
    numbers += ["above_chance", "sine", "ridge_sine", "ridge_bound"]
    if not rows:
        return pd.DataFrame(columns=[*CELL, "seeds", *numbers[:3], "k", *numbers[3:]])
    grouped = pd.DataFrame(rows).groupby(CELL, sort=False)
    frame = grouped[numbers].mean()
    frame.insert(0, "seeds", grouped["seed"].nunique())
    frame.insert(4, "k", grouped["k"].median().astype(int))
    return frame.reset_index()


def spectra(heads: pd.DataFrame) -> pd.DataFrame:
    """Singular values against position, means over seeds and heads; clean cells are included.

    Returns:
        dataset, noise, method, kind, is_clean, rate, position (from 1), value, relative (of the
        largest one).
    """
    rows = [
        {
            **{key: row[key] for key in (*CELL, "kind", "is_clean", "rate")},
            "position": position,
            "value": value,
            "relative": value / row["values"][0] if row["values"][0] > 0 else 0.0,
        }
        for row in validate(heads).to_dict("records")
        for position, value in enumerate(row["values"], start=1)
    ]
    columns = [*CELL, "kind", "is_clean", "rate", "position", "value", "relative"]
    frame = pd.DataFrame(rows, columns=columns)
    axes = [*CELL, "kind", "is_clean", "position"]
    return frame.groupby(axes, sort=False).mean().reset_index()[columns]


def ranks(heads: pd.DataFrame) -> pd.DataFrame:
    """Effective rank of every cell against its realised rate, with its spread over seeds.

    Returns:
        dataset, noise, method, kind, is_clean, rate, seeds, effective_rank, lowest, highest.
    """
    grouped = validate(heads).groupby([*CELL, "kind", "is_clean"], sort=False)
    frame = grouped.agg(
        rate=("rate", "mean"),
        seeds=("seed", "nunique"),
        effective_rank=("effective_rank", "mean"),
        lowest=("effective_rank", "min"),
        highest=("effective_rank", "max"),
    )
    return frame.reset_index()


def similarity_map(heads: pd.DataFrame) -> pd.DataFrame:
    """φ(i, j) of every noisy cell and its clean twin, means over seeds and heads.

    Returns:
        dataset, noise, method, i (directions of the clean head), j (of the noisy one), similarity,
        chance, above_chance (NaN where chance is 1).
    """
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for noisy, clean in pairs(heads):
        phi = similarity(clean["right"], noisy["right"])
        entry = sums.setdefault(tuple(noisy[k] for k in CELL), [np.zeros_like(phi), 0, 0])
        entry[0] += phi
        entry[1] += 1
        entry[2] = len(clean["right"])
    frames = []
    for cell, (total, count, n_labels) in sums.items():
        mean = total / count
        i, j = np.indices(mean.shape) + 1
        frame = pd.DataFrame(
            {
                "i": i.ravel(),
                "j": j.ravel(),
                "similarity": mean.ravel(),
                "chance": chance_level(mean.shape, n_labels).ravel(),
                "above_chance": above_chance(mean, n_labels).ravel(),
            }
        )
        frames.append(frame.assign(**dict(zip(CELL, cell, strict=True))))
    columns = [*CELL, "i", "j", "similarity", "chance", "above_chance"]
    return pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)


def angles(heads: pd.DataFrame) -> pd.DataFrame:
    """The largest principal angle at every k, means over seeds and heads.

    Returns:
        dataset, noise, method, k, sine (trained heads of the twins), ridge_sine (ridge heads of
        given and true labels on the same features) and ridge_bound (the bound on it; infinite where
        it says nothing for some seed). NaN where there is no twin, or no ridge head.
    """
    trained = {
        tuple(noisy[key] for key in ("noise", *TWIN)): largest_sines(clean["right"], noisy["right"])
        for noisy, clean in pairs(heads)
    }
    rows = []
    for row in validate(heads).to_dict("records"):
        if row["is_clean"]:
            continue
        sines = trained.get(tuple(row[key] for key in ("noise", *TWIN)))
        ridge = row["ridge"]
        bounds = None if ridge is None else _bounds(ridge)
        length = len(row["values"])
        for k in range(1, length + 1):
            rows.append(
                {
                    **{key: row[key] for key in CELL},
                    "k": k,
                    "sine": math.nan if sines is None else sines[k - 1],
                    "ridge_sine": _at(None if ridge is None else ridge["sines"], k),
                    "ridge_bound": _at(bounds, k),
                }
            )
    columns = [*CELL, "k", "sine", "ridge_sine", "ridge_bound"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.groupby([*CELL, "k"], sort=False).mean().reset_index()[columns]


def _at(values: Any, k: int) -> float:
    return math.nan if values is None or k > len(values) else float(values[k - 1])


def _bounds(ridge: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return sine_bounds(
        sigma_max=ridge["sigma_max"],
        lambda_min=ridge["lambda_min"],
        penalty=ridge["penalty"],
        label_change=ridge["label_change"],
        true_values=np.asarray(ridge["true_values"]),
        given_values=np.asarray(ridge["given_values"]),
    )


def _ridge_at(ridge: dict[str, Any] | None, energy: float) -> tuple[float, float]:
    if ridge is None:
        return math.nan, math.nan
    k = energy_rank(np.asarray(ridge["true_values"]), energy)
    return _at(ridge["sines"], k), _at(_bounds(ridge), k)

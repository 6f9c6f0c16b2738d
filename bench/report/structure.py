"""The singular structure of a suite's trained heads, as tables."""

from __future__ import annotations

import math

import pandas as pd

from bench.report.tables import Table
from bench.stats.twins import ENERGY, summary


def structure_tables(heads: pd.DataFrame) -> list[Table]:
    """Heads beside their clean twins, and ridge heads beside their bound; see ``stats.twins``."""
    found = summary(heads)
    return [_twins(found), _ridge(found)] if len(found) else []


def _twins(found: pd.DataFrame) -> Table:
    rows = tuple(
        (
            *_cell(entry),
            f"{entry['effective_rank']:.2f}",
            f"{entry['clean_effective_rank']:.2f}",
            str(entry["k"]),
            f"{entry['similarity']:.3f}",
            f"{entry['chance']:.3f}",
            _number(entry["above_chance"]),
            f"{entry['sine']:.3f}",
            str(entry["seeds"]),
        )
        for entry in found.to_dict("records")
    )
    return Table(
        "Trained heads beside their twins on true labels",
        (
            *("data set", "noise", "method", "wrong %", "eff. rank", "of twin"),
            *("k", "φ(k, k)", "chance", "above chance", "sin θ", "seeds"),
        ),
        rows,
        (
            "A twin has the same data, method and seed, and true labels. Effective rank is exp of "
            "the entropy of s²/Σs². k is the rank that holds "
            f"{100 * ENERGY:g} % of the twin's energy; φ(k, k) is the overlap of the first k right "
            "singular vectors (1 is equal, k / classes is chance), θ their largest principal "
            "angle. Means over seeds and heads.",
            "Symmetric noise leaves the right singular vectors where they are in expectation, so "
            "that a high φ under it shows nothing; asymmetric noise turns them.",
        ),
        prose=frozenset({"data set", "noise"}),
    )


def _ridge(found: pd.DataFrame) -> Table:
    known = found[found["ridge_sine"].notna()]
    rows = tuple(
        (
            *_cell(entry),
            f"{entry['ridge_sine']:.3f}",
            _bound(entry["ridge_bound"]),
            _factor(entry["ridge_sine"], entry["ridge_bound"]),
        )
        for entry in known.to_dict("records")
    )
    return Table(
        "Ridge heads of given and true labels on the same features, and the bound",
        ("data set", "noise", "method", "wrong %", "sin θ", "bound", "bound / sin θ"),
        rows,
        (
            "sin θ ≤ σ_max(X) √(n l p) / (δ (λ_min(XᵀX) + λ)), with n l p the exact change of the "
            "label matrix and δ the gap of Wedin's theorem. A sine is never above 1: a bound above "
            "1 says nothing about it. The method only gives the features here.",
        ),
        prose=frozenset({"data set", "noise"}),
    )


def _cell(entry: dict[object, object]) -> tuple[str, str, str, str]:
    rate = float(entry["rate"])  # type: ignore[arg-type]
    wrong = "–" if math.isnan(rate) else f"{100 * rate:.2f}"
    return str(entry["dataset"]), str(entry["noise"]), str(entry["method"]), wrong


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _bound(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "none"


def _factor(sine: float, bound: float) -> str:
    return f"{bound / sine:.2g}" if math.isfinite(bound) and sine > 0 else "–"

"""Whether a gain is LIP's own: the same trainings under the controls that would explain it.

A control changes the head without LIP's idea. Where one of them gains as much on the very same
trainings, the gain is the control's, whatever LIP did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.stats.frame import CELL
from bench.stats.gains import SMALLEST, paired
from bench.stats.groups import Array
from bench.stats.intervals import Interval, bootstrap, bootstraps

CONTROLS = {
    "psp": "truncation alone",
    "tail-constant": "the tail scaled, no labels",
    "recentre": "only the bias re-fitted",
    "ridge": "a ridge read-out",
    "random-basis": "re-fitted in random directions",
}
"""The controls by name, and what each of them does instead of LIP."""

ORDER = list(CONTROLS)

EVERY = "all methods"
"""The family that holds every method of a board."""

OWN, HARM, NO_GAIN, TOO_FEW = "LIP's own", "harm", "no gain", "too few cells"
ALSO, OPEN = "also by ", "open: no "
"""Beginnings of the other two verdicts; controls follow."""

ROUNDING = 1e-12
"""Far below what a test set resolves, far above what sums of shares leave."""

MEASURES = ["gain", "control_gain", "difference"]
BESIDE = ["control_gain", "difference", "difference_low", "difference_high"]
TRAINING = [*CELL, "seed"]


class Attribution(NamedTuple):
    """Whose the gains are, and what that was read from.

    Attributes:
        verdicts: a row a family and LIP variant: family, refiner, cells, unpaired, gain, low, high,
            best_control, control_gain, difference, difference_low, difference_high, verdict.
            ``best_control`` (empty where none ran) is the one of the highest mean: chosen after the
            fact, which favours the control. ``difference`` is the variant minus it on the cells
            that both have, which may be fewer than ``cells``; ``unpaired`` is that of the control
            that lacks most.
        beside: a row a family, variant and control: family, refiner, control, cells, unpaired
            (trainings with one of the two and not the other, which are left out), and of the
            variant's gain, the control's gain and their difference the mean and interval (``gain``,
            ``gain_low``, ``gain_high``, ``control_gain``, ...), all on the cells that both have.
    """

    verdicts: pd.DataFrame
    beside: pd.DataFrame


def base(label: str) -> str:
    """The refiner's name without the parameters that differ from its defaults."""
    return label.partition("(")[0]


def is_control(label: str) -> bool:
    """True for a refiner that explains a gain."""
    return base(label) in CONTROLS


def is_variant(label: str) -> bool:
    """True for LIP and its variants, whose names begin with it."""
    return base(label).partition("-")[0] == "lip"


def attribution(results: pd.DataFrame, families: Mapping[str, str]) -> Attribution:
    """Every LIP variant beside every control, by family of method, with a verdict.

    A training counts only if it has the variant, the control and ``off``; all three come from the
    same trained weights. Seeds are averaged inside a cell, intervals are bootstraps over cells (NaN
    below three). Where there is more than one family, ``all methods`` comes first; ``lip`` comes
    before its variants, and controls come in the order of ``CONTROLS``.

    Args:
        results: the tidy frame.
        families: family of every method in it.

    Raises:
        ValueError: the frame is not tidy, or a method has no family.
    """
    gains = paired(results)
    unknown = [method for method in dict.fromkeys(gains["method"]) if method not in families]
    if unknown:
        raise ValueError(f"no family is known of the method {unknown[0]!r}")
    verdicts, beside = [], []
    for family, group in _by_family(_trainings(gains), families) if len(gains) else []:
        labels = sorted(group.gains.columns[group.gains.notna().any()])
        controls = sorted(filter(is_control, labels), key=lambda name: ORDER.index(base(name)))
        variants = list(filter(is_variant, labels))
        compared = {
            (variant, control): _Pair.of(group, variant, control)
            for variant in variants
            for control in controls
        }
        # All at once, because draws of the bootstrap are most of the work and are the same for all.
        own, *measured = group.over_cells(
            [[group.column(variant) for variant in variants]]
            + [pair.measures for pair in compared.values()]
        )
        rows = dict(zip(compared, measured, strict=True))
        for variant, alone in zip(variants, own, strict=True):
            named = {"family": family, "refiner": variant}
            found = [
                _beside(control, compared[variant, control].unpaired, rows[variant, control])
                for control in controls
            ]
            beside += [named | row for row in found]
            verdicts.append(named | _judge(alone, found))
    columns = [f"{m}{end}" for m in MEASURES for end in ("", "_low", "_high")]
    return Attribution(
        pd.DataFrame(
            verdicts,
            columns=[
                *("family", "refiner", "cells", "unpaired", "gain", "low", "high", "best_control"),
                *(*BESIDE, "verdict"),
            ],
        ),
        pd.DataFrame(
            beside, columns=["family", "refiner", "control", "cells", "unpaired", *columns]
        ),
    )


def verdict(own: Interval, lower_bounds: Mapping[str, float]) -> str:
    """The answer in words, by a rule that was fixed beforehand: the first that holds.

    - ``too few cells``: fewer than three, so that there is no interval;
    - ``harm``: the interval of the variant's gain lies below 0;
    - ``no gain``: it holds 0;
    - ``also by A, B``: it lies above 0, but that of variant minus control does not for A and B;
    - ``open: no A, B``: it does for every control that ran, but A and B did not run, or have fewer
      than three cells in common with the variant;
    - ``LIP's own``: it does for every control.

    Args:
        own: the variant's gain over cells.
        lower_bounds: for every control that ran, the lower end of the interval of variant minus
            control; NaN where there is no interval.
    """
    if math.isnan(own.low):
        return TOO_FEW
    if own.high < 0:
        return HARM
    if own.low <= 0:
        return NO_GAIN
    also = [name for name, low in lower_bounds.items() if low <= 0]
    if also:
        return ALSO + ", ".join(also)
    beaten = {base(name) for name, low in lower_bounds.items() if low > 0}
    absent = [name for name in CONTROLS if name not in beaten]
    return OPEN + ", ".join(absent) if absent else OWN


class _Trainings(NamedTuple):
    """Gains as one row a training and one column a refiner, NaN where there is none.

    Attributes:
        cell: number of each training's cell, in the order in which cells first appear, on which
            the draws of the bootstrap depend.
    """

    gains: pd.DataFrame
    cell: Array

    def only(self, rows: Array) -> _Trainings:
        """Some of the trainings."""
        return _Trainings(self.gains[rows], self.cell[rows])

    def column(self, refiner: str) -> Array:
        """Gains of one refiner ``(trainings,)``."""
        return self.gains[refiner].to_numpy(dtype=float)

    def over_cells(self, groups: Sequence[Sequence[Array]]) -> list[list[Interval]]:
        """Seeds averaged inside a cell, then all cells, of every column in every group."""
        flat = iter(_intervals([self._cell_means(one) for group in groups for one in group]))
        return [[next(flat) for _ in group] for group in groups]

    def _cell_means(self, values: Array) -> Array:
        """Means of the cells that have a value; what rounding leaves is 0."""
        known = ~np.isnan(values)
        if not known.any():
            return np.empty(0)
        sums = np.bincount(self.cell[known], weights=values[known])
        counts = np.bincount(self.cell[known])
        means = sums[counts > 0] / counts[counts > 0]
        return np.where(np.abs(means) < SMALLEST, 0.0, means)


def _intervals(columns: Sequence[Array]) -> list[Interval]:
    """A bootstrap of each; those over equally many cells share their draws."""
    found = [bootstrap([])] * len(columns)
    for n in {len(column) for column in columns} - {0}:
        places = [place for place, column in enumerate(columns) if len(column) == n]
        many = bootstraps(np.stack([columns[place] for place in places]))
        for place, mean, low, high in zip(places, *many, strict=True):
            found[place] = Interval(_settled(mean), _settled(low), _settled(high), n)
    return found


def _settled(value: float) -> float:
    """0 for what rounding leaves of it, because verdicts ask on which side of 0 a bound lies."""
    return 0.0 if abs(value) < ROUNDING else float(value)


def _trainings(gains: pd.DataFrame) -> _Trainings:
    wide = gains.set_index([*TRAINING, "refiner"])["gain"].unstack("refiner")
    wide = wide.reindex(pd.MultiIndex.from_frame(gains[TRAINING].drop_duplicates()))
    cell = wide.groupby(level=CELL, sort=False).ngroup().to_numpy()
    return _Trainings(wide, cell)


def _by_family(gains: _Trainings, families: Mapping[str, str]) -> list[tuple[str, _Trainings]]:
    of = gains.gains.index.get_level_values("method").map(dict(families)).to_numpy()
    names = list(dict.fromkeys(of))
    whole = [(EVERY, gains)] if len(names) > 1 else []
    return [*whole, *((name, gains.only(of == name)) for name in names)]


def _judge(own: Interval, compared: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of ``Attribution.verdicts``, without its names."""
    known = [row for row in compared if row["cells"]]
    best = max(known, key=lambda row: float(row["control_gain"]), default={})
    return {
        "cells": own.n,
        "unpaired": max((row["unpaired"] for row in compared), default=0),
        "gain": own.mean,
        "low": own.low,
        "high": own.high,
        "best_control": best.get("control", ""),
        **{column: best.get(column, math.nan) for column in BESIDE},
        "verdict": verdict(own, {row["control"]: row["difference_low"] for row in compared}),
    }


class _Pair(NamedTuple):
    """One variant beside one control on the trainings that have both.

    Attributes:
        measures: gain, control's gain and difference ``(trainings,)`` each, NaN elsewhere.
        unpaired: trainings that have one of the two and not the other.
    """

    measures: list[Array]
    unpaired: int

    @classmethod
    def of(cls, gains: _Trainings, variant: str, control: str) -> _Pair:
        """Of two refiners."""
        one, other = gains.column(variant), gains.column(control)
        has_one, has_other = ~np.isnan(one), ~np.isnan(other)
        both = has_one & has_other
        measures = [np.where(both, values, np.nan) for values in (one, other, one - other)]
        return cls(measures, int((has_one ^ has_other).sum()))


def _beside(control: str, unpaired: int, found: Sequence[Interval]) -> dict[str, Any]:
    """One row of ``Attribution.beside``, without family and variant."""
    row: dict[str, Any] = {"control": control, "unpaired": unpaired}
    for measure, interval in zip(MEASURES, found, strict=True):
        row |= {"cells": interval.n, measure: interval.mean}
        row |= {f"{measure}_low": interval.low, f"{measure}_high": interval.high}
    return row

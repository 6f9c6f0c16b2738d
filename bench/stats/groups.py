"""Groups of rows as numbers, so that statistics go over all groups at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]

LARGEST = 2**62
"""Combined keys stay below this, so that they fit 64 bits."""


class Groups(NamedTuple):
    """Which group every row belongs to.

    Attributes:
        number: the group of each row ``(rows,)``, from 0 in the order of first appearance.
        first: the first row of each group ``(groups,)``, ascending.
    """

    number: Array
    first: Array

    @property
    def sizes(self) -> Array:
        """Rows of each group ``(groups,)``."""
        return np.bincount(self.number, minlength=len(self.first))

    def means(self, values: Array) -> Array:
        """Mean of each group ``(groups,)``."""
        sums = np.bincount(self.number, weights=values, minlength=len(self.first))
        return np.asarray(sums / np.maximum(self.sizes, 1))

    def by_size(self, *values: Array) -> Iterator[tuple[Array, list[Array]]]:
        """Groups of equal size as matrices.

        Yields:
            The numbers of the groups ``(m,)``, and for each argument its values ``(m, n)`` in the
            order of the rows.
        """
        order = np.argsort(self.number, kind="stable")
        sizes = self.sizes
        starts = np.cumsum(sizes) - sizes
        for size in np.unique(sizes):
            members = np.flatnonzero(sizes == size)
            places = order[starts[members][:, None] + np.arange(size)]
            yield members, [column[places] for column in values]


def codes(column: pd.Series) -> Array:
    """Equal values as equal whole numbers from 0 ``(rows,)``."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(column.cat.codes, dtype=np.int64) + 1
    return np.asarray(pd.factorize(column, use_na_sentinel=False)[0], dtype=np.int64)


def number(columns: Sequence[Array]) -> Groups:
    """Rows that agree in all columns are a group.

    Args:
        columns: at least one array of whole numbers from 0 ``(rows,)``, as ``codes`` gives them.
    """
    key, size = columns[0], _range(columns[0])
    for column in columns[1:]:
        width = _range(column)
        if size * width > LARGEST:
            key, size = _dense(key)
        key, size = key * width + column, size * width
    rows = np.arange(len(key))
    if size > 4 * len(key) + 1000:
        key, size = _dense(key)
    seen = np.full(size, -1)
    seen[key[::-1]] = rows[::-1]  # the last assignment stays: the first row of each key
    first = np.sort(seen[seen >= 0])
    seen[key[first]] = np.arange(len(first))
    return Groups(seen[key], first)


def plain(column: pd.Series) -> pd.Series:
    """A column of categories as a column of what they stand for; any other as it is."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype)
    return column


def _range(column: Array) -> int:
    return int(column.max(initial=0)) + 1


def _dense(key: Array) -> tuple[Array, int]:
    number, unique = pd.factorize(key)
    return np.asarray(number, dtype=np.int64), len(unique)

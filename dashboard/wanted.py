"""Which cells of a board a reader wants to see."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Wanted:
    """Names on the axes of a board; an empty tuple is all of an axis."""

    datasets: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of a frame with dataset, noise and method that are wanted."""
        axes = (("dataset", self.datasets), ("noise", self.noises), ("method", self.methods))
        for column, names in axes:
            if names:
                frame = frame[frame[column].isin(names)]
        return frame

    @property
    def is_everything(self) -> bool:
        """Nothing is filtered."""
        return self == EVERYTHING


EVERYTHING = Wanted()

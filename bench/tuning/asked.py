"""What a suite asks of tuning: its ``tuning:`` section."""

from __future__ import annotations

from pydantic import Field, model_validator

from bench.protocol import Strict
from bench.tuning.space import Range, Space

TUNED = "-tuned"
"""Ends the name of what the results of tuning are kept under; no other suite may be called so."""

FIRST_TRIAL_SEED = 1000
"""Trials have seeds of their own, far from those of any suite."""


class Searched(Strict):
    """Where a number of the protocol is searched."""

    low: float = Field(gt=0)
    high: float = Field(gt=0)
    log: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Searched:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class Tuning(Strict):
    """An equal budget for every method, and what is searched beside the methods' own parameters."""

    trials: int = Field(16, ge=1, description="configurations a method, its own values included")
    trial_seeds: int = Field(1, ge=1, description="trainings a configuration is judged by")
    lr: Searched | None = Field(None, description="where the learning rate is searched")
    weight_decay: Searched | None = Field(None, description="where the weight decay is searched")

    def protocol_space(self) -> Space:
        """What of the protocol is searched, for all methods that train a network."""
        asked = {"lr": self.lr, "weight_decay": self.weight_decay}
        return {
            name: Range(bounds.low, bounds.high, bounds.log)
            for name, bounds in asked.items()
            if bounds is not None
        }

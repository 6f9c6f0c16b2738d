"""Suites of methods that misbehave, and a way to compare two databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MISBEHAVING = '''"""Methods that go wrong, each in its own way."""

from __future__ import annotations

import os
import time

import torch

from bench.api import Method


class Base(Method):
    """Cross entropy until the second epoch."""

    paper = "none"

    def loss(self, batch):
        losses = torch.nn.functional.cross_entropy(self.logits(batch.x), batch.y, reduction="none")
        return self.go_wrong(losses) if self.epoch >= 1 else losses

    epoch = 0

    def on_epoch_end(self, epoch):
        self.epoch = epoch + 1


class Fine(Base):
    """Does nothing wrong."""

    name = "fine"

    def go_wrong(self, losses):
        return losses


class NaN(Base):
    """Diverges."""

    name = "goes-nan"

    def go_wrong(self, losses):
        return losses * float("nan")


class Raises(Base):
    """Raises."""

    name = "raises"

    def go_wrong(self, losses):
        print("about to raise")
        raise RuntimeError("deliberate")


class Exits(Base):
    """Ends its process."""

    name = "exits"

    def go_wrong(self, losses):
        os._exit(7)


class Hangs(Base):
    """Never returns."""

    name = "hangs"

    def go_wrong(self, losses):
        time.sleep(600)


class OutOfMemory(Base):
    """Runs out of device memory."""

    name = "hungry"

    def go_wrong(self, losses):
        raise torch.OutOfMemoryError("deliberate")
'''


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin file of methods that go wrong in their second epoch."""
    path = tmp_path_factory.mktemp("plugins") / "misbehaving.py"
    path.write_text(MISBEHAVING)
    return path


MEASURED = {
    "epochs": "epoch, train_loss, fit_given, fit_true, noisy_val_accuracy, test_accuracy, lr",
    "selections": "selector, epoch, test_accuracy",
    "evaluations": "evaluation_key, test_accuracy, noisy_val_accuracy, k, rank, curve, error",
    "spectra": "head, singular_values, effective_rank, refitted, right_vectors, ridge",
}
"""Everything a training measures but its times."""


@pytest.fixture
def measured() -> Callable[[Path], dict[str, list[tuple[Any, ...]]]]:
    """``measured(db)``: all results of a database, to the last bit, by table."""

    def read(path: Path) -> dict[str, list[tuple[Any, ...]]]:
        connection = sqlite3.connect(path)
        try:
            return {
                table: connection.execute(
                    f"SELECT t.training_key, {columns} FROM {table} r "
                    "JOIN trainings t ON t.id = r.training_id ORDER BY 1, 2, 3"
                ).fetchall()
                for table, columns in MEASURED.items()
            }
        finally:
            connection.close()

    return read

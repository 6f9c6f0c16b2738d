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
import signal
import time
from pathlib import Path

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


def first_time(name):
    """Whether nobody asked before, in any process."""
    try:
        Path(__file__).with_suffix("." + name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class OutOfMemoryOnce(Base):
    """Runs out of device memory as long as others use it too."""

    name = "hungry-once"

    def go_wrong(self, losses):
        if first_time("hungry"):
            raise torch.OutOfMemoryError("deliberate")
        return losses


class KilledOnce(Base):
    """Is chosen by the kernel when main memory runs out."""

    name = "killed-once"

    def go_wrong(self, losses):
        if first_time("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        return losses


class Leaks(Base):
    """Occupies more and more memory."""

    name = "leaks"

    def go_wrong(self, losses):
        held = [b"x" * 2**26 for _ in range(48)]
        time.sleep(600)
        return losses * len(held)


class Chatters(Base):
    """Prints without end."""

    name = "chatters"

    def go_wrong(self, losses):
        if first_time("chatters"):
            print("first words")
            for _ in range(64):
                print("x" * 2**20)
            print("last words")
        return losses


class Forks(Base):
    """Leaves a copy of its process behind, which goes on training, and one that sleeps."""

    name = "forks"

    def go_wrong(self, losses):
        if first_time("forks") and os.fork() and not os.fork():
            Path(__file__).with_suffix(".sleeper").write_text(str(os.getpid()))
            time.sleep(600)
        return losses


class Garbles(Base):
    """Writes into every pipe of its process."""

    name = "garbles"

    def go_wrong(self, losses):
        for handle in os.listdir("/proc/self/fd"):
            try:
                if "pipe" in os.readlink("/proc/self/fd/" + handle):
                    os.write(int(handle), b"[1]\\n")
            except OSError:
                continue
        return losses
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

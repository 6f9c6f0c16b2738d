"""A training that is stopped goes on from a file, bit for bit; a bad file is never gone on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from bench.errors import BenchError
from bench.execute import Machine, execute
from bench.plan import make_plan
from bench.records import EpochRecord, Outcome
from bench.registry import Registry, discover
from bench.spec import load_suite
from bench.training.checkpoints import MAGIC, Checkpoint, Saved, identity_of
from bench.training.keeping import Every, Interrupted, Keeping, every, kept
from bench.training_spec import TrainingSpec

SUITE = """
suite: kept
datasets: [digits]
noises: [{symmetric: {rate: 0.4}}]
methods: [METHOD]
refiners: [off, lip]
seeds: 1
protocol:
  backbone: {mlp: {width: 8, depth: 1}}
  epochs: 4
  batch_size: 256
  augmentation: [crop]
"""


CPU = torch.device("cpu")


@dataclass(frozen=True)
class Subject:
    """A training, and ways to run it that differ in what becomes of its checkpoints.

    Attributes:
        heard: epochs that the last run told of.
    """

    spec: TrainingSpec
    registry: Registry
    data_dir: Path
    folder: Path
    heard: list[int] = field(default_factory=list)

    @property
    def checkpoint(self) -> Checkpoint:
        """Its files."""
        return Checkpoint(self.folder, identity_of(self.spec, CPU, 1))

    def train(self, *, stop_after: int = 99, keep: bool = True, threads: int = 1) -> Outcome:
        """Train; asked to end after an epoch, it raises ``Interrupted``."""
        self.heard.clear()
        keeping = Keeping(self.folder, Every(epochs=1), lambda: stop_after in self.heard)

        def on_epoch(record: EpochRecord) -> None:
            self.heard.append(record.epoch)

        machine = Machine(self.data_dir, "cpu", threads)
        return execute(self.spec, self.registry, machine, on_epoch, keeping if keep else None)

    def stop(self, epoch: int) -> None:
        """Train up to an epoch, and leave a checkpoint of it and of the one before."""
        with pytest.raises(Interrupted):
            self.train(stop_after=epoch)


Make = Callable[..., Subject]


@pytest.fixture
def make(tmp_path: Path, data_dir: Path) -> Make:
    """``make(method, plugin=None)``: a short training of a method."""

    def made(method: str, plugin: Path | None = None) -> Subject:
        registry = discover([plugin] if plugin else [])
        suite = tmp_path / "suite.yaml"
        suite.write_text(SUITE.replace("METHOD", method))
        plan = make_plan(load_suite(str(suite), None, registry), registry, data_dir)
        return Subject(plan.trainings[0], registry, data_dir, tmp_path / "checkpoints")

    return made


def timeless(outcome: Outcome) -> Outcome:
    """Without what a clock or the operating system said."""
    return replace(
        outcome,
        started_at="",
        wall_s=0.0,
        train_s=None,
        peak_memory_bytes=None,
        epochs=tuple(replace(e, wall_s=0.0) for e in outcome.epochs),
        evaluations=tuple(replace(e, wall_s=0.0) for e in outcome.evaluations),
    )


# A plain one, two networks with averages and targets, an estimator with an optimiser of its own.


@pytest.mark.parametrize("method", ["ce", "elr-plus", "t-revision"])
def test_stopped_after_any_epoch_a_training_ends_as_the_undisturbed_one(
    method: str, make: Make
) -> None:
    subject = make(method)
    whole = subject.train(keep=False)
    assert whole.status == "done", whole.error
    for epoch in (2, 4):
        subject.stop(epoch)
        resumed = subject.train()
        assert subject.heard == list(range(epoch, 5))
        assert timeless(resumed) == timeless(whole)
        subject.checkpoint.remove()


def test_times_of_a_resumed_training_are_those_of_all_its_attempts(make: Make) -> None:
    subject = make("ce")
    subject.stop(2)
    saved = subject.checkpoint.load()
    assert saved is not None
    earlier = replace(saved, wall_s=1000.0, started_at="2020-01-01T00:00:00.000+00:00")
    earlier = replace(earlier, records=tuple(replace(r, wall_s=900.0) for r in saved.records))
    subject.checkpoint.save(replace(earlier, peak_memory_bytes=2**60))
    outcome = subject.train()
    assert 1000 < outcome.wall_s < 1100
    assert 900 < outcome.epochs[-1].wall_s < 1000
    assert outcome.started_at.startswith("2020")
    assert outcome.peak_memory_bytes == 2**60


def test_a_listener_that_is_gone_leaves_a_checkpoint_of_the_last_epoch(make: Make) -> None:
    subject = make("ce")

    class Gone(BaseException):
        pass

    def gone(record: EpochRecord) -> None:
        if record.epoch == 2:
            raise Gone

    keeping = Keeping(subject.folder, Every(minutes=60))
    machine = Machine(subject.data_dir, "cpu", 1)
    with pytest.raises(Gone):
        execute(subject.spec, subject.registry, machine, gone, keeping)
    saved = subject.checkpoint.load()
    assert saved is not None
    assert saved.epoch == 2


# ------------------------------------------------------------------------------- torn and foreign


def truncated(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


BAD: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "torn": truncated,
    "one bit": flipped,
    "header only": lambda content: content[: len(MAGIC) + 65],
    "something else": lambda content: b"PK\x03\x04 not ours",
}


@pytest.mark.parametrize("damage", BAD.values(), ids=BAD.keys())
def test_a_bad_checkpoint_falls_back_to_the_one_before(
    damage: Callable[[bytes], bytes], make: Make
) -> None:
    subject = make("ce")
    subject.stop(3)
    checkpoint = subject.checkpoint
    checkpoint.path.write_bytes(damage(checkpoint.path.read_bytes()))
    saved = checkpoint.load()
    assert saved is not None
    assert saved.epoch == 2
    assert not checkpoint.path.exists()  # it can never take the place of the good one


def test_two_bad_checkpoints_mean_a_training_from_the_start(make: Make) -> None:
    subject = make("ce")
    subject.stop(3)
    for path in (subject.checkpoint.path, subject.checkpoint.before):
        path.write_bytes(truncated(path.read_bytes()))
    outcome = subject.train()
    assert subject.heard == [1, 2, 3, 4]
    assert outcome.status == "done"


def test_a_training_with_other_threads_starts_anew(make: Make) -> None:
    subject = make("ce")
    subject.stop(2)
    subject.train(threads=2)
    assert subject.heard == [1, 2, 3, 4]


OWN = '''"""Methods that keep state in unusual places."""

from __future__ import annotations

from bench.api import Method


class Counting(Method):
    """Counts its epochs in a plain number."""

    name = "counting"
    paper = "none"

    def setup(self):
        self.seen = 0

    def loss(self, batch):
        import torch

        losses = torch.nn.functional.cross_entropy(self.logits(batch.x), batch.y, reduction="none")
        return losses / (1 + self.seen)

    def on_epoch_end(self, epoch):
        self.seen += 1


class Hiding(Counting):
    """Counts them in an object that nobody saves."""

    name = "hiding"

    def setup(self):
        self.box = {0}

    @property
    def seen(self):
        return len(self.box)

    def on_epoch_end(self, epoch):
        self.box.add(epoch + 1)
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A plugin file with those methods."""
    path = tmp_path / "own_state.py"
    path.write_text(OWN)
    return path


def test_a_plain_number_of_the_method_is_part_of_its_checkpoint(make: Make, own: Path) -> None:
    subject = make("counting", own)
    whole = subject.train(keep=False)
    subject.stop(2)
    assert timeless(subject.train()) == timeless(whole)
    assert subject.heard == [2, 3, 4]


def test_state_that_cannot_be_saved_means_no_checkpoint_rather_than_a_wrong_one(
    make: Make, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    subject = make("hiding", own)
    whole = subject.train(keep=False)
    subject.stop(2)
    assert "box is no part of the method's state_dict()" in caplog.text
    assert kept(subject.folder) == []
    assert timeless(subject.train()) == timeless(whole)
    assert subject.heard == [1, 2, 3, 4]


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    subject = make("ce")

    def full(self: Checkpoint, saved: Saved) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoint, "save", full)
    assert subject.train().status == "done"
    assert "No space left" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10min", Every(minutes=10)),
        ("0.5 min", Every(minutes=0.5)),
        ("5epochs", Every(epochs=5)),
        ("1 epoch", Every(epochs=1)),
        ("off", None),
    ],
)
def test_how_often_is_said_in_minutes_or_epochs(text: str, expected: Every | None) -> None:
    assert every(text) == expected


@pytest.mark.parametrize("text", ["", "10", "often", "0epochs", "2.5epochs", "-1min"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BenchError, match="10min, 5epochs, off"):
        every(text)

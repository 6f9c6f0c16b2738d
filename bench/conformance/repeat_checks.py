"""Does a training repeat, follow its seed, and resume?"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.conformance import fixture
from bench.conformance.compare import Trained, first_difference
from bench.conformance.result import Requirement
from bench.conformance.subject import MethodSubject
from bench.training.checkpoints import Checkpoint, CheckpointError, Saved, capture


def repeatable(subject: MethodSubject) -> str:
    """Guards the results database: the same training twice is bit-identical on a CPU."""
    difference = first_difference(subject.first.facts(), subject.train().facts())
    if difference:
        raise subject.failed(
            f"two trainings at one seed differ: {difference}. Draw from self.run.generator(...), "
            f"not from a generator of your own, the clock or the order of a set"
        )
    return "weights, belief and records bit-identical"


def seeded(subject: MethodSubject) -> str:
    """Guards the meaning of several seeds: another seed is another training."""
    if subject.cls.fits_at_once:  # type: ignore[attr-defined]
        return "solves for its weights; a seed changes only what it is given"
    # Nothing is held out, because which samples are held out follows the seed too.
    one, other = (subject.train(seed=seed, held_out=0.0).session.state_dict() for seed in (0, 1))
    if not first_difference(one, other):
        raise subject.failed(
            "seeds 0 and 1 end with the same weights; take batches from self.run.batches(), draws "
            "from self.run.generator(...), and leave the networks as they were initialised"
        )
    return "another seed, other weights"


def resumable(subject: MethodSubject) -> str:
    """Guards a stopped run: two epochs, saved and loaded, and two more equal four at a stretch."""
    half = subject.train(epochs=4, stop=2)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(Path(folder), {"key": "conformance"})
        checkpoint.save(Saved(capture(half.session), half.records, "", 0.0))
        try:
            saved = checkpoint.read(checkpoint.path)
        except CheckpointError as error:
            raise subject.failed(
                f"state_dict() may hold tensors, numbers, text and containers of them only "
                f"({str(error).splitlines()[0]})",
                "state_dict",
            ) from None
    session = fixture.session(subject.new(), epochs=4)
    # Of all that the file holds, what the method saves of itself must be enough.
    session.load_state_dict(saved.state["session"])
    resumed = Trained(session, (*saved.records, *session.epochs()))
    difference = first_difference(subject.train(epochs=4).facts(), resumed.facts())
    if difference:
        raise subject.failed(
            f"resumed after two of four epochs it is another training: {difference}. Only tensors, "
            f"modules and optimisers that setup() puts on self are saved; keep other state as a "
            f"tensor, or override state_dict() and load_state_dict()",
            "setup",
        )
    return "resumed equals uninterrupted, bit for bit"


REQUIREMENTS = (
    Requirement("repeats", repeatable, ("two epochs",)),
    Requirement("follows the seed", seeded, ("two epochs",)),
    Requirement("resumes", resumable, ("two epochs", "repeats")),
)

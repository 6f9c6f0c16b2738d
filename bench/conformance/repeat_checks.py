"""Does a training repeat, resume, and run on another device?"""

from __future__ import annotations

import io

import torch

from bench.conformance import fixture
from bench.conformance.compare import Trained, first_difference
from bench.conformance.fake_cuda import CUDA, DeviceMismatch, fake_cuda
from bench.conformance.result import Failed, Requirement, explain
from bench.conformance.subject import MethodSubject
from bench.records import RefinerSpec
from bench.refine.controls import Off
from bench.refine.evaluate import evaluate_refiners


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
    buffer = io.BytesIO()
    torch.save(half.session.state_dict(), buffer)
    buffer.seek(0)
    try:
        state = torch.load(buffer, weights_only=True)
    except Exception as error:
        raise subject.failed(
            f"state_dict() may hold tensors, numbers, text and containers of them only "
            f"({str(error).splitlines()[0]})",
            "state_dict",
        ) from None
    session = fixture.session(subject.new(), epochs=4)
    session.load_state_dict(state)
    resumed = Trained(session, (*half.records, *session.epochs()))
    difference = first_difference(subject.train(epochs=4).facts(), resumed.facts())
    if difference:
        raise subject.failed(
            f"resumed after two of four epochs it is another training: {difference}. Only tensors, "
            f"modules and optimisers that setup() puts on self are saved; keep other state as a "
            f"tensor, or override state_dict() and load_state_dict()",
            "setup",
        )
    return "resumed equals uninterrupted, bit for bit"


class _OnBelief(Off):
    """Asks for the method's belief, as some refiners do."""

    name = "off-belief"
    uses_belief = True


def on_fake_cuda(subject: MethodSubject) -> str:
    """Guards accelerators without having one: no tensor may be left on the CPU."""
    advice = "create tensors with device=self.run.device, or move them with .to(self.run.device)"
    with fake_cuda():
        try:
            session = subject.train(device=torch.device("cuda")).session
            belief = session.method.label_belief()
            if belief.device != CUDA:
                place = f"label_belief() returns a tensor on {belief.device}"
                raise subject.failed(f"{place}; {advice}", "label_belief")
            evaluate_refiners(session, [(RefinerSpec("", "", "", {}, ""), _OnBelief())])
        except (DeviceMismatch, TypeError) as error:
            raise Failed(f"{explain(error, subject.info)}; {advice}") from error
    return "two epochs, belief and heads without a tensor left on the CPU"


REQUIREMENTS = (
    Requirement("repeats", repeatable, ("two epochs",)),
    Requirement("follows the seed", seeded, ("two epochs",)),
    Requirement("resumes", resumable, ("two epochs", "repeats")),
    Requirement("fake CUDA", on_fake_cuda, ("linear heads", "label belief")),
)

"""Would a method run on an accelerator?"""

from __future__ import annotations

import torch

from bench.conformance.fake_cuda import CUDA, DeviceMismatch, fake_cuda
from bench.conformance.result import Failed, Requirement, explain
from bench.conformance.subject import MethodSubject
from bench.refine.controls import Off
from bench.refine.evaluate import evaluate_refiners
from bench.training_spec import RefinerSpec


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


REQUIREMENTS = (Requirement("fake CUDA", on_fake_cuda, ("linear heads", "label belief")),)

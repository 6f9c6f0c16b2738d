"""Does a method do what it declares, and does it learn?"""

from __future__ import annotations

import math
from typing import cast

from bench.api import KNOWLEDGE, USES, Method
from bench.conformance import (
    device_checks,
    head_checks,
    repeat_checks,
    secrecy_checks,
    selection_checks,
)
from bench.conformance.fixture import N_CLASSES
from bench.conformance.plugin_checks import COMMON
from bench.conformance.result import Requirement
from bench.conformance.subject import MethodSubject
from bench.errors import KnowledgeError

CLEAN_EPOCHS = 8
CHANCE = 1 / N_CLASSES
LEARNED = 2 * CHANCE
"""Training accuracy after ``CLEAN_EPOCHS`` on clean labels below which nothing was learned."""


def declarations(subject: MethodSubject) -> str:
    """Guards the badges: readers compare methods by what they are told and what they cost."""
    cls = cast("type[Method]", subject.cls)
    for attribute, valid in (("knows", KNOWLEDGE), ("uses", USES)):
        unknown = sorted(getattr(cls, attribute) - valid.keys())
        if unknown:
            raise subject.failed(f"{attribute} has {unknown[0]!r}; valid: {', '.join(valid)}")
    if not (math.isfinite(cls.cost) and cls.cost > 0):
        raise subject.failed(
            f"cost is {cls.cost!r}; it is the forward-and-backward passes a sample and epoch, "
            f"1.0 for plain cross entropy"
        )
    if cls.n_networks < 1 and not cls.fits_at_once:
        raise subject.failed(
            f"n_networks is {cls.n_networks}; a method trains at least one, unless fits_at_once"
        )
    if cls.n_networks > 1 and "two_networks" not in cls.uses:
        raise subject.failed("n_networks is above 1; declare uses = frozenset({'two_networks'})")
    if cls.n_networks > 1 and cls.predicts == Method.predicts:
        raise subject.failed("several networks: say in predicts how they make one prediction")
    told = ", ".join(sorted(cls.knows)) or "nothing"
    return f"told {told}; cost {cls.cost:g}"


def knowledge(subject: MethodSubject) -> str:
    """Guards fairness: what is declared is given and enough; anything else raises."""
    knows = subject.info.told(subject.params)
    try:
        known = subject.first.session.run.known
        for name in knows:
            getattr(known, name)
    except KnowledgeError:
        raise
    except Exception as error:  # another check names whatever else is wrong
        return f"asked for nothing else before {type(error).__name__}"
    return f"runs with {', '.join(knows) or 'no knowledge'}"


def smoke(subject: MethodSubject) -> str:
    """Guards the first two epochs on wrong labels: they end, with a finite loss and logits."""
    for record in subject.first.records:
        if type(record.train_loss) is not float or not math.isfinite(record.train_loss):
            raise subject.failed(
                f"train_epoch() returned {record.train_loss!r}; return the mean loss as a float",
                "train_epoch",
            )
    losses = ", ".join(f"{record.train_loss:.3f}" for record in subject.first.records)
    return f"loss {losses}"


def learns(subject: MethodSubject) -> str:
    """Guards against a method that trains nothing: on clean labels anything should learn.

    The loss may rise when a method changes its regime, so that it need only have fallen below the
    first epoch's in some later one; the accuracy is what the method is held to.
    """
    records = subject.train(epochs=CLEAN_EPOCHS, wrong=0.0).records
    losses = [float(record.train_loss or 0.0) for record in records]
    accuracy = records[-1].fit_given or 0.0
    curve = " ".join(f"{loss:.3f}" for loss in losses)
    if len(losses) > 1 and min(losses[1:]) >= losses[0]:
        raise subject.failed(
            f"the loss never fell in {CLEAN_EPOCHS} epochs on clean labels ({curve}); is it "
            f"attached to the graph, of the right sign, and what train_epoch() returns?",
            "loss",
        )
    if accuracy < LEARNED:
        raise subject.failed(
            f"training accuracy is {accuracy:.2f} after {CLEAN_EPOCHS} epochs on clean labels "
            f"(chance {CHANCE:.2f}, wanted {LEARNED:.2f}), though the loss fell ({curve})",
            "loss",
        )
    return f"loss {losses[0]:.3f} to {losses[-1]:.3f}, training accuracy {accuracy:.2f}"


REQUIREMENTS = (
    *COMMON,
    Requirement("declarations", declarations),
    Requirement("declared knowledge", knowledge),
    Requirement("two epochs", smoke, ("declared knowledge",)),
    Requirement("learns clean labels", learns, ("two epochs",)),
    *selection_checks.REQUIREMENTS,
    *repeat_checks.REQUIREMENTS,
    *head_checks.REQUIREMENTS,
    *device_checks.REQUIREMENTS,
    *secrecy_checks.REQUIREMENTS,
)

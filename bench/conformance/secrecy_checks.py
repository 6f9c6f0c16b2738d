"""Can a method come by the true training labels?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bench.api import KNOWLEDGE
from bench.conformance import fixture
from bench.conformance.reach import find
from bench.conformance.result import Requirement
from bench.conformance.subject import MethodSubject
from bench.errors import KnowledgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Array = np.ndarray[Any, Any]

KNOWN_SHARE = 0.95
"""Agreement with the true labels that nobody reaches by learning; the given ones reach 0.75."""


def clean_labels(subject: MethodSubject) -> str:
    """Guards honesty: asking raises, and no reference leads from the method to the true labels.

    The true labels of this check have nothing to do with the images, so that an array which agrees
    with them was not learned but taken.
    """
    train = fixture.unlearnable(fixture.images(fixture.N_TRAIN, seed=0))
    session = subject.train(train=train).session
    method = session.method
    for name in ("clean_labels", *(KNOWLEDGE.keys() - set(method.told()))):
        try:
            getattr(session.run.known, name)
        except KnowledgeError:
            continue
        raise subject.failed(f"self.run.known.{name} answers, though it is not declared")
    roots = [("method", method), *subject.kept_by_code()]
    secret = cast("Tensor", session._train_true)
    true, given = secret.cpu().numpy(), session.run.labels.cpu().numpy()
    way = find(roots, _tells_truth(true, given, train.labels))
    if way is not None:
        raise subject.failed(
            f"{way} holds the true training labels, or which labels are wrong; a method may use "
            f"only batches, self.run.labels and what it declares in knows"
        )
    return "asking raises; not reachable from the method"


def _tells_truth(true: Array, given: Array, everything: Array) -> Callable[[Array], bool]:
    """True for an array that is the true labels, or marks the samples whose label is wrong."""
    wrong = true != given
    marks = [wrong, ~wrong] if 0 < wrong.sum() < len(wrong) else []  # sets are neither

    def tells(array: Array) -> bool:
        if array.ndim == 2 and array.shape[1] == fixture.N_CLASSES:
            array = array.argmax(axis=1)
        array = array.reshape(-1)
        secrets = [true, *marks] if len(array) == len(true) else []
        secrets += [everything] if len(array) == len(everything) else []
        return any(float((array == secret).mean()) >= KNOWN_SHARE for secret in secrets)

    return tells


REQUIREMENTS = (Requirement("clean labels", clean_labels, ("two epochs",)),)

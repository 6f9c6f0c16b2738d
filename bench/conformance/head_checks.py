"""Can a refiner act on what a method has trained? The contract that LIP relies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench.conformance.compare import first_difference
from bench.conformance.fixture import N_CLASSES
from bench.conformance.result import Requirement
from bench.conformance.subject import MethodSubject
from bench.refine.controls import Off
from bench.refine.evaluate import evaluate_refiners
from bench.training.context import evaluating
from bench.training_spec import RefinerSpec

if TYPE_CHECKING:
    from bench.training.session import Session

SUM_TOLERANCE = 1e-4


def heads(subject: MethodSubject) -> str:
    """Guards refiners: a linear head on float32 features, and nothing after it."""
    session = subject.first.session
    networks = list(session.method.predictors())
    if not networks:
        raise subject.failed("predictors() is empty; give the networks that predict", "predictors")
    for position, network in enumerate(networks):
        place = f"predictors()[{position}]"
        head = getattr(network, "head", None)
        if not isinstance(head, nn.Linear) or head.bias is None:
            raise subject.failed(f"{place}.head is no nn.Linear with a bias", "predictors")
        if head.out_features != N_CLASSES:
            raise subject.failed(
                f"{place}.head has {head.out_features} outputs for {N_CLASSES} classes",
                "predictors",
            )
        with evaluating(network):
            x = _normalised(session)
            features, logits = network.features(x), network(x)
            expected = head(features)
        if features.shape != (len(x), head.in_features) or features.dtype != torch.float32:
            raise subject.failed(
                f"{place}.features(x) is {tuple(features.shape)} {features.dtype}, not "
                f"{(len(x), head.in_features)} float32",
                "predictors",
            )
        if logits.shape != expected.shape or not torch.allclose(logits, expected, atol=1e-5):
            raise subject.failed(
                f"{place}(x) is not head(features(x)); a refiner would change something else than "
                f"what predicts",
                "predictors",
            )
    return f"{len(networks)} linear head(s) of {networks[0].head.in_features} features"


def prediction(subject: MethodSubject) -> str:
    """Guards the pairing of on and off: ``logits`` must predict as the heads do, and repeatably."""
    session = subject.first.session
    saved = _copied(session.state_dict())
    whole = session.logits(session.test.inputs)
    if whole.shape != (len(session.test.labels), N_CLASSES) or not torch.isfinite(whole).all():
        raise subject.failed(
            f"logits(x) is {tuple(whole.shape)}, or not finite; expected (b, {N_CLASSES})", "logits"
        )
    single = torch.cat([session.logits(block) for block in session.test.inputs.blocks(7)])
    if not torch.allclose(whole, single, atol=1e-4):
        raise subject.failed(
            "logits(x) of a sample depends on the rest of its batch; a network of your own must be "
            "in predictors(), or be put into evaluation mode",
            "logits",
        )
    changed = first_difference(saved, session.state_dict())
    if changed:
        raise subject.failed(f"predicting changes the method's state: {changed}", "logits")
    spec = RefinerSpec("", Off.name, Off.name, {}, "")
    ((evaluation,), _) = evaluate_refiners(session, [(spec, Off())])
    measured = float((whole.argmax(1) == session.test.labels).float().mean())
    networks = session.method.predictors()
    with evaluating(*networks):
        x = _normalised(session)
        mean = torch.stack([network(x) for network in networks]).mean(0)
    agree = bool((mean.argmax(1) == whole.argmax(1)).all())
    if not agree or evaluation.test_accuracy is None:
        raise subject.failed(
            f"logits() predicts otherwise than the mean logits of predictors() (test accuracy "
            f"{measured:.4f}, by the heads {evaluation.test_accuracy}); override predictors(), "
            f"not logits()",
            "logits",
        )
    return f"heads reproduce the test accuracy {measured:.4f}"


def belief(subject: MethodSubject) -> str:
    """Guards refiners that use the belief: rows of shares, one for each training sample."""
    session = subject.first.session
    found = session.method.label_belief()
    expected = (session.run.n, N_CLASSES)
    if not isinstance(found, Tensor) or found.shape != expected or not found.is_floating_point():
        kind = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found)
        raise subject.failed(
            f"label_belief() is {kind}, not {expected} of floating point", "label_belief"
        )
    if not torch.isfinite(found).all() or found.min() < 0:
        raise subject.failed("label_belief() has a negative or infinite entry", "label_belief")
    sums = found.double().sum(1)
    off = int((sums - 1).abs().gt(SUM_TOLERANCE).sum())
    if off:
        raise subject.failed(
            f"{off} of {len(sums)} rows of label_belief() do not sum to 1 (sums from "
            f"{sums.min():.4f} to {sums.max():.4f}); divide by the row sum",
            "label_belief",
        )
    return "rows sum to 1"


def _normalised(session: Session) -> Tensor:
    """The test images as the method is given images."""
    return session.run.in_blocks(session.test.inputs, lambda x: x)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    return value


REQUIREMENTS = (
    Requirement("linear heads", heads, ("two epochs",)),
    Requirement("prediction", prediction, ("linear heads",)),
    Requirement("label belief", belief, ("two epochs",)),
)

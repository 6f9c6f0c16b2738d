"""All refiners of a training from one pass over its features."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.api import HeadPath, HeadProblem, Method, Refiner
from bench.errors import BenchError
from bench.rank_rules import parse_rule
from bench.records import CurvePoint, Evaluation, Spectrum
from bench.refine.spectrum import spectrum_of
from bench.refine.sums import FeatureSums
from bench.training.context import EVALUATION_BATCH, evaluating
from bench.training_spec import RefinerSpec

if TYPE_CHECKING:
    from bench.training.labelled import LabelledTensors
from bench.training.session import Session

log = logging.getLogger(__name__)

EVERYTHING, EVEN, ODD = slice(None), slice(0, None, 2), slice(1, None, 2)
"""Held-out samples, and their two halves; they are in random order."""


@dataclass(frozen=True)
class HeadFeatures:
    """What is kept of one head's features: training as sums, held-out and test as they are."""

    problem_given: HeadProblem
    problem_belief: HeadProblem | None
    problem_true: HeadProblem | None
    """With the true labels, where anybody knows them; for the audit of spectra, no refiner's."""
    label_change: float
    """``||Y - Y*||²_F`` of given and true label matrix; 0 without the latter."""
    noisy_val: Tensor | None
    held_labels: Tensor | None
    """Label matrix of the held-out samples ``(m, C)``."""
    test: Tensor


def evaluate_refiners(
    session: Session, refiners: Sequence[tuple[RefinerSpec, Refiner]]
) -> tuple[tuple[Evaluation, ...], tuple[Spectrum, ...]]:
    """Every refiner on the session's trained heads, and the heads' spectra."""
    wants_belief = any(refiner.uses_belief for _, refiner in refiners)
    heads = collect(session, wants_belief)
    evaluations = []
    refitted: list[dict[str, tuple[float, ...]]] = [{} for _ in heads]
    for spec, refiner in refiners:
        started = time.perf_counter()
        try:
            paths = [refiner.path(_problem(head, refiner, EVERYTHING)) for head in heads]
            evaluation = _evaluate(session, spec, refiner, heads, paths, started)
            for store, path in zip(refitted, paths, strict=True):
                if "refitted" in path.diagnostics:
                    store[spec.label] = tuple(path.diagnostics["refitted"].tolist())
        except Exception as error:  # a refiner's failure is a row, not the end of the training
            log.exception("refiner %s failed", spec.label)
            reason = f"{type(error).__name__}: {error}"
            evaluation = replace(_blank(spec, heads), error=reason)
        evaluations.append(evaluation)
    spectra = []
    for position, (head, fitted) in enumerate(zip(heads, refitted, strict=True)):
        spectra.append(
            spectrum_of(position, head.problem_given, head.problem_true, head.label_change, fitted)
        )
    return tuple(evaluations), tuple(spectra)


def collect(session: Session, wants_belief: bool) -> list[HeadFeatures]:
    """One feature pass for each head: Gram matrices of the training set in float64, streamed."""
    method: Method = session.method
    belief = method.label_belief() if wants_belief else None
    networks = list(method.predictors())
    with evaluating(*session.networks, *networks):
        return [_collect_head(session, network, belief) for network in networks]


def _collect_head(session: Session, network: object, belief: Tensor | None) -> HeadFeatures:
    head: torch.nn.Linear = network.head  # type: ignore[attr-defined]
    features = network.features  # type: ignore[attr-defined]
    n_classes, q = head.weight.shape
    weight, bias = head.weight.detach().T.double(), head.bias.detach().double()
    n = session.run.n
    targets = {"given": session.run.candidates}
    if belief is not None:
        targets["belief"] = belief
    true = session.true_label_matrix()
    if true is not None:
        targets["true"] = true
    sums = FeatureSums(q, n_classes, session.device)
    label_change = torch.zeros((), dtype=torch.float64, device=session.device)
    inputs = session.train_given.inputs
    for block in inputs.ahead(torch.split(torch.arange(n), EVALUATION_BATCH)):
        x = session.run.in_blocks(inputs[block], features)
        sums.add(x, {name: target[block] for name, target in targets.items()})
        if true is not None:
            label_change += (targets["given"][block] - true[block]).square().sum()
    gram = sums.gram()
    problems = {name: sums.problem(name, weight, bias, gram) for name in targets}
    if belief is not None:
        # Beliefs are no whole numbers, so that the order of the sum matters: as it always was.
        whole = belief.double()
        problems["belief"] = replace(
            problems["belief"], label_sum=whole.sum(0), label_gram=whole.T @ whole
        )
    held = session.noisy_val
    return HeadFeatures(
        problems["given"],
        problems.get("belief"),
        problems.get("true"),
        float(label_change),
        None if held is None else session.run.in_blocks(held.inputs, features),
        None if held is None else _label_matrix(held, n_classes),
        session.run.in_blocks(session.test.inputs, features),
    )


def _label_matrix(labelled: LabelledTensors, n_classes: int) -> Tensor:
    """``(m, C)`` float64 with 1 at every label that may be true."""
    if labelled.candidates is not None:
        return labelled.candidates.double()
    return torch.nn.functional.one_hot(labelled.labels, n_classes).double()


def _problem(head: HeadFeatures, refiner: Refiner, half: slice) -> HeadProblem:
    """What the refiner is given; ``half`` says which held-out samples, if it wants such."""
    problem = head.problem_given
    if refiner.uses_belief:
        if head.problem_belief is None:
            raise BenchError(f"{refiner.name} needs the method's label_belief()")
        problem = head.problem_belief
    if not refiner.uses_held_out:
        return problem
    if head.noisy_val is None or head.held_labels is None:
        raise BenchError(
            f"{refiner.name} needs held-out samples; set protocol.noisy_validation above 0"
        )
    x, y = head.noisy_val[half].double(), head.held_labels[half]
    sums = (x.T @ x, x.T @ y, x.sum(0), y.sum(0), len(x))
    held = HeadProblem(problem.weight, problem.bias, *sums, label_gram=y.T @ y)
    return replace(problem, held=held)


def _held_out_accuracies(
    session: Session, refiner: Refiner, heads: list[HeadFeatures], paths: list[HeadPath]
) -> list[float] | None:
    """Accuracy on held-out given labels at every k.

    A refiner that learned from held-out samples is judged on the half that it was not given.
    """
    held = session.noisy_val
    features = [head.noisy_val for head in heads if head.noisy_val is not None]
    if held is None:
        return None
    if not refiner.uses_held_out:
        return _accuracies(paths, features, held)
    hits = torch.zeros(len(paths[0].ks), dtype=torch.float64)
    for fitted, judged in ((EVEN, ODD), (ODD, EVEN)):
        halves = [refiner.path(_problem(head, refiner, fitted)) for head in heads]
        part = held.at(judged)
        found = _accuracies(halves, [x[judged] for x in features], part)
        hits += torch.tensor(found, dtype=torch.float64) * len(part.labels)
    return [float(value) for value in hits / len(held.labels)]


def _evaluate(
    session: Session,
    spec: RefinerSpec,
    refiner: Refiner,
    heads: list[HeadFeatures],
    paths: list[HeadPath],
    started: float,
) -> Evaluation:
    ks = paths[0].ks
    if any(path.ks != ks for path in paths):
        raise BenchError(f"{refiner.name}: heads have paths over different k")
    for name in ("left", "right", "scale", "bias"):
        if not all(bool(torch.isfinite(getattr(path, name)).all()) for path in paths):
            raise BenchError(f"{refiner.name}: {name} of the refined heads holds NaN or infinity")
    test = _accuracies(paths, [head.test for head in heads], session.test)
    val = _held_out_accuracies(session, refiner, heads, paths)
    position = 0
    if len(ks) > 1:
        rule = parse_rule(getattr(refiner, "k", "noisy-val"))
        n_val = 0 if session.noisy_val is None else len(session.noisy_val.labels)
        values = torch.linalg.svdvals(heads[0].problem_given.weight).cpu().numpy()
        position = rule.choose(ks, np.asarray(values, dtype=np.float64), val, n_val)
    return replace(
        _blank(spec, heads),
        test_accuracy=test[position],
        noisy_val_accuracy=None if val is None else val[position],
        k=ks[position] if refiner.has_rank else None,
        wall_s=time.perf_counter() - started,
        curve=tuple(
            CurvePoint(k, None if val is None else val[i], test[i]) for i, k in enumerate(ks)
        )
        if refiner.has_rank
        else (),
    )


def _accuracies(
    paths: list[HeadPath], features: list[Tensor], labelled: LabelledTensors
) -> list[float]:
    """Accuracy at every k, with the heads' logits averaged; float32 on the session's device."""
    projected = [x @ path.left.float() for x, path in zip(features, paths, strict=True)]
    hits = []
    for position in range(len(paths[0].ks)):
        logits = sum(
            (p * path.scale[position].float()) @ path.right.float().T + path.bias[position].float()
            for p, path in zip(projected, paths, strict=True)
        )
        hits.append(labelled.hits(logits.argmax(1)).sum())  # type: ignore[union-attr]
    return [int(count) / len(labelled.labels) for count in torch.stack(hits).tolist()]


def _blank(spec: RefinerSpec, heads: list[HeadFeatures]) -> Evaluation:
    """What is known of an evaluation before it was tried."""
    return Evaluation(
        key=spec.evaluation_key,
        refiner=spec.name,
        label=spec.label,
        params=spec.params,
        source_sha=spec.source_sha,
        test_accuracy=None,
        noisy_val_accuracy=None,
        k=None,
        rank=min(heads[0].problem_given.weight.shape),
        wall_s=0.0,
    )

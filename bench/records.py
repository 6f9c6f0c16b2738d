"""What a training gives: epochs, evaluations, heads and how it ended; typed, plain JSON on disk."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

STATUSES = ("done", "failed", "diverged", "oom", "timeout", "crashed", "interrupted")
"""How an attempt can end. Only ``done`` counts as a result."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch's measurements; accuracies are shares in 0..1, None where not measured.

    Attributes:
        epoch: from 1.
        train_loss: mean over the epoch, as the method reports it.
        fit_given: accuracy on training samples against the labels as given.
        fit_true: accuracy on the same samples against the true labels (audit only).
        noisy_val_accuracy: on the held-out samples against their given labels; for candidate sets
            the covering rate, the share of predictions inside the set.
        test_accuracy: on the clean test set; selects nothing.
        lr: learning rate during the epoch.
        wall_s: seconds since the training started.
        approximated_accuracy: on held-out candidate sets, the mean probability of the prediction
            among the candidates (Wang et al., ICLR 2025); None for single labels.
        selected_share: share of the training samples that the method reported to learn from as
            rightly labelled; None where it reported nothing, and for candidate sets.
        selection_precision: share of those whose given label is the true one (audit only); None
            also where nobody knows the true labels, or none was selected.
        selection_recall: share of the rightly labelled that was selected (audit only).
    """

    epoch: int
    train_loss: float | None
    fit_given: float | None
    fit_true: float | None
    noisy_val_accuracy: float | None
    test_accuracy: float
    lr: float
    wall_s: float
    approximated_accuracy: float | None = None
    selected_share: float | None = None
    selection_precision: float | None = None
    selection_recall: float | None = None


@dataclass(frozen=True)
class CurvePoint:
    """A refined head at one rank, all heads of the method together."""

    k: int
    noisy_val_accuracy: float | None
    test_accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """A training under one refiner, on its last weights.

    Attributes:
        key: content hash of training, refiner, parameters and source.
        k: the chosen rank; None for a refiner without one.
        rank: rank of the trained head.
        curve: every rank, so that choices can be audited.
        error: why there is no result; empty when there is one.
    """

    key: str
    refiner: str
    label: str
    params: dict[str, Any]
    source_sha: str
    test_accuracy: float | None
    noisy_val_accuracy: float | None
    k: int | None
    rank: int
    wall_s: float
    curve: tuple[CurvePoint, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class RidgeTwins:
    """Two ridge heads on the same features: of the given training labels, and of the true ones.

    This is the setting of the bound on how far label noise can turn a subspace (arXiv 2505.16159):
    ``W = (XᵀX + λ I)⁻¹ XᵀY`` without intercept, once for Y as given and once as it should be. An
    audit: true labels reach no method by it.

    Attributes:
        penalty: λ.
        sigma_max: largest singular value of X.
        lambda_min: smallest eigenvalue of ``XᵀX``.
        label_change: ``||Y - Y*||²_F``, which is 2 for every wrong single label.
        true_values: singular values of the head of the true labels, descending.
        given_values: of the head of the given labels.
        sines: sine of the largest principal angle between the first k right singular vectors of
            both, for k = 1..rank.
    """

    penalty: float
    sigma_max: float
    lambda_min: float
    label_change: float
    true_values: tuple[float, ...]
    given_values: tuple[float, ...]
    sines: tuple[float, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RidgeTwins:
        """From plain containers."""
        lists = ("true_values", "given_values", "sines")
        return cls(**{**data, **{name: tuple(data[name]) for name in lists}})


@dataclass(frozen=True)
class Spectrum:
    """Singular values and vectors of one trained head.

    Attributes:
        head: position among the method's heads.
        singular_values: descending.
        effective_rank: exp of the entropy of s²/Σs².
        refitted: refiner label -> its re-fitted singular values s*, where it gives any.
        right: right singular vectors ``(C, r)``, a row a class.
        ridge: the ridge heads on its features; None where nobody knows the true labels.
    """

    head: int
    singular_values: tuple[float, ...]
    effective_rank: float
    refitted: dict[str, tuple[float, ...]] = field(default_factory=dict)
    right: tuple[tuple[float, ...], ...] = ()
    ridge: RidgeTwins | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Spectrum:
        """From plain containers."""
        ridge = data["ridge"]
        return cls(
            **{
                **data,
                "singular_values": tuple(data["singular_values"]),
                "right": tuple(map(tuple, data["right"])),
                "ridge": None if ridge is None else RidgeTwins.from_json(ridge),
            }
        )


@dataclass(frozen=True)
class Environment:
    """Where a training ran; differences between rows are said when results are compared."""

    git_commit: str
    git_dirty: bool
    python: str
    platform: str
    cpu: str
    cores: int
    accelerator: str
    packages: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """How one attempt at a training ended, with everything it measured.

    Attributes:
        key: the training's key.
        status: one of ``STATUSES``.
        started_at: UTC, ISO 8601.
        wall_s: seconds from start to end, data loading included.
        train_s: seconds spent in epochs, evaluation of curves included.
        peak_memory_bytes: of the device on an accelerator, of the process otherwise.
        samples: training samples processed, views and networks not counted.
        precision: resolved, ``fp32`` or ``bf16``.
        error: last line of the failure; traceback: its tail.
        log: path of the attempt's log, from the database's folder.
    """

    key: str
    status: str
    started_at: str
    wall_s: float
    device: str
    precision: str
    threads: int
    environment: Environment | None
    train_s: float | None = None
    peak_memory_bytes: int | None = None
    samples: int = 0
    n_parameters: int | None = None
    epochs: tuple[EpochRecord, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    error: str = ""
    traceback: str = ""
    log: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that went wrong, a sentence each: the training, or single refiners."""
        if self.status != "done":
            return (f"{self.status}: {self.error}",)
        return tuple(f"refiner {e.label}: {e.error}" for e in self.evaluations if e.error)

    def dumps(self) -> str:
        """JSON; a value that is not finite becomes null."""
        return json.dumps(_finite(asdict(self)), allow_nan=False)

    @classmethod
    def loads(cls, text: str) -> Outcome:
        """The inverse of ``dumps``.

        Raises:
            ValueError, KeyError, TypeError: the text is no outcome.
        """
        data = json.loads(text)
        if data["status"] not in STATUSES:
            raise ValueError(f"unknown status {data['status']!r}")
        environment = data["environment"]
        return cls(
            **{
                **data,
                "environment": Environment(**environment) if environment else None,
                "epochs": tuple(EpochRecord(**epoch) for epoch in data["epochs"]),
                "evaluations": tuple(
                    Evaluation(**{**e, "curve": tuple(CurvePoint(**p) for p in e["curve"])})
                    for e in data["evaluations"]
                ),
                "spectra": tuple(Spectrum.from_json(s) for s in data["spectra"]),
            }
        )


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value

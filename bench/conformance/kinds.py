"""Which checks each kind of plugin goes through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.conformance import (
    backbone_checks,
    dataset_checks,
    method_checks,
    noise_checks,
    refiner_checks,
)
from bench.conformance.result import Requirement
from bench.conformance.subject import MethodSubject, Subject

KINDS: dict[str, tuple[type[Subject], Sequence[Requirement[Any]]]] = {
    "method": (MethodSubject, method_checks.REQUIREMENTS),
    "dataset": (dataset_checks.DatasetSubject, dataset_checks.REQUIREMENTS),
    "noise": (noise_checks.NoiseSubject, noise_checks.REQUIREMENTS),
    "refiner": (Subject, refiner_checks.REQUIREMENTS),
    "backbone": (backbone_checks.BackboneSubject, backbone_checks.REQUIREMENTS),
}

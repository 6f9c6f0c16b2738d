"""A method under examination: fresh instances of it and short trainings on the fixture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from bench.conformance import fixture
from bench.conformance.compare import Trained
from bench.conformance.result import Failed, origin_of

if TYPE_CHECKING:
    from bench.api import Method
    from bench.registry import PluginInfo, Registry
    from bench.training.session import Session


@dataclass(frozen=True)
class MethodSubject:
    """One method of a registry."""

    registry: Registry
    info: PluginInfo

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cache", {})

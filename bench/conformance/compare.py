"""Bit-for-bit comparison of what two trainings ended with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from bench.records import EpochRecord
from bench.training.session import Session


@dataclass(frozen=True)
class Trained:
    """A session and the records of the epochs it has trained."""

    session: Session
    records: tuple[EpochRecord, ...]

    def facts(self) -> dict[str, Any]:
        """Everything that must repeat: state, belief and measurements, wall time left out."""
        return {
            "state": self.session.state_dict(),
            "label_belief": self.session.method.label_belief(),
            "epochs": [{**asdict(record), "wall_s": 0.0} for record in self.records],
        }


def first_difference(one: Any, other: Any) -> str:
    """Where two nested containers first differ, in words; empty when they are bit-equal."""
    left, right = dict(_leaves(one)), dict(_leaves(other))
    for path in left.keys() ^ right.keys():
        return f"{path} is there only once"
    for path, value in left.items():
        difference = _unlike(value, right[path])
        if difference:
            return f"{path}: {difference}"
    return ""


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for position, item in enumerate(value):
            yield from _leaves(item, f"{path}[{position}]")
    else:
        yield path, value


def _unlike(one: Any, other: Any) -> str:
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return "" if repr(one) == repr(other) else f"{one!r} and {other!r}"
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{tuple(one.shape)} {one.dtype} and {tuple(other.shape)} {other.dtype}"
    if torch.equal(_bytes(one), _bytes(other)):
        return ""
    return f"they differ by up to {float((one.double() - other.double()).abs().max()):.3g}"


def _bytes(tensor: Tensor) -> Tensor:
    """The memory of a tensor, in which even NaN equals itself."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)

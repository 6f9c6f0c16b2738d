"""Methods by name on the small planted data of the conformance kit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.conformance import fixture
from bench.execute import build_session
from bench.registry import Registry
from bench.training.session import Session
from bench.training_spec import TrainingSpec


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny tensors are quicker on one thread; global generators are left as they were."""
    with fixture.undisturbed():
        yield


@pytest.fixture
def planted(registry: Registry) -> Callable[..., Session]:
    """``planted("elr", epochs=2, wrong=0.25, beta=0.9)`` is a session before its first epoch.

    144 images of four classes (``bench/conformance/fixture.py``), of which ``wrong`` have a planted
    wrong label; other keywords are the method's parameters. ``session._train_true`` holds the true
    labels, which the method never sees.
    """

    def build(
        name: str, *, epochs: int = 2, wrong: float = fixture.WRONG, **params: Any
    ) -> Session:
        info = registry.get("method", name)
        method = registry.create("method", name, info.resolve(params))
        return fixture.session(method, epochs=epochs, wrong=wrong)

    return build


@pytest.fixture
def draws() -> torch.Generator:
    """A seeded generator."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def last_accuracy(data_dir: Path) -> Callable[[TrainingSpec, Registry], float]:
    """``last_accuracy(training, registry)``: test accuracy after the last epoch, on one thread."""

    def last(training: TrainingSpec, registry: Registry) -> float:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            session = build_session(training, registry, data_dir, torch.device("cpu"))
            return [record.test_accuracy for record in session.epochs()][-1]
        finally:
            torch.set_num_threads(threads)

    return last

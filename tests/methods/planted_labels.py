"""Which labels of a planted session are right, and a session that was trained."""

from __future__ import annotations

import torch

from bench.training.session import Session


def right(session: Session) -> torch.Tensor:
    """Which given labels are the true ones, bool ``(n,)``."""
    return session.run.labels == session._train_true


def trained(session: Session) -> Session:
    """The session after its last epoch."""
    list(session.epochs())
    return session

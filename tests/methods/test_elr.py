"""ELR: targets that average predictions, and a regulariser that holds wrong labels back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from bench.api import Batch
from bench.training.session import Session

Planted = Callable[..., Session]


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def on_logits(session: Session) -> None:
    """Let the method take a batch's inputs as its logits."""
    session.method.logits = lambda x: x  # type: ignore[method-assign]


def test_targets_are_the_moving_average_of_predictions(planted: Planted) -> None:
    session = planted("elr", beta=0.7)
    method = session.method
    on_logits(session)
    rng = np.random.default_rng(0)
    expected = np.zeros((session.run.n, 4))
    for _ in range(6):
        index = rng.permutation(session.run.n)[:40]
        z = rng.normal(0, 3, (40, 4))
        p = softmax(z).clip(1e-4, 1 - 1e-4)
        expected[index] = 0.7 * expected[index] + 0.3 * p / p.sum(1, keepdims=True)
        rows = torch.from_numpy(index)
        method.loss(Batch(torch.from_numpy(z).float(), session.run.labels[rows], rows))
    np.testing.assert_allclose(method.targets.numpy(), expected, atol=1e-6)
    seen = expected.sum(1) > 0
    shares = expected[seen] / expected[seen].sum(1, keepdims=True)
    np.testing.assert_allclose(method.label_belief().numpy()[seen], shares, atol=1e-5)


def test_the_regulariser_pulls_away_from_a_wrong_label_after_early_learning(
    planted: Planted,
) -> None:
    """With a target on class 1 and the wrong label 0, CE raises logit 0 and ELR's term lowers it.

    The term's gradient is ``-λ p_k (t_k - ⟨t, p⟩) / (1 - ⟨t, p⟩)``, derived by hand.
    """
    gradients = {}
    target = np.array([[0.03, 0.91, 0.03, 0.03]])
    z = np.array([[1.0, 1.5, 0.0, -0.5]])
    for lam in (0.0, 3.0):
        session = planted("elr", beta=0.0, lam=lam)
        on_logits(session)
        x = torch.from_numpy(z).float().requires_grad_()
        method = session.method
        method.beta = 0.999999  # the target stays where it is put
        method.targets[0] = torch.from_numpy(target[0]).float()
        method.loss(Batch(x, torch.tensor([0]), torch.tensor([0]))).sum().backward()
        assert x.grad is not None
        gradients[lam] = x.grad.double().numpy()
    p = softmax(z)
    agreement = (p * target).sum()
    expected = -3.0 * p * (target - agreement) / (1 - agreement)
    found = gradients[3.0] - gradients[0.0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert gradients[0.0][0, 0] < 0 < found[0, 0]
    assert found[0, 1] < 0


def test_belief_is_the_given_label_before_anything_was_seen(planted: Planted) -> None:
    session = planted("elr")
    assert torch.equal(session.method.label_belief().argmax(1), session.run.labels)


def test_targets_come_closer_to_the_truth_than_the_labels(planted: Planted) -> None:
    session = planted("elr", epochs=6, wrong=0.25)
    list(session.epochs())
    true = session._train_true
    belief = session.method.label_belief().argmax(1)
    assert (belief == true).float().mean() > (session.run.labels == true).float().mean() + 0.1

"""What ProMix claims."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from bench.training.session import Session

Planted = Callable[..., Session]


def test_promix_chooses_the_smallest_losses_of_each_class(planted: Planted) -> None:
    session = planted("promix")
    labels = session.run.labels
    logits = torch.randn(session.run.n, 4, generator=torch.Generator().manual_seed(0))
    chosen = session.method.smallest(logits, 0.5)
    loss = F.cross_entropy(logits, labels, reduction="none")
    for c in range(4):
        mine = labels == c
        count = min(math.ceil(0.5 * session.run.n / 4), int(mine.sum()))
        assert int(chosen[mine].sum()) == count
        assert loss[mine & chosen].max() <= loss[mine].sort().values[count - 1]


def one_sided(p: float, winner: torch.Tensor) -> torch.Tensor:
    """Logits whose soft-max gives ``winner`` the probability ``p`` of four classes."""
    shares = torch.full((len(winner), 4), (1 - p) / 3)
    shares[torch.arange(len(winner)), winner] = p
    return shares.log()


def test_promix_adds_confident_matches(planted: Planted) -> None:
    session = planted("promix", epochs=100)
    session.method.small_loss.zero_()
    given = torch.tensor([0, 1, 2, 3])
    logits = [one_sided(0.995, given), one_sided(0.9, given)]
    chosen, labels = session.method.choose(0, torch.arange(4), given, logits)
    assert chosen[0].all()
    assert not chosen[1].any()
    assert torch.equal(labels[0], given)


def test_promix_guesses_late_where_both_agree_and_only_up_to_a_share(planted: Planted) -> None:
    session = planted("promix", epochs=100, guess_up_to=0.5)
    session.method.small_loss.zero_()
    given, guess = torch.tensor([0, 1, 2, 3]), torch.tensor([1, 2, 3, 0])
    logits = [one_sided(0.995, guess), one_sided(0.999, guess)]
    early, _ = session.method.choose(10, torch.arange(4), given, logits)
    late, labels = session.method.choose(90, torch.arange(4), given, logits)
    assert not early[0].any()
    assert int(late[0].sum()) == 2
    assert torch.equal(labels[0], guess)
    logits[1] = one_sided(0.999, given)  # no agreement
    late, _ = session.method.choose(90, torch.arange(4), given, logits)
    assert not late[0].any()


def test_promix_biases_follow_the_predictions_of_their_group(planted: Planted) -> None:
    session = planted("promix", bias_decay=0.5)
    method = session.method
    x = session.run.view(torch.arange(6), "plain")
    chosen = torch.tensor([True] * 4 + [False] * 2)
    views = tuple(method.networks[0].features(x) for _ in range(2))
    weak = method.networks[0].head(views[0]).detach()
    p = weak.softmax(1).numpy()
    targets = F.one_hot(session.run.labels[:6], 4).float()
    method.objective(0, 0, (x, chosen, targets), views, weak)
    np.testing.assert_allclose(method.bias[0, 0], 0.5 / 4 + 0.5 * p[:4].mean(0), rtol=1e-5)
    np.testing.assert_allclose(method.bias[0, 1], 0.5 / 4 + 0.5 * p[4:].mean(0), rtol=1e-5)
    assert (method.bias[1] == 0.25).all()

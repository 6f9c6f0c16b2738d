"""What DISC claims."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch
from planted_labels import right, trained
from torch.nn import functional as F

from bench.training.session import Session

Planted = Callable[..., Session]


def test_disc_thresholds_follow_the_largest_probability(planted: Planted) -> None:
    session = planted("disc", epochs=100, momentum=0.9, momentum_epochs=200)
    method = session.method
    rng = np.random.default_rng(0)
    expected = np.full((2, session.run.n), 1 / session.run.n)
    for _ in range(3):
        p = rng.dirichlet(np.ones(4), (2, session.run.n))
        method.p = torch.tensor(p, dtype=torch.float32)
        method.on_epoch_end(0)
        expected = 0.9**2 * expected + (1 - 0.9**2) * p.max(2)  # 200 epochs in a run of 100
    np.testing.assert_allclose(method.tau.numpy(), expected, rtol=1e-4)


def test_disc_sorts_samples_into_clean_hard_and_purified(planted: Planted) -> None:
    session = planted("disc")
    method, y = session.method, session.run.labels[:4]
    method.tau.fill_(0.4)
    method.p.fill_(0.25)
    both, weak, other = 0, 1, 2
    method.p[:, both] = F.one_hot(y[both], 4).float()
    method.p[0, weak] = F.one_hot(y[weak], 4).float()
    method.p[:, other] = F.one_hot((y[other] + 1) % 4, 4).float()
    method.on_epoch_end(0)
    found = torch.stack([method.clean, method.hard, method.purified])[:, :4].int().T.tolist()
    assert found == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert int(method.labels[other]) == int((y[other] + 1) % 4)
    assert torch.equal(method.labels[:2], y[:2])


def test_disc_finds_planted_right_labels(planted: Planted) -> None:
    session = trained(planted("disc", epochs=16))
    clean = session.method.clean
    assert right(session)[clean].float().mean() > 0.9
    assert clean[right(session)].float().mean() > 0.4


def test_disc_learns_where_nothing_is_selected(planted: Planted) -> None:
    session = planted("disc")
    index = torch.arange(6)
    x = session.run.view(index, "plain")
    z = session.networks[0](x)
    batch = SimpleNamespace(y=session.run.labels[index])
    loss = session.method.selective(index, batch.y, (x, x), (z, z))
    assert loss.item() == 0
    loss.backward()

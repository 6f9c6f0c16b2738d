"""What UNICON claims."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from planted_labels import right, trained
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import roc_auc_score

from bench.training.session import Session
from methods.unicon import jensen_shannon

Planted = Callable[..., Session]


def test_divergence_is_jensen_shannons_in_bits() -> None:
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), 20), np.eye(5)[rng.integers(0, 5, 20)]
    expected = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    found = jensen_shannon(torch.tensor(p), torch.tensor(q)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_unicon_selects_the_same_share_of_every_class(planted: Planted) -> None:
    session = planted("unicon")
    method, labels = session.method, session.run.labels
    method.divergence = torch.linspace(0, 0.6, session.run.n)[torch.randperm(session.run.n)]
    method.divergence[labels == 0] *= 0.1  # an easy class must not crowd out the others
    chosen = method.selected()
    counts = torch.bincount(labels[chosen], minlength=4)
    below = int((method.divergence < method.divergence.mean()).sum())
    assert counts.tolist() == [below // 4] * 4
    for c in range(4):
        inside, outside = (method.divergence[(labels == c) & part] for part in (chosen, ~chosen))
        assert inside.max() <= outside.min()


def test_unicon_lowers_a_high_cut_off(planted: Planted) -> None:
    session = planted("unicon", tau=2.0)
    d = torch.linspace(0.6, 1.0, session.run.n)  # mean 0.8, above 0.7; lowered to 0.7
    session.method.divergence = d
    assert int(session.method.selected().sum()) == int((d < 0.7).sum()) // 4 * 4


def test_unicon_keeps_each_divergence_with_its_sample(planted: Planted) -> None:
    # The authors' code places a last, smaller batch wrongly.
    session = trained(planted("unicon", epochs=8))
    wrong = ~right(session)
    assert roc_auc_score(wrong.numpy(), session.method.divergence.numpy()) > 0.9

"""What progressive early stopping claims."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from planted_labels import right, trained

from bench.training.recipes.layers import last_layers
from bench.training.session import Session

Planted = Callable[..., Session]


def weights(layers: list[torch.nn.Module]) -> torch.Tensor:
    return torch.cat([p.detach().ravel().clone() for m in layers for p in m.parameters()])


@pytest.mark.parametrize("blocks", [0, 1])
def test_refinement_trains_later_layers_and_no_earlier_ones(planted: Planted, blocks: int) -> None:
    session = planted("pes", epochs=4)
    network = session.networks[0]
    later = last_layers(network, blocks)
    inside = {id(p) for layer in later for p in layer.parameters()}
    earlier = [p for p in network.parameters() if id(p) not in inside]
    before, start = [p.detach().clone() for p in earlier], weights(later)
    session.method.refine(blocks, 5)
    assert all(torch.equal(p, b) for p, b in zip(earlier, before, strict=True))
    assert len(earlier) > 0
    assert not torch.equal(weights(later), start)


def test_pes_weighs_classes_by_their_number_of_confident_samples(planted: Planted) -> None:
    method = planted("pes").method
    labels = torch.tensor([0] * 6 + [1] * 2 + [2] * 4)
    expected = [4 / 6, 4 / 2, 4 / 4, 0]  # the mean of the three present classes is 4
    np.testing.assert_allclose(method.class_weights(labels).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("semi", [False, True])
def test_pes_is_confident_in_right_labels(planted: Planted, semi: bool) -> None:
    session = trained(planted("pes", epochs=12, semi=semi))
    confident = session.method.belief.argmax(1) == session.run.labels
    assert right(session)[confident].float().mean() > 0.95
    assert confident[right(session)].float().mean() > 0.6

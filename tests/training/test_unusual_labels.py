"""Sessions on foreign images, labels of unknown truth, and candidate sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bench.api import Batch, DataInfo, Foreign, Method, Split
from bench.conformance.fixture import CPU, ProbeBackbone, data_info, images
from bench.data.noise import NONE, NoiseArtefact
from bench.errors import DataError
from bench.protocol import Named, Optimiser, Protocol
from bench.training.labelled import approximated_accuracy
from bench.training.session import Session


class Plain(Method):
    """Cross entropy over the candidates."""

    name = "plain"
    learns_from = "candidates"

    def loss(self, batch: Batch) -> torch.Tensor:
        """Minus log of the candidates' probability."""
        inside = self.run.candidates[batch.index]
        logits = self.logits(batch.x)
        return logits.logsumexp(1) - logits.masked_fill(inside == 0, -torch.inf).logsumexp(1)


class Told(Plain):
    """Is told the clean subset."""

    name = "told"
    knows = frozenset({"clean_subset"})


def session(
    artefact: NoiseArtefact,
    train: Split,
    *,
    method: Method | None = None,
    info: DataInfo | None = None,
) -> Session:
    return Session(
        method=method or Plain(),
        backbone=ProbeBackbone(),
        protocol=Protocol(
            backbone=Named(name=ProbeBackbone.name),
            epochs=1,
            batch_size=32,
            optimiser=Optimiser(lr=0.05),
            noisy_validation=0.2,
            precision="fp32",
        ),
        info=info or data_info(),
        train=train,
        test=images(40, seed=1),
        artefact=artefact,
        seed=0,
        device=CPU,
    )


def with_foreign(train: Split, n: int) -> NoiseArtefact:
    rows = np.arange(0, 2 * n, 2)
    inputs = np.full((n, *train.inputs.shape[1:]), 77, dtype=np.uint8)
    labels = np.array(train.labels)
    return NoiseArtefact("x", labels, 0.1, np.eye(4), None, Foreign(rows, inputs))


def test_foreign_images_are_what_is_trained_on() -> None:
    train = images(160, seed=0)
    trained = session(with_foreign(train, 40), train)
    everything = torch.cat([trained.train_given.inputs[:], trained.noisy_val.inputs[:]])  # type: ignore[union-attr]
    assert int((everything == 77).flatten(1).all(1).sum()) == 40


def test_the_clean_subset_holds_no_foreign_image() -> None:
    train = images(600, seed=0)
    trained = session(with_foreign(train, 280), train, method=Told())
    inputs, _ = trained.run.known.clean_subset
    raw = trained.run.raw(inputs)
    assert not bool((raw.round() == 77).flatten(1).all(1).any())


def test_the_fit_to_true_labels_leaves_foreign_images_out() -> None:
    train = images(160, seed=0)
    (record,) = session(with_foreign(train, 60), train).epochs()
    assert record.fit_true is not None
    assert 0 <= record.fit_true <= 1


def test_nothing_is_said_of_true_labels_that_nobody_knows() -> None:
    train = images(160, seed=0)
    artefact = NoiseArtefact("x", np.array(train.labels), None, None, None)
    unknown = replace(data_info(), truth=False)
    (record,) = session(artefact, train, info=unknown).epochs()
    assert record.fit_true is None
    assert record.fit_given is not None


def test_nobody_is_told_what_nobody_knows() -> None:
    train = images(160, seed=0)
    artefact = NoiseArtefact("x", np.array(train.labels), None, None, None)
    with pytest.raises(DataError, match="nobody knows"):
        session(artefact, train, method=Told(), info=replace(data_info(), truth=False))


def candidate_artefact(train: Split) -> NoiseArtefact:
    rng = np.random.default_rng(0)
    sets = rng.random((len(train.labels), 4)) < 0.3
    sets[np.arange(len(sets)), train.labels] = True
    none = np.full(len(sets), NONE)
    return NoiseArtefact("x", none, 0.0, None, None, None, sets)


def test_candidate_sets_are_learned_from_and_judged_by_covering() -> None:
    train = images(320, seed=0)
    artefact = candidate_artefact(train)
    trained = session(artefact, train)
    assert trained.run.candidates.shape == (len(trained.run.labels), 4)
    assert (trained.run.labels == NONE).all()
    (record,) = trained.epochs()
    held = trained.noisy_val
    assert held is not None
    assert held.candidates is not None
    guess = trained.logits(held.inputs).argmax(1)
    covered = held.candidates[torch.arange(len(guess)), guess].float().mean()
    assert record.noisy_val_accuracy == pytest.approx(float(covered))
    assert record.approximated_accuracy is not None
    assert record.approximated_accuracy <= record.noisy_val_accuracy + 1e-6


def test_the_belief_of_a_method_without_one_is_even_over_candidates() -> None:
    train = images(160, seed=0)
    trained = session(candidate_artefact(train), train)
    belief = trained.method.label_belief()
    torch.testing.assert_close(belief.sum(1), torch.ones(len(belief)))
    assert bool(((belief > 0) == (trained.run.candidates > 0)).all())


def test_approximated_accuracy_by_hand() -> None:
    logits = torch.log(torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]]))
    sets = torch.tensor([[True, True, False], [True, False, True]])
    # First: 0.6 of 0.9 among its candidates; second: the prediction is none of them.
    expected = (0.6 / 0.9 + 0.0) / 2
    assert float(approximated_accuracy(logits, sets)) == pytest.approx(expected)


def test_single_labels_are_candidate_sets_of_one() -> None:
    train = images(160, seed=0)
    labels = np.array(train.labels)
    trained = session(NoiseArtefact("x", labels, 0.0, np.eye(4), None), train)
    one_hot = torch.nn.functional.one_hot(trained.run.labels, 4).float()
    torch.testing.assert_close(trained.run.candidates, one_hot)


def test_the_epoch_with_the_best_approximated_accuracy_is_selected() -> None:
    from bench.records import EpochRecord
    from bench.selectors import SELECTORS

    def epoch(number: int, approximated: float | None, test: float) -> Any:
        return EpochRecord(number, 0.0, 0.0, 0.0, 0.5, test, 0.1, 0.0, approximated)

    epochs = [epoch(1, 0.2, 0.1), epoch(2, 0.6, 0.2), epoch(3, 0.5, 0.9)]
    chosen = SELECTORS["best-approximated"](epochs)
    assert chosen is not None
    assert (chosen.epoch, chosen.test_accuracy) == (2, 0.2)
    assert SELECTORS["best-approximated"]([epoch(1, None, 0.1)]) is None

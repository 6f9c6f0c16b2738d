"""What a run offers to methods of several views, phases and networks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.transforms.v2 import functional as tv

from bench.api import Batch, Method
from bench.conformance import fixture
from bench.errors import KnowledgeError
from bench.protocol import Named, Optimiser, Protocol, Schedule
from bench.source import source_sha
from bench.training.batches import Augmenter
from bench.training.optimise import Trainer
from bench.training.session import Session
from bench.training.sources import Resident
from bench.training.strong import OPERATIONS, augment
from bench.training.views import StrongViews


class Plain(Method):
    """Cross entropy."""

    name = "plain"

    def loss(self, batch: Batch) -> torch.Tensor:
        """On the given labels."""
        return nn.functional.cross_entropy(self.logits(batch.x), batch.y, reduction="none")


@pytest.fixture
def session() -> Session:
    return fixture.session(Plain(), epochs=4)


def protocol(**schedule: Any) -> Protocol:
    return Protocol(
        backbone=Named(name="any"),
        epochs=10,
        optimiser=Optimiser(lr=0.1),
        schedule=Schedule(**schedule),
    )


def rates(trainer: Trainer, epochs: int) -> list[float]:
    found = []
    for _ in range(epochs):
        found.append(round(trainer.lr, 6))
        trainer.end_epoch()
    return found


def test_a_new_phase_begins_the_schedule_anew_over_its_own_length() -> None:
    trainer = Trainer(protocol(name="multistep", milestones=(5,)), [nn.Linear(2, 2)])
    assert rates(trainer, 6) == [0.1] * 5 + [0.01]
    trainer.reschedule(4)  # 4 of 10 epochs: the step at 5 comes at 2
    assert rates(trainer, 4) == [0.1, 0.1, 0.01, 0.01]


def test_a_constant_phase_keeps_the_first_rate() -> None:
    trainer = Trainer(protocol(name="cosine"), [nn.Linear(2, 2)])
    rates(trainer, 5)
    trainer.reschedule(5, constant=True)
    assert rates(trainer, 5) == [0.1] * 5


def test_a_trainer_goes_on_in_the_middle_of_a_later_phase() -> None:
    def steps(trainer: Trainer, module: nn.Module, count: int) -> None:
        for _ in range(count):
            trainer.step(module(torch.ones(1, 2)).square().sum())
            trainer.end_epoch()

    torch.manual_seed(0)
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    first, second = Trainer(protocol(), [one]), Trainer(protocol(), [other])
    steps(first, one, 2)
    first.reschedule(3, constant=True)
    steps(first, one, 1)
    other.load_state_dict(one.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(first, one, 2)
    steps(second, other, 2)
    assert torch.equal(one.weight, other.weight)
    assert first.lr == second.lr == 0.1


def test_fresh_weights_come_without_momentum(session: Session) -> None:
    list(session.epochs())
    trained = session.networks[0].head.weight.clone()
    session.run.reinitialise("again")
    assert not torch.equal(session.networks[0].head.weight, trained)
    assert session.trainer.state_dict()["optimiser"]["state"] == {}


def test_equal_parts_give_equal_networks_and_others_others(session: Session) -> None:
    weights = [
        session.run.new_network(*parts).head.weight for parts in [("a", 1), ("a", 1), ("b",)]
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_an_auxiliary_network_learns_while_the_methods_own_does_not() -> None:
    session = fixture.session(Plain(), wrong=0.0)
    network = session.run.new_network("auxiliary")
    before = session.networks[0].head.weight.clone()
    session.run.fit(network, torch.arange(100), 20)
    hits = session.run.predict(network).argmax(1) == session.run.labels
    assert hits.float().mean() > 0.9
    assert torch.equal(session.networks[0].head.weight, before)


def test_an_auxiliary_network_sees_only_its_rows() -> None:
    session = fixture.session(Plain(), wrong=0.0)
    rows = (session.run.labels < 2).nonzero().squeeze(1)
    network = session.run.new_network("auxiliary")
    session.run.fit(network, rows, 20)
    assert set(session.run.predict(network).argmax(1).tolist()) <= {0, 1}


def test_modules_of_the_method_are_trained_and_counted() -> None:
    class WithProjector(Plain):
        def setup(self) -> None:
            self.projector = nn.Linear(16, 4).to(self.run.device)
            self.run.also_train(self.projector)

        def loss(self, batch: Batch) -> torch.Tensor:
            features = self.networks[0].features(batch.x)
            return nn.functional.cross_entropy(self.projector(features), batch.y, reduction="none")

    session = fixture.session(WithProjector())
    start = session.method.projector.weight.clone()
    list(session.epochs())
    assert not torch.equal(session.method.projector.weight, start)
    own = sum(p.numel() for p in session.networks[0].parameters())
    assert session.n_parameters == own + 16 * 4 + 4


def test_modules_cannot_join_once_training_started(session: Session) -> None:
    with pytest.raises(RuntimeError, match="setup"):
        session.run.also_train(nn.Linear(1, 1))


def test_two_views_differ_and_a_plain_one_is_the_sample(session: Session) -> None:
    index = torch.arange(16)
    one, two = session.run.view(index), session.run.view(index)
    assert not torch.equal(one, two)
    assert torch.equal(session.run.view(index, "plain"), session.run.view(index, "plain"))
    assert session.run.view(index, "strong").shape == one.shape
    with pytest.raises(ValueError, match="plain, weak and strong"):
        session.run.view(index, "medium")


def test_views_of_an_epoch_do_not_depend_on_what_came_before(session: Session) -> None:
    index = torch.arange(8)
    session.run.begin_epoch(3)
    expected = session.run.view(index)
    for _ in range(5):
        session.run.view(index)
    session.run.begin_epoch(3)
    assert torch.equal(session.run.view(index), expected)


def test_shuffled_rows_come_once_or_for_ever(session: Session) -> None:
    rows = torch.arange(10, 50)
    once = torch.cat(list(session.run.shuffled(rows, 16)))
    assert sorted(once.tolist()) == rows.tolist()
    endless = session.run.shuffled(rows, 16, forever=True)
    again = torch.cat([next(endless) for _ in range(9)])
    assert (torch.bincount(again)[10:] == 3).all()


def test_a_function_of_the_training_set_is_taken_in_evaluation_mode(session: Session) -> None:
    network = session.networks[0]
    network.train()
    features = session.run.map(network.features)
    assert torch.equal(features, session.run.map(network.features))  # dropout is off
    assert network.training
    assert features.shape == (session.run.n, 16)


def test_knowledge_can_depend_on_a_parameter() -> None:
    class Either(Plain):
        name = "either"
        knows = frozenset({"noise_rate"})
        knows_if = {"noise_rate": {"use_rate": True}}  # noqa: RUF012
        use_rate: bool = True

    told = fixture.session(Either(use_rate=True))
    assert told.run.known.noise_rate == pytest.approx(0.25)
    untold = fixture.session(Either(use_rate=False))
    with pytest.raises(KnowledgeError, match="noise_rate"):
        _ = untold.run.known.noise_rate


IMAGES = torch.randint(0, 17, (64, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()


def strong(inputs: torch.Tensor = IMAGES) -> StrongViews:
    return StrongViews(Resident(inputs), Augmenter(()))


EVERY = torch.arange(64)


def test_strong_views_stay_in_the_range_of_the_data(draws: torch.Generator) -> None:
    views = strong().take(EVERY, draws)
    assert views.min() >= 0
    assert views.max() <= 16.001


def test_images_get_operations_of_their_own(draws: torch.Generator) -> None:
    same = IMAGES[:1].repeat(64, 1, 1, 1)
    views = strong(same).take(EVERY, draws)
    assert len({tuple(view.ravel().tolist()) for view in views}) > 32


def test_no_strong_view_is_given_out_twice(draws: torch.Generator) -> None:
    views = strong()
    seen = [views.take(EVERY, draws) for _ in range(5)]
    seen += [views.take(EVERY[:7], draws)]
    for sample in range(7):
        mine = {tuple(taken[sample].ravel().tolist()) for taken in seen}
        assert len(mine) >= 5  # two may agree by chance


def test_strong_views_of_equal_draws_are_equal() -> None:
    one, two = (strong().take(EVERY, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)


def test_forgotten_views_are_drawn_anew(draws: torch.Generator) -> None:
    views = strong()
    views.take(EVERY[:3], draws)
    views.forget()
    fresh = views.take(EVERY, torch.Generator().manual_seed(5))
    assert torch.equal(fresh, strong().take(EVERY, torch.Generator().manual_seed(5)))


def test_data_too_large_to_keep_ready_is_augmented_by_the_batch(
    draws: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.training.views.LIMIT", 0)
    views = strong()
    one, two = views.take(EVERY, draws), views.take(EVERY, draws)
    assert not torch.equal(one, two)
    assert one.max() <= 16.001


def test_features_have_no_strong_view(draws: torch.Generator) -> None:
    x = torch.randn(64, 7)
    assert torch.equal(strong(x).take(EVERY, draws), x)


def by(name: str, sign: int, images: torch.Tensor) -> torch.Tensor:
    """All images by one operation."""
    b = len(images)
    return augment(images, torch.full((b,), OPERATIONS.index(name)), torch.full((b,), sign))


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_keeps_shape_and_type(name: str, channels: int) -> None:
    x = torch.randint(0, 256, (5, channels, 8, 8)).byte()
    for sign in (-1, 1):
        found = by(name, sign, x)
        assert found.shape == x.shape
        assert found.dtype == torch.uint8


def test_the_identity_is_one() -> None:
    assert torch.equal(by("identity", 1, IMAGES), IMAGES)


@pytest.mark.parametrize(("name", "axis"), [("translate-x", 3), ("translate-y", 2)])
def test_a_shift_moves_by_fifteen_percent_of_the_side(name: str, axis: int) -> None:
    image = torch.zeros(1, 1, 20, 20).byte()
    image[0, 0, 10, 10] = 255
    for sign in (-1, 1):
        row, column = (by(name, sign, image)[0, 0] == 255).nonzero()[0].tolist()
        moved = {3: column, 2: row}[axis] - 10
        assert moved == -sign * 3  # 0.45 / 3 of 20 pixels
        assert {3: row, 2: column}[axis] == 10


def test_a_rotation_by_ten_degrees_agrees_with_torchvisions() -> None:
    image = torch.zeros(1, 1, 41, 41).byte()
    image[0, 0, 20, 5:36] = 255
    ours = by("rotate", 1, image).float()
    theirs = tv.rotate(image, 10.0).float()
    assert (ours - theirs).abs().mean() < 0.02 * 255


def test_signs_brighten_and_darken() -> None:
    image = torch.full((1, 3, 8, 8), 100).byte()
    assert by("brightness", 1, image).float().mean() > 125
    assert by("brightness", -1, image).float().mean() < 75


@pytest.fixture
def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_recipe_is_part_of_the_identity_of_who_imports_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import bench.source

    (tmp_path / "inner.py").write_text("RATE = 1\n")
    (tmp_path / "outer.py").write_text("from bench.training.recipes.inner import RATE\n")
    monkeypatch.setattr(bench.source, "RECIPE_FOLDER", tmp_path)
    user = "from bench.training.recipes.outer import RATE\n"
    other = "RATE = 3\n"
    before: Callable[[], tuple[str, str]] = lambda: (source_sha(user), source_sha(other))  # noqa: E731
    first = before()
    (tmp_path / "inner.py").write_text("RATE = 1  # a comment\n")
    assert before() == first
    (tmp_path / "inner.py").write_text("RATE = 2\n")
    assert before()[0] != first[0]
    assert before()[1] == first[1]

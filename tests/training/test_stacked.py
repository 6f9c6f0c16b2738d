"""Seeds trained together: the very results of one by one, or one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.api import Batch
from bench.execute import build_session
from bench.plan import make_plan
from bench.records import EpochRecord
from bench.registry import Registry
from bench.spec import load_suite
from bench.training.session import Diverged, Session
from bench.training.stacked import Stack
from bench.training_spec import TrainingSpec

SUITE = """
suite: stacked
datasets: [digits]
noises: [{symmetric: {rate: 0.5}}]
methods: [ce, gce, sce, mae, elr, co-teaching, forward]
seeds: 3
protocol: {backbone: BACKBONE, epochs: 2, batch_size: 64, optimiser: OPTIMISER}
"""

CNN = "{small-cnn: {width: 8}}"
MLP = "{mlp: {width: 16, depth: 2}}"
SGD = "{name: sgd, lr: 0.05}"

Build = Callable[..., list[Session]]


@pytest.fixture
def build(tmp_path: Path, registry: Registry, data_dir: Path) -> Build:
    def sessions(method: str, backbone: str = CNN, optimiser: str = SGD) -> list[Session]:
        path = tmp_path / "suite.yaml"
        path.write_text(SUITE.replace("BACKBONE", backbone).replace("OPTIMISER", optimiser))
        plan = make_plan(load_suite(str(path), None, registry), registry, data_dir)
        specs: list[TrainingSpec] = [t for t in plan.trainings if t.method == method]
        return [build_session(spec, registry, data_dir, torch.device("cpu")) for spec in specs]

    return sessions


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def untimed(records: Sequence[EpochRecord]) -> list[EpochRecord]:
    return [replace(record, wall_s=0.0) for record in records]


def trained(stack: Stack) -> list[list[EpochRecord]]:
    return [untimed([*stack.epochs(member.session)]) for member in stack.members]


def assert_same(alone: Sequence[Session], together: Sequence[Session]) -> None:
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one.networks, other.networks, strict=True):
            states = (a.state_dict(), b.state_dict())
            assert states[0].keys() == states[1].keys()
            for name, value in states[0].items():
                assert torch.equal(value, states[1][name]), name
        assert one.run.samples == other.run.samples


@pytest.mark.parametrize(
    ("method", "backbone", "optimiser"),
    [
        ("ce", CNN, SGD),
        ("gce", MLP, SGD),
        ("sce", CNN, "{name: sgd, lr: 0.05, nesterov: true, weight_decay: 0.01}"),
        ("mae", MLP, "{name: sgd, momentum: 0}"),
        ("elr", CNN, SGD),
        ("ce", MLP, "{name: adamw, lr: 0.001}"),
    ],
)
def test_seeds_trained_together_have_the_bits_of_one_by_one(
    build: Build, method: str, backbone: str, optimiser: str
) -> None:
    alone, stack = build(method, backbone, optimiser), Stack(build(method, backbone, optimiser))
    assert trained(stack) == [untimed([*session.epochs()]) for session in alone]
    # On some CPUs convolutions of several seeds round otherwise; then they are not stacked.
    assert not stack.reason or (backbone == CNN and "other bits" in stack.reason)
    assert_same(alone, [member.session for member in stack.members])


def test_the_last_batches_of_the_seeds_need_not_be_of_one_size(build: Build) -> None:
    last = [[len(b.x) for b in session.run.batches(0)][-1] for session in build("ce")]
    assert len(set(last)) > 1  # else the tests above say nothing about it


def test_a_seed_is_the_same_whoever_comes_along(build: Build) -> None:
    all_three, two = Stack(build("gce", MLP)), Stack(build("gce", MLP)[1:])
    assert trained(all_three)[1:] == trained(two)
    assert_same(
        [member.session for member in all_three.members[1:]],
        [member.session for member in two.members],
    )


@pytest.mark.parametrize("method", ["co-teaching", "forward"])
def test_a_method_with_a_loop_of_its_own_is_trained_one_by_one(build: Build, method: str) -> None:
    alone, stack = build(method, MLP), Stack(build(method, MLP))
    assert "loop of its own" in stack.reason
    assert trained(stack) == [untimed([*session.epochs()]) for session in alone]


def test_a_seed_that_diverges_ends_alone(build: Build) -> None:
    def spoil(sessions: list[Session]) -> list[Session]:
        session = sessions[1]
        own = session.method.loss
        session.method.loss = lambda batch: own(batch) * (torch.nan if session.epoch else 1.0)  # type: ignore[method-assign]
        return sessions

    alone, stack = spoil(build("ce", MLP)), Stack(spoil(build("ce", MLP)))
    assert trained_one(stack, 0) == untimed([*alone[0].epochs()])
    with pytest.raises(Diverged) as problem:
        trained_one(stack, 1)
    assert "nan in epoch 2" in str(problem.value)
    assert len(stack.members[1].records) == 1
    assert trained_one(stack, 2) == untimed([*alone[2].epochs()])
    assert not stack.reason


def trained_one(stack: Stack, number: int) -> list[EpochRecord]:
    return untimed([*stack.epochs(stack.members[number].session)])


def _mixing(session: Session) -> None:
    """A loss that asks the network about inputs that are not the batch's."""
    session.method.loss = lambda batch: nn.functional.cross_entropy(  # type: ignore[method-assign]
        session.method.logits(batch.x.flip(0)), batch.y.flip(0), reduction="none"
    )


def _penalising(session: Session) -> None:
    """A loss that depends on the weights beside the logits."""
    own = session.method.loss

    def loss(batch: Batch) -> Tensor:
        return own(batch) + session.networks[0].head.weight.square().sum()

    session.method.loss = loss  # type: ignore[method-assign]


def _drawing(session: Session) -> None:
    """A loss that draws from the global generator, here from the second epoch on."""
    own = session.method.loss

    def loss(batch: Batch) -> Tensor:
        return own(batch) * (torch.rand(len(batch.y)) if session.epoch else 1.0)

    session.method.loss = loss  # type: ignore[method-assign]


def _normalising(session: Session) -> None:
    """A layer that no stacked form is known of."""
    body: nn.Sequential = session.networks[0].body  # type: ignore[assignment]
    body.append(nn.LayerNorm(16))


def _dropping(session: Session) -> None:
    body: nn.Sequential = session.networks[0].body  # type: ignore[assignment]
    body.append(nn.Dropout(0.5))


class _Shuffled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, 1:], x[:, :1]], 1)


def _exchanging(session: Session) -> None:
    """A layer without weights that moves features, and so would move them between seeds."""
    body: nn.Sequential = session.networks[0].body  # type: ignore[assignment]
    body.append(_Shuffled())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_mixing, "something else than the batch"),
        (_penalising, "other ways than the logits"),
        (_drawing, "global random generators"),
        (_normalising, "LayerNorm"),
        (_dropping, "random numbers"),
        (_exchanging, "other bits"),
    ],
)
def test_what_cannot_be_stacked_is_trained_one_by_one(
    build: Build, change: Callable[[Session], None], reason: str
) -> None:
    alone, together = build("ce", MLP), build("ce", MLP)
    for session in (*alone, *together):
        change(session)
    stack = Stack(together)
    assert trained(stack) == [untimed([*session.epochs()]) for session in alone]
    assert reason in stack.reason
    assert_same(alone, together)


def test_a_large_network_is_not_stacked(build: Build) -> None:
    assert "parameters" in Stack(build("ce", "{small-cnn: {width: 64}}")).reason


def test_large_inputs_are_not_stacked(build: Build) -> None:
    sessions = build("ce")
    for session in sessions:
        session.protocol = session.protocol.model_copy(update={"batch_size": 400})
    assert "numbers" in Stack(sessions).reason


def test_clipped_gradients_are_not_stacked(build: Build) -> None:
    sessions = build("ce")
    for session in sessions:
        session.protocol = session.protocol.model_copy(update={"gradient_clip": 1.0})
    assert "norm of gradients" in Stack(sessions).reason


def test_seconds_are_shared_out(build: Build) -> None:
    stack = Stack(build("ce", MLP))
    trained(stack)
    shares = [member.share_s for member in stack.members]
    assert sum(shares) == pytest.approx(sum(m.paid_s for m in stack.members), rel=0.1)
    assert max(shares) < 2 * min(shares)
    assert [m.records[-1].wall_s for m in stack.members] == pytest.approx(shares, rel=0.1)

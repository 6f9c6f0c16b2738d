"""The training loop: data order, augmentation, knowledge, resuming, and what methods must do."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from bench.data.prepared import load
from bench.errors import KnowledgeError
from bench.execute import build_session
from bench.plan import make_plan
from bench.registry import Registry
from bench.spec import load_suite
from bench.training.batches import Augmenter, Normaliser, index_batches, order
from bench.training.precision import resolve
from bench.training.session import Session
from bench.training.sources import Resident
from bench.training_spec import TrainingSpec

SUITE = """
suite: loop
datasets: [digits]
noises: [{symmetric: {rate: 0.5}}, {pairflip: {rate: 0.3}}]
methods: [ce, elr, forward, co-teaching]
seeds: 2
protocol: {backbone: {small-cnn: {width: 4}}, epochs: 4, batch_size: 128}
"""

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def specs(
    tmp_path_factory: pytest.TempPathFactory, registry: Registry, data_dir: Path
) -> dict[str, TrainingSpec]:
    path = tmp_path_factory.mktemp("loop") / "suite.yaml"
    path.write_text(SUITE)
    plan = make_plan(load_suite(str(path), None, registry), registry, data_dir)
    return {f"{t.method} {t.noise.name} {t.seed}": t for t in plan.trainings}


@pytest.fixture
def session(
    specs: dict[str, TrainingSpec], registry: Registry, data_dir: Path
) -> Callable[..., Session]:
    def build(name: str, **protocol: Any) -> Session:
        spec = specs[name]
        spec = replace(spec, protocol={**spec.protocol, **protocol})
        return build_session(spec, registry, data_dir, CPU)

    return build


@given(st.integers(2, 400), st.integers(2, 64), st.integers(0, 2**31))
def test_batches_hold_every_sample_once_and_never_one_alone(n: int, size: int, seed: int) -> None:
    batches = list(index_batches(order(n, seed), size))
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert min(len(batch) for batch in batches) >= 2


def test_the_order_is_the_same_for_every_method_and_differs_by_epoch_and_seed(
    session: Callable[..., Session],
) -> None:
    def order(name: str, epoch: int) -> list[int]:
        return torch.cat([b.index for b in session(name).run.batches(epoch)]).tolist()

    assert order("ce symmetric 0", 0) == order("co-teaching symmetric 0", 0)
    assert order("ce symmetric 0", 0) != order("ce symmetric 0", 1)
    assert order("ce symmetric 0", 0) != order("ce symmetric 1", 0)


def test_all_methods_start_from_the_same_weights(session: Callable[..., Session]) -> None:
    first, second = session("ce symmetric 0"), session("co-teaching symmetric 0")
    for a, b in zip(first.networks[0].parameters(), second.networks[0].parameters(), strict=True):
        assert torch.equal(a, b)


def test_two_networks_start_differently(session: Callable[..., Session]) -> None:
    one, two = session("co-teaching symmetric 0").networks
    assert not torch.equal(one.head.weight, two.head.weight)


def test_inputs_are_normalised_by_the_training_samples(session: Callable[..., Session]) -> None:
    made = session("ce symmetric 0")
    x = torch.cat([batch.x for batch in made.run.batches(0)])
    assert abs(float(x.mean())) < 1e-5
    assert float(x.std()) == pytest.approx(1, abs=1e-3)


def test_normalising_agrees_with_numpy() -> None:
    images = torch.randint(0, 256, (50, 3, 6, 5), dtype=torch.uint8)
    found = Normaliser.of(Resident(images))
    expected = images.numpy().astype(np.float64)
    np.testing.assert_allclose(found.mean.flatten(), expected.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found.std.flatten(), expected.std((0, 2, 3)), rtol=1e-5)


def test_a_crop_is_a_window_of_the_padded_image() -> None:
    images = torch.arange(1, 1 + 8 * 64, dtype=torch.float32).view(8, 1, 8, 8)
    cropped = Augmenter(("crop",))(images, torch.Generator().manual_seed(1))
    padded = F.pad(images, (1, 1, 1, 1))
    for image, source in zip(cropped, padded, strict=True):
        windows = [source[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
        assert any(torch.equal(image, window) for window in windows)


def test_a_flip_mirrors_about_half_of_the_images() -> None:
    images = torch.arange(400 * 4, dtype=torch.float32).view(400, 1, 2, 2)
    flipped = Augmenter(("flip",))(images, torch.Generator().manual_seed(1))
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(flipped, images, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(flipped, images, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True))
    assert 140 < sum(mirrored) < 260


def test_a_method_is_told_what_it_declares_and_nothing_else(
    session: Callable[..., Session],
) -> None:
    known = session("forward pairflip 0").run.known
    torch.testing.assert_close(
        known.transition_matrix, 0.7 * torch.eye(10) + 0.3 * torch.eye(10).roll(1, 1)
    )
    with pytest.raises(KnowledgeError, match=r"asked for noise_rate .* without declaring it"):
        _ = known.noise_rate
    with pytest.raises(KnowledgeError, match="no method is told"):
        _ = known.clean_labels


def test_the_noise_rate_told_is_the_realised_one(
    session: Callable[..., Session], specs: dict[str, TrainingSpec], data_dir: Path, registry: Any
) -> None:
    made = session("co-teaching symmetric 0")
    true = load("digits", data_dir, registry).train.labels
    assert made.run.known.noise_rate == pytest.approx(0.5, abs=0.05)
    assert (
        0
        < made.run.known.noise_rate * len(true)
        == pytest.approx(round(made.run.known.noise_rate * len(true)))
    )


def test_held_out_samples_are_not_trained_on(session: Callable[..., Session]) -> None:
    made = session("ce symmetric 0", noisy_validation=0.2)
    assert made.noisy_val is not None
    assert made.run.n + len(made.noisy_val.labels) == 1437
    assert len(made.noisy_val.labels) == pytest.approx(0.2 * 1437, abs=6)


@pytest.mark.parametrize("method", ["ce", "elr", "co-teaching"])
def test_a_resumed_training_equals_the_uninterrupted_one_bit_for_bit(
    method: str, session: Callable[..., Session]
) -> None:
    whole = session(f"{method} symmetric 0")
    expected = list(whole.epochs())
    first = session(f"{method} symmetric 0")
    epochs = first.epochs()
    records = [next(epochs), next(epochs)]
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)
    second = session(f"{method} symmetric 0")
    second.load_state_dict(torch.load(saved, weights_only=True))
    records += list(second.epochs())
    assert [replace(r, wall_s=0) for r in records] == [replace(r, wall_s=0) for r in expected]
    for a, b in zip(whole.networks, second.networks, strict=True):
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
            assert torch.equal(x, y)


def test_auto_precision_is_single_on_a_cpu_without_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for check in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, check, lambda: False)
    assert resolve("auto", CPU) == "fp32"
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert resolve("auto", CPU) == "bf16"
    assert resolve("fp32", CPU) == "fp32"


def test_a_clean_subset_is_true_small_and_apart_from_training(
    session: Callable[..., Session],
    specs: dict[str, TrainingSpec],
    registry: Registry,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = session("elr symmetric 0")
    monkeypatch.setattr(type(without.method), "knows", frozenset({"clean_subset"}))
    made = session("elr symmetric 0")
    inputs, labels = made.run.known.clean_subset
    assert len(inputs) == len(labels) == without.run.n - made.run.n
    assert len(labels) == pytest.approx(0.02 * without.run.n, abs=5)
    assert set(labels.tolist()) == set(range(10))
    raw = load("digits", data_dir, registry).train
    images = torch.from_numpy(np.array(raw.inputs)).permute(0, 3, 1, 2)
    normalised = made.run._normalise(images)
    for image, label in zip(inputs, labels, strict=True):
        (position,) = (normalised == image).flatten(1).all(1).nonzero()[0]
        assert raw.labels[int(position)] == int(label)

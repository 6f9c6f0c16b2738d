"""What a protocol's augmentation does to images, one step at a time and together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from bench.api import Batch, Method
from bench.conformance import fixture
from bench.conformance.fake_cuda import CUDA, fake_cuda
from bench.protocol import Protocol
from bench.training.batches import Augmenter, Normaliser
from bench.training.session import Session

EVERY = ("crop", "crop-reflect", "flip", "cutout")
MEAN = torch.tensor([10.4, 20.6, 255.0]).view(1, 3, 1, 1)

shapes = st.tuples(
    st.integers(1, 9), st.sampled_from([1, 3]), st.integers(2, 20), st.integers(2, 20)
)
seeds = st.integers(0, 2**31)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with fixture.undisturbed():
        yield


def images(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    values = torch.randint(0, 256, shape, generator=generator(seed))
    return values.to(dtype)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixel_by_pixel(x: Tensor, steps: tuple[str, ...], draws: torch.Generator) -> Tensor:
    """Crop on black and flip, as shipped results were trained with: an index for every pixel."""
    b, c, h, w = x.shape
    if "crop" in steps:
        pad_h, pad_w = max(1, h // 8), max(1, w // 8)
        padded = F.pad(x, (pad_w, pad_w, pad_h, pad_h))
        top = torch.randint(0, 2 * pad_h + 1, (b,), generator=draws)
        left = torch.randint(0, 2 * pad_w + 1, (b,), generator=draws)
        rows, columns = top[:, None] + torch.arange(h), left[:, None] + torch.arange(w)
        samples, channels = torch.arange(b)[:, None, None, None], torch.arange(c)[:, None, None]
        x = padded[samples, channels, rows[:, None, :, None], columns[:, None, None, :]]
    if "flip" in steps:
        chosen = torch.rand(len(x), generator=draws).lt(0.5)
        x = torch.where(chosen.view(-1, 1, 1, 1), x.flip(3), x)
    return x


@given(shapes, seeds, st.sampled_from([(), ("crop",), ("flip",), ("crop", "flip")]))
def test_views_are_to_the_bit_those_that_shipped_results_were_trained_on(
    shape: tuple[int, ...], seed: int, steps: tuple[str, ...]
) -> None:
    x, c = images(shape, seed), shape[1]
    spread = torch.rand(2, 1, c, 1, 1, generator=generator(seed)) * 99 + 0.1
    normalise = Normaliser(spread[0], spread[1])
    draws, same = generator(seed), generator(seed)
    found = normalise(Augmenter(steps)(x, draws))
    raw = pixel_by_pixel(x, steps, same)
    expected = ((raw.float() - spread[0]) / spread[1]).contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, expected)
    assert found.stride() == expected.stride()
    assert torch.equal(draws.get_state(), same.get_state())


@given(shapes, seeds)
def test_a_reflected_crop_is_a_window_of_the_mirrored_image(
    shape: tuple[int, ...], seed: int
) -> None:
    x = images(shape, seed)
    h, w = shape[2:]
    pad_h, pad_w = max(1, h // 8), max(1, w // 8)
    cropped = Augmenter(("crop-reflect",))(x, generator(seed))
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (pad_h,) * 2, (pad_w,) * 2], mode="reflect")
    for image, source in zip(cropped.numpy(), padded, strict=True):
        windows = [
            source[:, i : i + h, j : j + w]
            for i in range(2 * pad_h + 1)
            for j in range(2 * pad_w + 1)
        ]
        assert any((image == window).all() for window in windows)


def test_every_window_is_drawn() -> None:
    x = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).repeat(500, 1, 1, 1)
    cropped = Augmenter(("crop-reflect",))(x, generator(0))
    assert len(torch.unique(cropped.flatten(1), dim=0)) == 9


@given(shapes, seeds)
def test_cutout_paints_one_square_of_half_the_side_and_nothing_else(
    shape: tuple[int, ...], seed: int
) -> None:
    h, w = shape[2:]
    x = images(shape, seed).clamp(max=254)
    painted = Augmenter(("cutout",), blank=255)(x, generator(seed))
    hit = painted == 255
    assert torch.equal(painted[~hit], x[~hit])
    assert torch.equal(hit, hit[:, :1].expand_as(hit))
    for mask in hit[:, 0]:
        rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
        assert int(mask.sum()) == len(rows) * len(columns) > 0
        for places, side in ((rows, h), (columns, w)):
            assert int(places[-1] - places[0]) == len(places) - 1
            at_border = int(places[0]) == 0 or int(places[-1]) == side - 1
            half = side / 2
            assert len(places) in {int(half), int(np.ceil(half))} or (
                at_border and len(places) < half
            )


def test_a_square_in_the_middle_has_16_of_32_pixels() -> None:
    x = torch.zeros(200, 3, 32, 32, dtype=torch.uint8)
    sizes = (Augmenter(("cutout",), blank=1)(x, generator(0)) == 1)[:, 0].sum((1, 2))
    assert int(sizes.max()) == 16 * 16
    assert int(sizes.min()) >= 8 * 8


def test_cutout_paints_the_mean_which_normalising_takes_to_zero() -> None:
    x = images((40, 3, 8, 8), 1)
    painted = Augmenter(("cutout",), blank=MEAN)(x, generator(0))
    changed = (painted != x).any(1, keepdim=True).expand_as(x)
    colours = painted.permute(0, 2, 3, 1)[changed[:, 0]]
    assert painted.dtype == torch.uint8
    assert torch.equal(colours, torch.tensor([10, 21, 255], dtype=torch.uint8).expand_as(colours))
    values = Augmenter(("cutout",), blank=MEAN)(x.float(), generator(0))
    normalised = Normaliser(MEAN, torch.ones(1, 3, 1, 1))(values)
    assert bool((normalised[changed] == 0).all())


@pytest.mark.parametrize("step", EVERY)
def test_the_same_generator_draws_the_same_views_and_the_images_stay(step: str) -> None:
    x = images((30, 3, 8, 8), 0)
    kept = x.clone()
    augment = Augmenter((step,), blank=MEAN)
    first, again, other = (augment(x, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, x)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("steps", [("crop", "flip", "cutout"), ("crop-reflect", "flip", "cutout")])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_a_device_gives_the_same_views_as_the_cpu(
    steps: tuple[str, ...], dtype: torch.dtype
) -> None:
    x = images((12, 3, 8, 8), 3, dtype)
    here = Augmenter(steps, blank=MEAN)(x, generator(5))
    with fake_cuda():
        there = Augmenter(steps, blank=MEAN.to("cuda"))(x.to("cuda"), generator(5))
        assert there.device == CUDA
        assert torch.equal(there.cpu(), here)


def test_the_order_of_the_names_does_not_matter() -> None:
    x = images((12, 3, 8, 8), 3)
    one = Augmenter(("crop-reflect", "flip", "cutout"))(x, generator(5))
    other = Augmenter(("cutout", "flip", "crop-reflect"))(x, generator(5))
    assert torch.equal(one, other)


def test_features_pass_unchanged() -> None:
    x = torch.randn(5, 7)
    assert torch.equal(Augmenter(EVERY[1:])(x, generator(0)), x)


def test_two_kinds_of_crop_are_refused() -> None:
    with pytest.raises(ValidationError, match="name one of them"):
        Protocol(augmentation=("crop", "crop-reflect"))


class Plain(Method):
    """Cross entropy."""

    name = "plain"
    paper = "none"

    def loss(self, batch: Batch) -> Tensor:
        """Of the given labels."""
        return F.cross_entropy(self.logits(batch.x), batch.y, reduction="none")


def trained(*steps: str) -> dict[str, float]:
    protocol = Protocol(augmentation=steps, epochs=1, batch_size=32, precision="fp32")
    train = fixture.images(fixture.N_TRAIN, seed=0)
    session = Session(
        method=Plain(),
        backbone=fixture.ProbeBackbone(),
        protocol=protocol,
        info=fixture.data_info(),
        train=train,
        test=fixture.images(fixture.N_TEST, seed=1),
        artefact=fixture.artefact(train.labels),
        seed=0,
        device=torch.device("cpu"),
    )
    (record,) = session.epochs()
    return asdict(record)


def test_a_protocol_trains_on_what_it_names() -> None:
    losses = {trained(*steps)["train_loss"] for steps in ((), *((step,) for step in EVERY))}
    assert len(losses) == 1 + len(EVERY)

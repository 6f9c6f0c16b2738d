"""Images that belong to none of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api import DataInfo, Foreign, Incompatible, Noise, Rate, TrainingSet

if TYPE_CHECKING:
    from collections.abc import Sequence

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


class OpenSet(Noise):
    """A share of the images is replaced by images of another data set; the labels stay.

    Which ones is drawn without replacement on both sides. Images are brought to the size of those
    they replace by bilinear interpolation (antialiased); grey is repeated into colours, colours
    become luma, and levels are scaled to the same brightest value. The closed part keeps its true
    labels: the open rate is reported apart.
    """

    name = "open-set"
    paper = "Wang et al., Iterative Learning with Open-set Noisy Labels, CVPR 2018, 1804.00092"
    example = {"source": "conformance-other"}  # noqa: RUF012
    rate: Rate = 0.2
    source: str = ""

    def check(self, data: DataInfo) -> None:
        """There must be another set of images."""
        if not self.source:
            raise Incompatible(
                "open-set noise needs the data set that its images come from: "
                "{open-set: {source: cifar100}}"
            )
        if self.source == data.name:
            raise Incompatible(f"the images of {data.name} are no open-set noise on itself")
        if len(data.shape) != 3:
            raise Incompatible(f"open-set noise replaces images; {data.name} is a feature table")

    def reads(self, train: TrainingSet) -> Sequence[str]:
        """The other data set's fingerprint."""
        return (train.other(self.source)[0],)

    def transition_matrix(self, data: DataInfo) -> np.ndarray[Any, Any]:
        """The identity: samples that keep their image keep their label."""
        return np.eye(data.n_classes)

    def replace(self, train: TrainingSet, rng: np.random.Generator) -> Foreign:
        """``rate`` of the images, exactly, rounded down."""
        _, others = train.other(self.source)
        n = len(train.labels)
        wanted = int(self.rate * n)
        if others.ndim != 4:
            raise Incompatible(f"{self.source} is a feature table; open-set noise needs images")
        if wanted > len(others):
            raise Incompatible(
                f"open-set {self.rate:g} needs {wanted:,} images, but {self.source} has "
                f"{len(others):,}; the highest rate it can reach here is {len(others) / n:.3f}"
            )
        rows = np.sort(rng.permutation(n)[:wanted]).astype(np.int64)
        chosen = others[rng.permutation(len(others))[:wanted]]
        scale = int(train.inputs.max()) / max(1, int(others.max()))
        return Foreign(rows, fitted(chosen, train.inputs.shape[1:], scale))

    def describe(self) -> str:
        """The rate and where the images come from."""
        return f"open-set {self.rate:g} {self.source}".strip()


def fitted(
    images: np.ndarray[Any, Any], shape: tuple[int, ...], scale: float = 1.0
) -> np.ndarray[Any, Any]:
    """Images ``(n, h, w, c)`` uint8 times ``scale``, as ``shape`` = (height, width, channels)."""
    import torch
    from torch.nn import functional as F

    height, width, channels = shape
    x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float()
    if x.shape[1] != channels:
        if channels == 1:
            x = (x * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        else:
            x = x.expand(-1, channels, -1, -1)
    if x.shape[2:] != (height, width):
        x = F.interpolate(x, (height, width), mode="bilinear", antialias=True)
    pixels = (x * scale).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(pixels.numpy())

"""CIFAR-100 under its 20 super-classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.api import Dataset, Split
from datasets.cifar100 import Cifar100
from datasets.noise.asymmetric import SUPERCLASSES

# Official names in the order of their ids, which is alphabetical, as in SUPERCLASSES.
NAMES = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables "
    "household_electrical_devices household_furniture insects large_carnivores "
    "large_man-made_outdoor_things large_natural_outdoor_scenes "
    "large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles "
    "small_mammals trees vehicles_1 vehicles_2"
)
COARSE = {fine: i for i, members in enumerate(SUPERCLASSES) for fine in members.split()}


class Cifar100Coarse(Dataset):
    """CIFAR-100's images in its 20 official super-classes; made of ``cifar100``."""

    name = "cifar100-coarse"
    paper = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
    class_names = tuple(NAMES.split())
    official_size = (50_000, 10_000)
    derived_from = "cifar100"

    def derive(self, train: Split, test: Split) -> tuple[Split, Split, tuple[str, ...]]:
        """The same images under other labels."""
        coarse = np.array([COARSE[name] for name in Cifar100.class_names], dtype=np.int64)
        splits = [replace(split, labels=coarse[split.labels]) for split in (train, test)]
        return splits[0], splits[1], self.class_names

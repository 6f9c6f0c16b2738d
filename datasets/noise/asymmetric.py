"""Asymmetric (class-conditional) noise along a named map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.api import DataInfo, Incompatible, Noise, Rate
from bench.errors import nearest
from datasets.cifar10 import Cifar10
from datasets.cifar100 import Cifar100

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy import ndarray

CIFAR10 = {
    "truck": "automobile",
    "bird": "airplane",
    "cat": "dog",
    "dog": "cat",
    "deer": "horse",
}

# The official super-classes; inside each, the order is that of the fine ids.
SUPERCLASSES = (
    "beaver dolphin otter seal whale",
    "aquarium_fish flatfish ray shark trout",
    "orchid poppy rose sunflower tulip",
    "bottle bowl can cup plate",
    "apple mushroom orange pear sweet_pepper",
    "clock keyboard lamp telephone television",
    "bed chair couch table wardrobe",
    "bee beetle butterfly caterpillar cockroach",
    "bear leopard lion tiger wolf",
    "bridge castle house road skyscraper",
    "cloud forest mountain plain sea",
    "camel cattle chimpanzee elephant kangaroo",
    "fox porcupine possum raccoon skunk",
    "crab lobster snail spider worm",
    "baby boy girl man woman",
    "crocodile dinosaur lizard snake turtle",
    "hamster mouse rabbit shrew squirrel",
    "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "bicycle bus motorcycle pickup_truck train",
    "lawn_mower rocket streetcar tank tractor",
)


def _cycles(groups: list[list[str]]) -> dict[str, str]:
    return {a: b for group in groups for a, b in zip(group, group[1:] + group[:1], strict=True)}


FINE = list(Cifar100.class_names)
MAPS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "cifar10": (Cifar10.class_names, CIFAR10),
    "superclass-next": (Cifar100.class_names, _cycles([g.split() for g in SUPERCLASSES])),
    "fine-id-blocks": (
        Cifar100.class_names,
        _cycles([FINE[i : i + 5] for i in range(0, 100, 5)]),
    ),
}
"""Map name -> (the classes it is defined on, true class -> given class)."""


class Asymmetric(Noise):
    """Each class of a map becomes its named confusion with probability ``rate``.

    The map must be named, because papers mean different things by it: ``cifar10`` (Patrini et al.:
    truck to automobile, bird to airplane, deer to horse, cat and dog swap; half of the classes, so
    0.4 is 20 % wrong labels); on CIFAR-100 ``superclass-next`` (next fine class of the same
    super-class) or ``fine-id-blocks`` (next of five consecutive fine ids, what most published
    tables used). For any other data set give the map: ``{true class: given class}``.
    """

    name = "asymmetric"
    paper = "Patrini et al., Making DNNs Robust to Label Noise, CVPR 2017, arXiv 1609.03683"
    example = {"map": "cifar10"}  # noqa: RUF012
    rate: Rate = 0.4
    map: str | dict[str, str] = ""

    def check(self, data: DataInfo) -> None:
        """Refuse a map that is absent, unknown, for another data set, or names no class."""
        if not self.map:
            raise Incompatible(
                f"asymmetric noise on {data.name} needs a map: one of {', '.join(MAPS)}, "
                f"or {{true class: given class}}"
            )
        if isinstance(self.map, str):
            if self.map not in MAPS:
                raise Incompatible(f"no asymmetric map {self.map!r}{nearest(self.map, MAPS)}")
            if set(MAPS[self.map][0]) != set(data.class_names):
                raise Incompatible(
                    f"the map {self.map!r} is for other classes than those of {data.name}"
                )
        else:
            for name in [*self.map.keys(), *self.map.values()]:
                if name not in data.class_names:
                    raise Incompatible(
                        f"the asymmetric map names {name!r}, no class of {data.name}"
                        f"{nearest(name, data.class_names)}"
                    )

    def transition_matrix(self, data: DataInfo) -> ndarray[Any, Any]:
        """``rate`` at (true, given) of every pair in the map; other classes stay."""
        self.check(data)
        pairs = MAPS[self.map][1] if isinstance(self.map, str) else self.map
        position = {name: i for i, name in enumerate(data.class_names)}
        matrix = np.eye(data.n_classes)
        for true, given in pairs.items():
            matrix[position[true], position[true]] -= self.rate
            matrix[position[true], position[given]] += self.rate
        return matrix

    def conventions(self) -> Mapping[str, Noise]:
        """The other named maps on the same classes."""
        if not isinstance(self.map, str):
            return {}
        classes = set(MAPS[self.map][0])
        return {
            name: Asymmetric(rate=self.rate, map=name)
            for name, (others, _) in MAPS.items()
            if name != self.map and set(others) == classes
        }

    def describe(self) -> str:
        """The rate and the map's name where it has one."""
        return f"asymmetric {self.rate:g}" + (f" {self.map}" if isinstance(self.map, str) else "")

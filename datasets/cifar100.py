"""CIFAR-100 through torchvision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import Dataset, Split
from datasets.cifar10 import split_of

if TYPE_CHECKING:
    from pathlib import Path

# Fine names in the order of their ids, which is alphabetical.
FINE = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
    "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
    "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo "
    "keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse "
    "mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy "
    "porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television "
    "tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


class Cifar100(Dataset):
    """60,000 colour images of 32x32 pixels in 100 fine classes of 20 super-classes."""

    name = "cifar100"
    paper = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
    class_names = tuple(FINE.split())
    official_size = (50_000, 10_000)

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Download (checked by torchvision's own md5) and decode."""
        from torchvision.datasets import CIFAR100

        train = CIFAR100(raw, train=True, download=True)
        test = CIFAR100(raw, train=False, download=True)
        return split_of(train), split_of(test), self.class_names

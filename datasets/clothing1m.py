"""Clothing1M from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from bench.api import DataError, Dataset, Field, Listing
from bench.data.layouts import numbered, read_lines

if TYPE_CHECKING:
    from pathlib import Path


class Clothing1M(Dataset):
    """A million images of clothes from shops, labelled from the words around them; 14 classes.

    Training uses the noisy training keys with their noisy labels, about 38 % of them wrong;
    testing the clean test keys. The clean training and validation keys are not used. Key files
    and label files are those that the authors send out; DivideMix's loader reads the same.
    """

    name = "clothing1m"
    paper = "Xiao et al., Learning from Massive Noisy Labeled Data, CVPR 2015"
    class_names = (
        *("T-Shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker"),
        *("Jacket", "Downcoat", "Suit", "Shawl", "Dress", "Vest", "Underwear"),
    )
    official_size = (1_000_000, 10_526)
    truth = False
    layout = """\
a folder with
  noisy_train_key_list.txt        a path such as images/0/00/1,2.jpg a line
  noisy_label_kv.txt              path and label 0 to 13
  clean_test_key_list.txt
  clean_label_kv.txt
  images/0/ ... images/9/"""
    size: Annotated[int, Field(ge=8)] = 256

    def list_files(self, source: Path) -> Listing:
        """Keys in the order of their lists."""
        parts = []
        for keys, labels in (
            ("noisy_train_key_list.txt", "noisy_label_kv.txt"),
            ("clean_test_key_list.txt", "clean_label_kv.txt"),
        ):
            known = {}
            for number, line in enumerate(read_lines(source / labels, self.layout), start=1):
                key, _, label = line.strip().rpartition(" ")
                if not key or not label.isdigit() or int(label) >= len(self.class_names):
                    raise DataError(f"{source / labels}:{number}: {line!r} is no path and label")
                known[key] = int(label)
            wanted = [line.strip() for line in read_lines(source / keys, self.layout)]
            for number, key in enumerate(wanted, start=1):
                if key not in known:
                    raise DataError(f"{source / keys}:{number}: {key} has no label in {labels}")
            parts.append(numbered((source / key, known[key]) for key in wanted))
        return Listing(parts[0], parts[1], self.class_names)

"""What the words of published tables mean here, read from ``aliases.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from bench import yaml_marks
from bench.errors import SpecError
from bench.protocol import Strict

ALIASES = Path(__file__).parent / "aliases.yaml"


class MethodAlias(Strict):
    """A published method: the plugin, the parameters that make it so, and how it still differs."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)
    variant: str = ""


class NoiseAlias(Strict):
    """A published noise.

    Attributes:
        name: the plugin; None where there is none.
        params: what the code says on every data set.
        by_dataset: what it says on one published data set.
        unsaid: a parameter that the code leaves open, except where ``by_dataset`` has it.
        rate_is: the plugin's parameter that the rate is, where that is not ``rate``.
        rates: how many rates the code may come with.
        exact: params say which noise it is, so that another value is another noise.
        unrated: the rate was counted, not asked for.
    """

    name: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    by_dataset: dict[str, dict[str, Any]] = Field(default_factory=dict)
    unsaid: str | None = None
    rate_is: str | None = None
    rates: tuple[int, ...] = (1,)
    exact: bool = False
    unrated: bool = False

    def on(self, dataset: str) -> tuple[dict[str, Any], str]:
        """What the code says on a data set, and the parameter that it leaves open there."""
        said = {**self.params, **self.by_dataset.get(dataset, {})}
        return said, "" if self.unsaid is None or self.unsaid in said else self.unsaid


class BackboneAlias(Strict):
    """A published backbone; ``unsure`` where the text leaves it open."""

    name: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    unsure: bool = False


class SelectionAlias(Strict):
    """A published way to choose the epoch: ours, or why there is none; neither if not stated."""

    selector: str | None = None
    why: str = ""


class Aliases(Strict):
    """All of it. A name that is not listed stands for itself, but for noises."""

    methods: dict[str, MethodAlias]
    datasets: dict[str, str]
    noises: dict[str, NoiseAlias]
    backbones: dict[str, BackboneAlias]
    selections: dict[str, SelectionAlias]

    def method(self, published: str) -> MethodAlias:
        """The plugin of a published method."""
        return self.methods.get(published) or MethodAlias(name=published)

    def dataset(self, published: str) -> str:
        """The plugin of a published data set."""
        return self.datasets.get(published, published)

    def published_datasets(self, names: Iterable[str]) -> set[str]:
        """The published words for some data sets of ours, their own names included."""
        wanted = set(names)
        return wanted | {word for word, name in self.datasets.items() if name in wanted}

    def backbone(self, published: str) -> BackboneAlias:
        """The plugin of a published backbone; an empty text leaves it open."""
        if not published:
            return BackboneAlias(unsure=True)
        return self.backbones.get(published) or BackboneAlias(name=published)

    def selection(self, reported: str) -> SelectionAlias:
        """How a figure was chosen, by the longest beginning of ``reported`` that is listed."""
        begins = [
            words for words in self.selections if re.match(rf"{re.escape(words)}(?!\w)", reported)
        ]
        return self.selections[max(begins, key=len)] if begins else SelectionAlias()


@cache
def load(path: Path = ALIASES) -> Aliases:
    """The aliases, checked.

    Raises:
        SpecError: ``file:line: what is wrong``.
    """
    marked = yaml_marks.load(path)
    try:
        return Aliases.model_validate(marked.data)
    except ValidationError as error:
        raise SpecError(
            "\n".join(f"{marked.where(tuple(e['loc']))}: {e['msg']}" for e in error.errors())
        ) from None

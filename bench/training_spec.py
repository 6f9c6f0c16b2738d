"""What a plan asks of a worker: all that determines one training and its refiners."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, overload


@dataclass(frozen=True)
class RefinerSpec:
    """One refiner of a training: what it is and the key of its evaluation."""

    evaluation_key: str
    name: str
    label: str
    params: dict[str, Any]
    source_sha: str


@dataclass(frozen=True)
class RefinerChoice:
    """A refiner as a suite asks for it, and what makes the key of its evaluation.

    Attributes:
        key_of: key of a training -> key of the training's evaluation under this refiner.
    """

    name: str
    label: str
    params: dict[str, Any]
    source_sha: str
    key_of: Callable[[str], str] = field(repr=False, compare=False)

    def of(self, training: str) -> RefinerSpec:
        """The refiner of one training."""
        return RefinerSpec(
            self.key_of(training), self.name, self.label, self.params, self.source_sha
        )


class PlannedRefiners(Sequence[RefinerSpec]):
    """The refiners of one training of a plan, each made when it is looked at.

    A plan may hold 100,000 trainings of which most are done, and the keys of their evaluations are
    never asked for.
    """

    __slots__ = ("_training", "choices")

    def __init__(self, training: str, choices: tuple[RefinerChoice, ...]) -> None:
        self._training = training
        self.choices = choices

    @overload
    def __getitem__(self, place: int) -> RefinerSpec: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[RefinerSpec, ...]: ...
    def __getitem__(self, place: int | slice) -> RefinerSpec | tuple[RefinerSpec, ...]:
        if isinstance(place, slice):
            return tuple(choice.of(self._training) for choice in self.choices[place])
        return self.choices[place].of(self._training)

    def __len__(self) -> int:
        return len(self.choices)

    def __iter__(self) -> Iterator[RefinerSpec]:
        return (choice.of(self._training) for choice in self.choices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((self._training, len(self.choices)))

    def __repr__(self) -> str:
        return repr(tuple(self))


@dataclass(frozen=True)
class NoiseSpec:
    """The wrong labels of a training, by recipe and by content."""

    name: str
    label: str
    params: dict[str, Any]
    source_sha: str
    artefact_sha: str


@dataclass(frozen=True)
class TrainingSpec:
    """All that determines one training; a worker needs nothing else but machine facts."""

    key: str
    dataset: str
    fingerprint: str
    noise: NoiseSpec
    method: str
    method_label: str
    method_params: dict[str, Any]
    method_source_sha: str
    knows: tuple[str, ...]
    uses: tuple[str, ...]
    cost: float
    protocol: dict[str, Any]
    protocol_sha: str
    backbone_source_sha: str
    seed: int
    refiners: Sequence[RefinerSpec]
    dataset_params: dict[str, Any] = field(default_factory=dict)

    def on(
        self, key: str, noise: NoiseSpec, seed: int, refiners: Sequence[RefinerSpec]
    ) -> TrainingSpec:
        """The same method on other labels; what ``replace`` gives, in a fifth of its time."""
        values = self.__dict__.copy()
        values.update(key=key, noise=noise, seed=seed, refiners=refiners)
        made = object.__new__(TrainingSpec)
        object.__setattr__(made, "__dict__", values)
        return made

    @property
    def name(self) -> str:
        """For logs and progress bars."""
        return f"{self.dataset} · {self.noise.label} · {self.method_label} · seed {self.seed}"

    @property
    def choices(self) -> Sequence[RefinerChoice | RefinerSpec]:
        """What the refiners are, without the keys of this training's evaluations."""
        refiners = self.refiners
        return refiners.choices if isinstance(refiners, PlannedRefiners) else refiners

    def to_json(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            **self.described(),
            "protocol": self.protocol,
            "refiners": [asdict(refiner) for refiner in self.refiners],
        }

    def described(self) -> dict[str, Any]:
        """What the database keeps beside its columns: all but the protocol and the refiners."""
        left_out = ("protocol", "refiners")
        kept = {key: value for key, value in vars(self).items() if key not in left_out}
        return {**kept, "noise": vars(self.noise).copy()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainingSpec:
        """The inverse of ``to_json``."""
        return cls(
            **{
                **data,
                "noise": NoiseSpec(**data["noise"]),
                "knows": tuple(data["knows"]),
                "uses": tuple(data["uses"]),
                "refiners": tuple(RefinerSpec(**refiner) for refiner in data["refiners"]),
            }
        )

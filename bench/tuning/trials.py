"""The trials of a suite: the same number of configurations for every method in every cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bench.cell import training_key
from bench.errors import BenchError
from bench.identity import content_sha
from bench.plan import OFF, Excluded, labelled, make_plan
from bench.protocol import Named
from bench.training_spec import PlannedRefiners
from bench.tuning.asked import FIRST_TRIAL_SEED, Tuning
from bench.tuning.space import Space, draw, search_space

if TYPE_CHECKING:
    from pathlib import Path

    from bench.plan import Plan
    from bench.registry import Registry
    from bench.spec import Suite
    from bench.training_spec import TrainingSpec

Place = tuple[str, str, str]
"""Fingerprint of the data set, label of the noise and label of the method of a cell."""


@dataclass(frozen=True)
class Setting:
    """One configuration: what of a method and of the protocol's optimiser takes other values."""

    params: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        values = {**self.params, **self.optimiser}
        return ", ".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in values.items()
        )


@dataclass(frozen=True)
class Trial:
    """A configuration in one cell.

    Attributes:
        number: 0 is the suite's own configuration, which counts like the others.
        trainings: one a trial seed.
    """

    number: int
    setting: Setting
    trainings: tuple[TrainingSpec, ...]


@dataclass(frozen=True)
class TunedCell:
    """A method on a data set under a noise, and its trials."""

    place: Place
    first: TrainingSpec
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Trials:
    """Everything that tuning a suite tries.

    Attributes:
        plan: of the suite at its own values, with the trial seeds and no refiner.
        spaces: what is searched of each method, by label.
        protocol_space: what is searched of the protocol.
        excluded: cells that are not tuned though they run, and why.
    """

    plan: Plan
    tuning: Tuning
    cells: tuple[TunedCell, ...]
    spaces: dict[str, Space]
    protocol_space: Space
    excluded: tuple[Excluded, ...]

    @property
    def trainings(self) -> tuple[TrainingSpec, ...]:
        """Of all trials, each once: configurations that are equal are one training."""
        found = {t.key: t for c in self.cells for trial in c.trials for t in trial.trainings}
        return tuple(found.values())


def make_trials(suite: Suite, tuning: Tuning, registry: Registry, data_dir: Path) -> Trials:
    """Plan the trials of a suite.

    Trial 0 has the suite's own values; the others are drawn, each for itself, so that more trials
    never change earlier ones. All cells of a method try the same configurations, and all methods
    the same learning rates. What the suite sets for a method is not searched.

    Args:
        suite: at its budget.
        tuning: how much, and what of the protocol.
        registry: where methods declare their parameters.
        data_dir: of the prepared data.

    Raises:
        BenchError: nothing is held out, so that nothing can be selected.
    """
    if suite.protocol.noisy_validation == 0:
        raise BenchError(
            f"suite {suite.suite!r} holds no noisy validation samples out, which trials are judged "
            f"by; set protocol: {{noisy_validation: 0.1}}"
        )
    seeds = _trial_seeds(suite, tuning.trial_seeds)
    off = (Named(name=OFF),)
    plan = make_plan(suite.model_copy(update={"seeds": seeds, "refiners": off}), registry, data_dir)
    folds = {info.fingerprint: info.n_folds for info in plan.data}
    labels = {info.fingerprint: info.label for info in plan.data}
    fixed = _fixed(suite, registry)
    protocol_space = tuning.protocol_space()
    groups: dict[Place, list[TrainingSpec]] = {}
    for training in plan.trainings:
        place = (training.fingerprint, training.noise.label, training.method_label)
        groups.setdefault(place, []).append(training)
    spaces: dict[str, Space] = {}
    cells, excluded = [], []
    for place, trainings in groups.items():
        first = trainings[0]
        if folds[first.fingerprint]:
            reason = "is not tuned: samples held out in one official split test another"
            excluded.append(Excluded(labels[first.fingerprint], *place[1:], reason))
            continue
        set_by_suite = fixed[first.method_label]
        if first.method_label not in spaces:
            whole = search_space(registry.get("method", first.method))
            spaces[first.method_label] = {
                name: kind for name, kind in whole.items() if name not in set_by_suite
            }
        at_once = bool(registry.get("method", first.method).declared["fits_at_once"])
        trials = []
        for number in range(tuning.trials):
            setting = _setting(
                number, first.method, spaces[first.method_label], {} if at_once else protocol_space
            )
            tried = tuple(varied(training, setting) for training in trainings)
            trials.append(Trial(number, setting, tried))
        cells.append(TunedCell(place, first, tuple(trials)))
    return Trials(plan, tuning, tuple(cells), spaces, protocol_space, tuple(excluded))


def varied(training: TrainingSpec, setting: Setting) -> TrainingSpec:
    """The training under another configuration, with the key that a suite would give it."""
    protocol = training.protocol
    if setting.optimiser:
        protocol = {**protocol, "optimiser": {**protocol["optimiser"], **setting.optimiser}}
    params = {**training.method_params, **setting.params}
    key = training_key(
        method={"name": training.method, "params": params, "source": training.method_source_sha},
        fingerprint=training.fingerprint,
        artefact_sha=training.noise.artefact_sha,
        protocol=protocol,
        seed=training.seed,
    )
    choices = training.choices
    return replace(
        training,
        key=key,
        method_params=params,
        protocol=protocol,
        protocol_sha=content_sha(protocol),
        refiners=PlannedRefiners(key, tuple(choices)),  # type: ignore[arg-type]
    )


def _setting(number: int, method: str, space: Space, protocol_space: Space) -> Setting:
    if number == 0:
        return Setting()
    return Setting(draw(space, number, method), draw(protocol_space, number, "protocol"))


def _trial_seeds(suite: Suite, count: int) -> tuple[int, ...]:
    seeds: list[int] = []
    candidate = FIRST_TRIAL_SEED
    while len(seeds) < count:
        if candidate not in suite.seeds:
            seeds.append(candidate)
        candidate += 1
    return tuple(seeds)


def _fixed(suite: Suite, registry: Registry) -> Mapping[str, frozenset[str]]:
    """Parameters that the suite sets, by label of the method."""
    return {
        label: frozenset(item.params).union(
            *(o.params for o in suite.overrides if o.when.method in (None, item.name))
        )
        for label, item in labelled(suite.methods, "method", registry).items()
    }

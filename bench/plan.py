"""A suite and the data at hand become the list of trainings; nothing is executed here."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.cell import Cells
from bench.data.arrays import exists
from bench.data.prepared import read_info
from bench.drawing import Artefact, NoiseSource
from bench.errors import PluginError, SpecError
from bench.identity import content_sha
from bench.rank_rules import parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bench.api import DataInfo
    from bench.plugin_info import PluginInfo
    from bench.protocol import Named
    from bench.registry import Registry
    from bench.spec import Suite, When
    from bench.training_spec import TrainingSpec


OFF = "off"
"""The refiner that changes nothing."""


@dataclass(frozen=True)
class Excluded:
    """A cell that does not run, and why."""

    dataset: str
    noise: str
    method: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """Everything one suite at one budget asks for on the data at hand.

    Attributes:
        board: content hash of suite, budget, protocol and data sets: what may be ranked together.
        trainings: in the order in which they will run.
    """

    suite: Suite
    board: str
    data: tuple[DataInfo, ...]
    artefacts: tuple[Artefact, ...]
    trainings: tuple[TrainingSpec, ...]
    excluded: tuple[Excluded, ...]


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Without looking for garbage: all that a plan makes stays, and may be a million objects."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_garbage_left()
def make_plan(suite: Suite, registry: Registry, data_dir: Path) -> Plan:
    """Cross the axes of a suite.

    Raises:
        DataError: a data set is absent or damaged.
        SpecError: two items of a list are the same, or a rule for k has nothing to go by.
    """
    protocol = _resolved_protocol(suite, registry)
    methods = labelled(suite.methods, "method", registry)
    refiners = labelled(suite.refiners, "refiner", registry)
    _check_rules(suite, refiners, registry)
    cells = Cells(protocol, refiners, registry)
    artefacts: list[Artefact] = []
    trainings: list[TrainingSpec] = []
    excluded: list[Excluded] = []
    chosen = list(suite.datasets)
    for item in suite.if_present:
        if exists(registry.bind("dataset", item.name, item.params), data_dir):
            chosen.append(item)
        else:
            reason = f"is not in {data_dir}; see: python -m bench data list"
            excluded += [Excluded(item.name, "any noise", m, reason) for m in methods]
    names = [registry.bind("dataset", item.name, item.params) for item in chosen]
    data = tuple(read_info(name, data_dir, registry) for name in names)
    for info, dataset in zip(data, chosen, strict=True):
        source = NoiseSource(info, registry, data_dir)
        _check_folds(info, suite.seeds)
        shown: set[str] = set()
        for noise in suite.noises:
            drawn = source.draw(noise, suite.seeds)
            if isinstance(drawn, str):
                label = str(noise.params.get("rate", "")) if noise.params else ""
                name = f"{noise.name} {label}".strip()
                excluded += [Excluded(info.label, name, m, drawn) for m in methods]
                continue
            artefacts += drawn
            label = drawn[0].noise.label
            if label in shown:
                raise SpecError(
                    f"two noises of the suite are both shown as {label!r}; drop one, or give them "
                    f"names where the noise has a parameter for it (called)"
                )
            shown.add(label)
            for method_label, item in methods.items():
                cell = _cell(suite, info, dataset, drawn[0], item, refiners, registry)
                if isinstance(cell, str):
                    excluded.append(Excluded(info.label, label, method_label, cell))
                    continue
                params, kept = cell
                method = (item.name, method_label, params)
                trainings += cells.trainings(info, dataset, method, kept, drawn)
    board = content_sha(
        [suite.suite, suite.budget, protocol, sorted(info.fingerprint for info in data)]
    )
    return Plan(suite, board, data, tuple(artefacts), tuple(trainings), tuple(excluded))


def _cell(
    suite: Suite,
    info: DataInfo,
    dataset: Named,
    artefact: Artefact,
    item: Named,
    refiners: Mapping[str, Named],
    registry: Registry,
) -> tuple[dict[str, Any], list[str]] | str:
    """Parameters and refiners of a method on data under a noise, or why it does not run there."""
    where = (dataset.name, artefact.noise.name, item.name)
    if _matches(suite.exclude, *where):
        return "excluded by the suite"
    params = _method_params(suite, item, dataset.name, artefact.noise.name, registry)
    plugin = registry.get("method", item.name)
    if artefact.partial and plugin.declared["learns_from"] == "labels":
        return "learns from one label a sample, and these are candidate sets"
    told = plugin.told(params)
    if told and not info.truth:
        return f"is told the {told[0]}, which nobody knows of {info.label}"
    kept = [
        label
        for label, refiner in refiners.items()
        if (plugin.declared["has_head"] or refiner.name == OFF)
        and not _matches(suite.exclude, *where, refiner.name)
    ]
    return params, kept


def _resolved_protocol(suite: Suite, registry: Registry) -> dict[str, Any]:
    item = suite.protocol.backbone
    info = registry.get("backbone", item.name)
    backbone = {
        "name": item.name,
        "params": info.resolve(item.params),
        "source": info.source_sha,
    }
    return {**suite.protocol.model_dump(mode="json"), "backbone": backbone}


def labelled(items: tuple[Named, ...], kind: str, registry: Registry) -> dict[str, Named]:
    """Label -> item; the label is the name and the parameters that differ from the defaults."""
    labelled: dict[str, Named] = {}
    for item in items:
        info = registry.get(kind, item.name)
        label = _label(info, item.params)
        if label in labelled:
            raise SpecError(f"{kind} {label!r} is listed twice")
        labelled[label] = item
    return labelled


def _label(info: PluginInfo, params: Mapping[str, Any]) -> str:
    defaults = info.resolve({})
    resolved = info.resolve(params)
    changed = [f"{key}={_short(resolved[key])}" for key in params if resolved[key] != defaults[key]]
    return f"{info.name}({', '.join(changed)})" if changed else info.name


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _method_params(
    suite: Suite, item: Named, dataset: str, noise: str, registry: Registry
) -> dict[str, Any]:
    """Plugin default < the paper's value for the data set < the suite's item < its overrides."""
    info = registry.get("method", item.name)
    merged = {**info.declared["paper_params"].get(dataset, {}), **item.params}
    for position, override in enumerate(suite.overrides):
        if _matches((override.when,), dataset, noise, item.name):
            merged.update(override.params)
            try:
                info.resolve(override.params)
            except PluginError as error:
                raise SpecError(f"overrides[{position}]: {item.name}: {error}") from None
    return info.resolve(merged)


def _matches(
    rules: tuple[When, ...], dataset: str, noise: str, method: str, refiner: str | None = None
) -> bool:
    for when in rules:
        if (
            when.dataset in (None, dataset)
            and when.noise in (None, noise)
            and when.method in (None, method)
            and (when.refiner == refiner)
        ):
            return True
    return False


def _check_rules(suite: Suite, refiners: Mapping[str, Named], registry: Registry) -> None:
    for label, item in refiners.items():
        info = registry.get("refiner", item.name)
        if not info.declared["has_rank"] or "k" not in info.parameters:
            continue
        rule = parse_rule(info.resolve(item.params)["k"])
        if rule.needs_validation and suite.protocol.noisy_validation == 0:
            raise SpecError(
                f"refiner {label!r} chooses k by {rule.name!r}, but protocol.noisy_validation "
                f"is 0; hold samples out, or write {{{item.name}: {{k: 'energy:0.9'}}}}"
            )


def _check_folds(info: DataInfo, seeds: tuple[int, ...]) -> None:
    """Two seeds of one official split would count one result twice."""
    if info.n_folds and len({seed % info.n_folds for seed in seeds}) < len(seeds):
        raise SpecError(
            f"{info.label} has {info.n_folds} official splits, of which the seed chooses one; the "
            f"seeds {', '.join(map(str, seeds))} repeat some. Use seeds: {info.n_folds} or fewer"
        )


def only(plan: Plan, filters: Mapping[str, set[str]]) -> Iterator[TrainingSpec]:
    """The trainings whose method, dataset, noise or seed is in the filters (all must hold)."""
    if not filters:
        yield from plan.trainings
        return
    for training in plan.trainings:
        values = {
            "method": {training.method, training.method_label},
            "dataset": {training.dataset},
            "noise": {training.noise.name, training.noise.label},
            "seed": {str(training.seed)},
        }
        if all(values[axis] & wanted for axis, wanted in filters.items()):
            yield training

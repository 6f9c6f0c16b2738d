"""Keys of trainings and evaluations, and the trainings of one method on one data set and noise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from bench.identity import ENGINE, Pattern, canonical, content_sha
from bench.training_spec import NoiseSpec, PlannedRefiners, RefinerChoice, TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.api import DataInfo
    from bench.drawing import Artefact
    from bench.protocol import Named
    from bench.registry import Registry


def training_key(
    *,
    method: Mapping[str, Any],
    fingerprint: str,
    artefact_sha: str,
    protocol: Mapping[str, Any],
    seed: int,
) -> str:
    """Identity of a training: all that determines its result, and nothing about the machine."""
    return content_sha(
        _of_training(
            method=method,
            fingerprint=fingerprint,
            artefact_sha=artefact_sha,
            protocol=protocol,
            seed=seed,
        )
    )


def evaluation_key(training: str, refiner: str, params: Mapping[str, Any], source_sha: str) -> str:
    """Identity of an evaluation: the training, the refiner, its parameters and its code."""
    return content_sha(_of_evaluation(training, refiner, params, source_sha))


def _of_training(
    method: Mapping[str, Any],
    fingerprint: str,
    artefact_sha: str,
    protocol: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    return {
        "engine": ENGINE,
        "method": dict(method),
        "dataset": fingerprint,
        "noise": artefact_sha,
        "protocol": dict(protocol),
        "seed": seed,
    }


def _of_evaluation(
    training: str, refiner: str, params: Mapping[str, Any], source_sha: str
) -> list[Any]:
    return [training, refiner, dict(params), source_sha]


class Cells:
    """Makes the trainings of a plan, cell by cell; what cells share is worked out once."""

    def __init__(
        self, protocol: dict[str, Any], refiners: Mapping[str, Named], registry: Registry
    ) -> None:
        """Work out what is the same in every cell.

        Args:
            protocol: resolved, its backbone with parameters and source.
            refiners: label -> refiner, all of the suite.
            registry: where plugins come from.
        """
        self._registry = registry
        at_once = {**protocol, "epochs": 1}  # of methods that fit in one go
        self._protocols = {False: protocol, True: at_once}
        self._protocol_shas = {key: content_sha(value) for key, value in self._protocols.items()}
        self._refiners = {
            label: _refiner(label, item, registry) for label, item in refiners.items()
        }
        self._asked: dict[tuple[str, ...], tuple[RefinerChoice, ...]] = {}
        self._patterns: dict[tuple[str, str, str], Pattern] = {}

    def trainings(
        self,
        info: DataInfo,
        dataset: Named,
        method: tuple[str, str, dict[str, Any]],
        refiners: Iterable[str],
        artefacts: Iterable[Artefact],
    ) -> list[TrainingSpec]:
        """The trainings of one cell, one a noise artefact.

        Args:
            info: the prepared data set.
            dataset: as the suite names it.
            method: name, label and all parameters.
            refiners: labels of those that this cell is evaluated under.
            artefacts: labels to learn from, each with its seed.
        """
        name, label, params = method
        plugin = self._registry.get("method", name)
        at_once = bool(plugin.declared["fits_at_once"])
        protocol = self._protocols[at_once]
        shared: dict[str, Any] = {
            "dataset": dataset.name,
            "dataset_params": dataset.params,
            "fingerprint": info.fingerprint,
            "method": name,
            "method_label": label,
            "method_params": params,
            "method_source_sha": plugin.source_sha,
            "knows": tuple(plugin.told(params)),
            "uses": tuple(plugin.declared["uses"]),
            "cost": float(plugin.declared["cost"]),
            "protocol": protocol,
            "protocol_sha": self._protocol_shas[at_once],
            "backbone_source_sha": protocol["backbone"]["source"],
        }
        pattern = self._pattern(name, plugin.source_sha, params, info.fingerprint, protocol)
        choices = self._choices(tuple(refiners))
        found: list[TrainingSpec] = []
        for artefact in artefacts:
            key = pattern.sha(artefact.sha, artefact.seed)
            own = key, artefact.noise, artefact.seed, PlannedRefiners(key, choices)
            found.append(found[0].on(*own) if found else _training(*own, shared))
        return found

    def _choices(self, labels: tuple[str, ...]) -> tuple[RefinerChoice, ...]:
        """One tuple for all cells with the same refiners, so that it can be told by identity."""
        if labels not in self._asked:
            self._asked[labels] = tuple(self._refiners[label] for label in labels)
        return self._asked[labels]

    def _pattern(
        self,
        method: str,
        source_sha: str,
        params: dict[str, Any],
        fingerprint: str,
        protocol: dict[str, Any],
    ) -> Pattern:
        """What makes the keys of a method's trainings on a data set."""
        of = (method, canonical(params), fingerprint)
        if of not in self._patterns:
            build = partial(
                _of_training,
                method={"name": method, "params": params, "source": source_sha},
                fingerprint=fingerprint,
                protocol=protocol,
            )
            self._patterns[of] = Pattern(build, "artefact_sha", "seed")
        return self._patterns[of]


def _training(
    key: str, noise: NoiseSpec, seed: int, refiners: PlannedRefiners, shared: dict[str, Any]
) -> TrainingSpec:
    return TrainingSpec(key=key, noise=noise, seed=seed, refiners=refiners, **shared)


def _refiner(label: str, item: Named, registry: Registry) -> RefinerChoice:
    info = registry.get("refiner", item.name)
    params = info.resolve(item.params)
    build = partial(_of_evaluation, refiner=item.name, params=params, source_sha=info.source_sha)
    key_of = Pattern(build, "training").sha
    return RefinerChoice(item.name, label, params, info.source_sha, key_of)

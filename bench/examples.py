"""Images under wrong labels, stored once for each data set and noise of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.artefacts import PreparedTrainingSet
from bench.data.audit import Example, examples
from bench.data.prepared import load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bench.drawing import Artefact
    from bench.plan import Plan
    from bench.registry import Registry


def first_artefacts(plan: Plan) -> list[Artefact]:
    """One artefact for each data set and noise, that of the first seed, where labels are wrong."""
    found: dict[tuple[str, str], Artefact] = {}
    for artefact in plan.artefacts:
        if artefact.rate != 0:
            found.setdefault((artefact.data.fingerprint, artefact.noise.label), artefact)
    return list(found.values())


def missing_examples(
    plan: Plan, known: Collection[str], registry: Registry, data_dir: Path
) -> Iterator[tuple[str, list[Example]]]:
    """Examples of every artefact whose hash is not known yet; arrays are read only for those."""
    for artefact in first_artefacts(plan):
        if artefact.sha in known or len(artefact.data.shape) != 3:
            continue
        prepared = load(artefact.data.name, data_dir, registry).at(artefact.seed)
        train = PreparedTrainingSet(prepared, registry, data_dir)
        yield artefact.sha, examples(artefact.content, train)

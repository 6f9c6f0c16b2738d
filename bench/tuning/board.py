"""The tuned board of a suite: the winners again, with fresh seeds and every refiner."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.errors import SpecError
from bench.identity import content_sha
from bench.plan import Excluded, Plan, make_plan
from bench.spec import Suite
from bench.tuning.asked import TUNED, Tuning
from bench.tuning.space import as_json
from bench.tuning.trials import varied

if TYPE_CHECKING:
    from pathlib import Path

    from bench.registry import Registry
    from bench.tuning.choose import Choice
    from bench.tuning.trials import Trials


class TunedSuite(Suite):
    """A suite whose methods were tuned, with the budget, the spaces and what was chosen."""

    tuned: dict[str, Any]


def make_tuned(
    suite: Suite, trials: Trials, choice: Choice, registry: Registry, data_dir: Path
) -> Plan:
    """The plan of the winners under the suite's own seeds, which no trial had.

    Cells under other seeds than the trials' are comparable with the board of the suite itself: they
    have the same wrong labels. Cells that are not decided are left out with the reason.

    Raises:
        SpecError: a seed of the suite is one of the trials'.
    """
    trial_seeds = {t.seed for t in trials.plan.trainings}
    if trial_seeds & set(suite.seeds):
        raise SpecError(
            f"seeds of trials must be none of the suite's: {sorted(trial_seeds & set(suite.seeds))}"
        )
    base = make_plan(suite, registry, data_dir)
    labels = {info.fingerprint: info.label for info in base.data}
    trainings = [
        varied(training, choice.winners[place].setting)
        for training in base.trainings
        if (place := (training.fingerprint, training.noise.label, training.method_label))
        in choice.winners
    ]
    excluded = [*base.excluded, *trials.excluded]
    for places, reason in (
        (choice.open, "has trials that were not tried yet; python -m bench tune goes on with them"),
        (choice.hopeless, "has no trial that gave a result"),
    ):
        excluded += [Excluded(labels[p[0]], p[1], p[2], reason) for p in places if p[0] in labels]
    asked = {
        "tuning": trials.tuning.model_dump(mode="json"),
        "spaces": {label: as_json(space) for label, space in sorted(trials.spaces.items())},
        "protocol_space": as_json(trials.protocol_space),
    }
    board = content_sha([base.board, asked])
    tuned = {
        "protocol": "tuned",
        **asked,
        "trial_seeds": sorted(trial_seeds),
        "winners": [
            {
                "dataset": labels[place[0]],
                "noise": place[1],
                "method": place[2],
                **{key: value for key, value in asdict(winner).items() if key != "place"},
            }
            for place, winner in choice.winners.items()
        ],
    }
    count = trials.tuning.trials
    named = {
        **dict(suite),
        "suite": f"{suite.suite}{TUNED}",
        "title": f"{suite.title or suite.suite}, tuned: {count} trials a method",
        "tuned": tuned,
    }
    return Plan(
        TunedSuite.model_construct(**named),
        board,
        base.data,
        base.artefacts,
        tuple(trainings),
        tuple(excluded),
    )


def asked_before(connection: sqlite3.Connection, suite: Suite) -> Tuning | None:
    """How the suite was tuned last in this database at this budget; None where it was not."""
    row = connection.execute(
        "SELECT spec FROM boards WHERE suite = ? AND budget = ? ORDER BY planned_at DESC LIMIT 1",
        [f"{suite.suite}{TUNED}", suite.budget],
    ).fetchone()
    if row is None:
        return None
    return Tuning.model_validate(json.loads(row[0])["tuned"]["tuning"])

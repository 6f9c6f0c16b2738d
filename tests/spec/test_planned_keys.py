"""Keys that a plan makes by the hundred thousand are those that their definitions give."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import SUITE, planned

from bench.cell import evaluation_key, training_key
from bench.identity import Pattern, content_sha
from bench.registry import Registry
from bench.training_spec import TrainingSpec

TEXT = st.text(max_size=12)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(constant=VALUE, name=TEXT, seed=st.integers(0, 2**31))
def test_a_pattern_hashes_as_the_whole_value_does(constant: Any, name: str, seed: int) -> None:
    def build(name: str, seed: int) -> dict[str, Any]:
        return {"z": [seed, name], "a": constant, "per%cent": {"name": name, "seed": seed}}

    pattern = Pattern(build, "name", "seed")
    assert pattern.sha(name, seed) == content_sha(build(name, seed))


def test_leaves_may_be_given_in_another_order_than_they_are_written() -> None:
    def build(first: str, second: int) -> dict[str, Any]:
        return {"b": first, "a": second}

    assert Pattern(build, "first", "second").sha("x", 7) == content_sha({"a": 7, "b": "x"})


def test_a_plan_gives_the_keys_of_the_definitions(
    registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    plan = planned(SUITE.replace("SEEDS", "2"), tmp_path, registry, data_dir)
    assert len({training.key for training in plan.trainings}) == len(plan.trainings) == 18
    for training in plan.trainings:
        source = {"name": training.method, "source": training.method_source_sha}
        assert training.key == training_key(
            method={**source, "params": training.method_params},
            fingerprint=training.fingerprint,
            artefact_sha=training.noise.artefact_sha,
            protocol=training.protocol,
            seed=training.seed,
        )
        of_it = partial(evaluation_key, training.key)
        assert [r.evaluation_key for r in training.refiners] == [
            of_it(r.name, r.params, r.source_sha) for r in training.refiners
        ]


def test_a_planned_training_is_the_same_after_a_trip_through_json(
    registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    training = planned(SUITE.replace("SEEDS", "1"), tmp_path, registry, data_dir).trainings[0]
    travelled = TrainingSpec.from_json(json.loads(json.dumps(training.to_json())))
    assert travelled == training
    assert [r.label for r in travelled.refiners[1:]] == ["lip", "psp"]


def test_a_training_on_other_labels_is_what_replacing_its_fields_gives(
    registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    first, *_, last = planned(SUITE.replace("SEEDS", "2"), tmp_path, registry, data_dir).trainings
    own = {"key": last.key, "noise": last.noise, "seed": last.seed, "refiners": last.refiners}
    assert first.on(**own) == replace(first, **own) != first


def test_a_plan_leaves_the_garbage_collector_on(
    registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    planned(SUITE.replace("SEEDS", "1"), tmp_path, registry, data_dir)
    assert gc.isenabled()

"""What changes a key and what does not."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cell import evaluation_key, training_key
from bench.identity import axis_seed, canonical, content_sha
from bench.plan import make_plan
from bench.registry import Registry, discover
from bench.settings import Settings
from bench.source import source_sha
from bench.spec import load_suite

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)

INGREDIENTS: dict[str, Any] = {
    "method": {"name": "elr", "params": {"beta": 0.7, "lam": 3.0}, "source": "s"},
    "fingerprint": "f" * 64,
    "artefact_sha": "a" * 64,
    "protocol": {"backbone": {"name": "mlp", "params": {"width": 8}}, "epochs": 3, "lr": 0.1},
    "seed": 0,
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    return [path]


@pytest.mark.parametrize("path", leaves(INGREDIENTS))
def test_every_ingredient_of_a_training_changes_its_key(path: tuple[Any, ...]) -> None:
    changed = copy.deepcopy(INGREDIENTS)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = f"{place[path[-1]]}-other" if isinstance(place[path[-1]], str) else 99
    assert training_key(**changed) != training_key(**INGREDIENTS)


@given(JSON)
def test_the_order_of_keys_does_not_change_a_hash(value: Any) -> None:
    def reversed_keys(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: reversed_keys(item[key]) for key in reversed(list(item))}
        return [reversed_keys(i) for i in item] if isinstance(item, list) else item

    assert content_sha(value) == content_sha(reversed_keys(value))


@given(JSON, JSON)
def test_different_values_have_different_hashes(a: Any, b: Any) -> None:
    if content_sha(a) == content_sha(b):
        assert canonical(a) == canonical(b)
        assert a == b


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_value_with_and_without_a_point(number: int) -> None:
    assert content_sha({"lam": number}) == content_sha({"lam": float(number)})


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, {"a": {1, 2}}])
def test_what_is_no_json_has_no_identity(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical(value)


@given(st.sampled_from(["split", "noise", "init", "order"]), st.integers(0, 100))
def test_axes_do_not_share_a_stream(axis: str, seed: int) -> None:
    others = {axis_seed(other, seed) for other in ("split", "noise", "init", "order")}
    assert len(others) == 4
    assert 0 <= axis_seed(axis, seed) < 2**63


def test_an_evaluation_depends_on_training_refiner_parameters_and_code() -> None:
    base = evaluation_key("t", "lip", {"k": "noisy-val"}, "s")
    assert base not in {
        evaluation_key("u", "lip", {"k": "noisy-val"}, "s"),
        evaluation_key("t", "psp", {"k": "noisy-val"}, "s"),
        evaluation_key("t", "lip", {"k": "fixed:3"}, "s"),
        evaluation_key("t", "lip", {"k": "noisy-val"}, "r"),
    }


def plan_keys(path: Path, registry: Registry, data_dir: Path) -> dict[str, str]:
    plan = make_plan(load_suite(str(path), None, registry), registry, data_dir)
    return {training.name: training.key for training in plan.trainings}


def test_order_paths_and_the_data_folder_do_not_change_a_key(
    write_suite: Callable[..., Path], registry: Registry, data_dir: Path, tmp_path: Path
) -> None:
    text = write_suite().read_text()
    shuffled = text.replace("[ce, elr]", "[elr, ce]").replace(
        "  - clean\n  - symmetric: {rate: 0.5}\n", "  - symmetric: {rate: 0.5}\n  - clean\n"
    )
    assert shuffled != text
    first = plan_keys(write_suite(text, "a.yaml"), registry, data_dir)
    second = plan_keys(write_suite(shuffled, "b.yaml"), registry, tmp_path / "elsewhere")
    assert first == second


def test_machine_facts_have_no_way_into_a_key() -> None:
    machine = {field.name for field in fields(Settings)} - {"db", "data_dir"}
    assert machine == {"device", "jobs", "threads", "gpus", "slots_per_gpu", "stack"}
    assert not machine & set(training_key.__kwdefaults__ or {})
    assert not machine & set(training_key.__annotations__)


def test_every_protocol_setting_is_part_of_the_key(
    write_suite: Callable[..., Path], registry: Registry, data_dir: Path
) -> None:
    text = write_suite().read_text()
    changes = {
        "epochs": "  epochs: 3\n",
        "batch_size": "  batch_size: 64\n",
        "optimiser": "  optimiser: {lr: 0.3}\n",
        "schedule": "  schedule: {name: constant}\n",
        "augmentation": "  augmentation: [crop]\n",
        "noisy_validation": "  noisy_validation: 0.2\n",
        "gradient_clip": "  gradient_clip: 5\n",
        "precision": "  precision: fp32\n",
        "compile": "  compile: on\n",
        "backbone": "  backbone: {mlp: {width: 17, depth: 1}}\n",
    }
    from bench.protocol import Protocol

    assert set(changes) == set(Protocol.model_fields)
    base = plan_keys(write_suite(text), registry, data_dir)
    for key, line in changes.items():
        kept = [old for old in text.splitlines(True) if not old.startswith(f"  {key}:")]
        changed = plan_keys(write_suite("".join(kept) + line), registry, data_dir)
        assert changed.keys() == base.keys()
        assert not set(changed.values()) & set(base.values()), key


PLUGIN = '''"""A loss."""

from __future__ import annotations

import torch.nn.functional as F

from bench.api import loss


@loss(name="edited", paper="none")
def edited(logits, targets, scale: float = 1.0):
    """Scaled cross entropy."""
    return scale * F.cross_entropy(logits, targets, reduction="none")
'''


def edited_keys(
    text: str, write_suite: Callable[..., Path], tmp_path: Path, data_dir: Path
) -> set[str]:
    plugin = tmp_path / "edited.py"
    plugin.write_text(text)
    registry = discover([plugin])
    suite = write_suite(write_suite().read_text().replace("[ce, elr]", "[edited]"))
    return set(plan_keys(suite, registry, data_dir).values())


def test_editing_a_plugins_code_changes_its_keys_and_editing_comments_does_not(
    write_suite: Callable[..., Path], tmp_path: Path, data_dir: Path
) -> None:
    base = edited_keys(PLUGIN, write_suite, tmp_path, data_dir)
    commented = PLUGIN.replace("    return", "    # why\n\n    return").replace("A loss.", "L.")
    assert edited_keys(commented, write_suite, tmp_path, data_dir) == base
    changed = PLUGIN.replace("return scale", "return 2 * scale")
    assert not edited_keys(changed, write_suite, tmp_path, data_dir) & base


@pytest.mark.parametrize(
    "change",
    [("1.0", "1.5"), ("scale *", "scale +"), ("reduction", "weight"), ("edited(", "renamed(")],
)
def test_a_change_of_code_changes_its_hash(change: tuple[str, str]) -> None:
    assert source_sha(PLUGIN.replace(*change)) != source_sha(PLUGIN)

"""Suite files: what they may say, and how they are told that something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import yaml_marks
from bench.errors import SpecError
from bench.registry import Registry
from bench.spec import grid, json_schema, load_suite
from bench.suite_files import suite_names

Write = Callable[..., Path]

BASE = """suite: mine
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.2}}]
methods: [ce, elr]
"""


def error_of(path: Path, registry: Registry, budget: str | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        load_suite(str(path), budget, registry)
    return str(caught.value)


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_is_valid_at_every_budget(name: str, registry: Registry) -> None:
    suite = load_suite(name, None, registry)
    for budget in suite.budgets:
        assert load_suite(name, budget, registry).budget == budget


def test_off_is_a_refiner_and_not_a_boolean(write_suite: Write, registry: Registry) -> None:
    suite = load_suite(str(write_suite(BASE + "refiners: [off, lip]\n")), None, registry)
    assert [item.name for item in suite.refiners] == ["off", "lip"]


def test_a_number_with_an_exponent_is_a_number(write_suite: Write, registry: Registry) -> None:
    path = write_suite(BASE + "protocol: {optimiser: {weight_decay: 5e-4}}\n")
    assert load_suite(str(path), None, registry).protocol.optimiser.weight_decay == 5e-4


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "protocol:\n  epoch: 3\n",
            "suite.yaml:6: unknown key 'epoch' in protocol, did you mean 'epochs'?",
        ),
        ("seed: 3\n", "suite.yaml:5: unknown key 'seed', did you mean 'seeds'?"),
        (
            "protocol:\n  epochs: many\n",
            "suite.yaml:6: protocol.epochs: input should be a valid integer",
        ),
        ("budgets:\n  big:\n    epochs: 3\n", "suite.yaml:7: unknown key 'epochs' in budgets.big"),
        ("protocol:\n  backbone: resnet43\n", "did you mean 'resnet34'"),
        ("protocol: {noisy_validation: 0.9}\n", "protocol.noisy_validation"),
        ("seeds: [1, 1]\n", "suite.yaml:5: seeds: a seed is given twice"),
        ("exclude:\n  - {method: ecl}\n", "suite.yaml:6: no method 'ecl' in this suite"),
        ("exclude:\n  - {}\n", "suite.yaml:6: it selects nothing"),
        ("suite: again\n", "suite.yaml:5: key 'suite' is given twice"),
        ("seeds: [1\n", "not valid YAML"),
        ("refiners: [{lip: {k: oracle}}]\n", "no rule 'oracle'"),
    ],
)
def test_an_error_names_file_line_and_remedy(
    lines: str, message: str, write_suite: Write, registry: Registry
) -> None:
    assert message in error_of(write_suite(BASE + lines), registry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ce, elr", "ce, erl"), "suite.yaml:4: unknown method 'erl', did you mean 'elr'?"),
        (("[digits]", "[digts]"), "suite.yaml:2: unknown dataset 'digts', did you mean 'digits'?"),
        (("symmetric:", "symetric:"), "suite.yaml:3: unknown noise 'symetric', did you mean"),
        (("rate: 0.2", "rate: 1.2"), "suite.yaml:3: symmetric: rate: input should be less than"),
        (("rate: 0.2", "ratio: 0.2"), "suite.yaml:3: symmetric: unknown parameter 'ratio', did"),
        (("suite: mine", "suite: My Suite"), "suite.yaml:1: suite:"),
        (("methods: [ce, elr]", ""), "suite.yaml:1: a suite needs the key 'methods'"),
        (("[ce, elr]", "[]"), "suite.yaml:4: methods:"),
    ],
)
def test_a_wrong_name_or_value_is_found_at_its_line(
    change: tuple[str, str], message: str, write_suite: Write, registry: Registry
) -> None:
    assert message in error_of(write_suite(BASE.replace(*change)), registry)


def test_a_block_list_reports_the_line_of_the_item(write_suite: Write, registry: Registry) -> None:
    text = "suite: mine\ndatasets: [digits]\nnoises: [clean]\nmethods:\n  - ce\n  - erl\n"
    assert error_of(write_suite(text), registry).startswith(str(write_suite(text)) + ":6:")


def test_an_unknown_suite_offers_the_nearest(registry: Registry) -> None:
    with pytest.raises(SpecError, match="unknown suite 'digit', did you mean 'digits'"):
        load_suite("digit", None, registry)


def test_an_unknown_budget_offers_the_nearest(registry: Registry) -> None:
    with pytest.raises(SpecError, match="no budget 'smok', did you mean 'smoke'"):
        load_suite("digits", "smok", registry)


def test_extends_merges_mappings_and_replaces_lists(write_suite: Write, registry: Registry) -> None:
    write_suite(BASE + "protocol: {epochs: 7, batch_size: 32}\n", "base.yaml")
    child = write_suite(
        "extends: base.yaml\nsuite: child\nmethods: [gce]\nprotocol: {epochs: 9}\n", "child.yaml"
    )
    suite = load_suite(str(child), None, registry)
    assert [item.name for item in suite.methods] == ["gce"]
    assert (suite.protocol.epochs, suite.protocol.batch_size) == (9, 32)


def test_an_error_in_an_extended_file_names_that_file(
    write_suite: Write, registry: Registry
) -> None:
    write_suite(BASE.replace("elr", "erl"), "base.yaml")
    child = write_suite("extends: base.yaml\nsuite: child\n", "child.yaml")
    assert "base.yaml:4: unknown method 'erl'" in error_of(child, registry)


def test_a_suite_that_extends_another_needs_a_name_of_its_own(
    write_suite: Write, registry: Registry
) -> None:
    path = write_suite("extends: digits\nmethods: [ce]\n", "mine.yaml")
    assert "mine.yaml:1: a suite that extends another needs a name" in error_of(path, registry)


def test_a_suite_cannot_extend_itself(write_suite: Write, registry: Registry) -> None:
    write_suite("extends: b.yaml\nsuite: a\n", "a.yaml")
    assert "extends itself" in error_of(
        write_suite("extends: a.yaml\nsuite: b\n", "b.yaml"), registry
    )


def test_a_budget_changes_only_what_it_gives(write_suite: Write, registry: Registry) -> None:
    path = write_suite(
        BASE
        + "protocol: {epochs: 30, batch_size: 32}\n"
        + "budgets: {smoke: {seeds: 1, protocol: {epochs: 2}}}\n"
    )
    suite = load_suite(str(path), "smoke", registry)
    assert suite.seeds == (0,)
    assert (suite.protocol.epochs, suite.protocol.batch_size) == (2, 32)


def test_an_error_in_a_budget_is_found_at_its_line(write_suite: Write, registry: Registry) -> None:
    path = write_suite(BASE + "budgets:\n  smoke:\n    methods:\n      - erl\n")
    assert "suite.yaml:8: unknown method 'erl'" in error_of(path, registry, "smoke")


def test_a_grid_becomes_one_item_for_each_combination(
    write_suite: Write, registry: Registry
) -> None:
    path = write_suite(BASE.replace("elr]", "{elr: {grid: {beta: [0.7, 0.9], lam: [1, 3]}}}]"))
    suite = load_suite(str(path), None, registry)
    assert [item.params for item in suite.methods] == [
        {},
        {"beta": 0.7, "lam": 1},
        {"beta": 0.7, "lam": 3},
        {"beta": 0.9, "lam": 1},
        {"beta": 0.9, "lam": 3},
    ]


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(), min_size=1, max_size=3)))
def test_a_grid_has_as_many_items_as_the_product_of_its_lists(axes: dict[str, list[int]]) -> None:
    product = 1
    for values in axes.values():
        product *= len(values)
    assert len(grid({"grid": axes} if axes else {})) == product


def test_the_json_schema_forbids_unknown_keys_and_takes_every_shipped_key() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    for name in suite_names():
        path = Path(yaml_marks.__file__).parent / "suites" / f"{name}.yaml"
        assert set(yaml_marks.load(path).data) <= set(schema["properties"])
    json.dumps(schema)


@settings(max_examples=60)
@given(st.text(max_size=80))
def test_any_text_is_a_suite_or_a_clear_error(text: str) -> None:
    message = "x.yaml:"
    try:
        yaml_marks.loads(text, "x.yaml")
    except SpecError as error:
        message = str(error)
    assert message.startswith("x.yaml:")

"""Planning: parameters, exclusions, incompatible cells, and what belongs to one board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.api import Split
from bench.data.arrays import write
from bench.errors import DataError, SpecError
from bench.plan import Plan, make_plan, only
from bench.registry import Registry
from bench.spec import load_suite
from datasets.cifar10 import Cifar10

Write = Callable[..., Path]


@pytest.fixture
def plan(write_suite: Write, registry: Registry, data_dir: Path) -> Callable[..., Plan]:
    def make(text: str | None = None, folder: Path = data_dir) -> Plan:
        path = write_suite(text) if text else write_suite()
        return make_plan(load_suite(str(path), None, registry), registry, folder)

    return make


TINY = "suite: tiny\ndatasets: [digits]\nnoises: [clean, {symmetric: {rate: 0.5}}]\n"


def test_all_axes_are_crossed(plan: Callable[..., Plan]) -> None:
    made = plan()
    assert len(made.trainings) == 2 * 2 * 2
    assert len({training.key for training in made.trainings}) == 8
    assert all(len(training.refiners) == 2 for training in made.trainings)


def test_all_methods_and_refiners_are_given_the_same_labels(plan: Callable[..., Plan]) -> None:
    shas: dict[tuple[str, int], set[str]] = {}
    for training in plan().trainings:
        key = (training.noise.label, training.seed)
        shas.setdefault(key, set()).add(training.noise.artefact_sha)
    assert all(len(found) == 1 for found in shas.values())
    assert shas["symmetric 0.5", 0] != shas["symmetric 0.5", 1]


def test_an_impossible_noise_is_left_out_with_its_reason(plan: Callable[..., Plan]) -> None:
    made = plan(TINY.replace("clean", "{asymmetric: {rate: 0.4, map: cifar10}}") + "methods: [ce]")
    assert {training.noise.name for training in made.trainings} == {"symmetric"}
    (left_out,) = made.excluded
    assert "other classes than those of digits" in left_out.reason


def test_excluded_combinations_do_not_run(plan: Callable[..., Plan]) -> None:
    made = plan(
        TINY + "methods: [ce, elr]\nexclude:\n  - {noise: symmetric, method: elr}\n"
        "  - {method: ce, refiner: lip}\n"
    )
    cells = {(training.noise.name, training.method) for training in made.trainings}
    assert cells == {("clean", "ce"), ("clean", "elr"), ("symmetric", "ce")}
    refiners = {(t.method, refiner.name) for t in made.trainings for refiner in t.refiners}
    assert refiners == {("ce", "off"), ("elr", "off"), ("elr", "lip")}


def test_overrides_apply_to_what_they_select(plan: Callable[..., Plan]) -> None:
    made = plan(
        TINY + "methods: [elr]\noverrides:\n"
        "  - {when: {method: elr, noise: symmetric}, params: {lam: 7}}\n"
    )
    lams = {training.noise.name: training.method_params["lam"] for training in made.trainings}
    assert lams == {"clean": 3.0, "symmetric": 7.0}


def test_a_papers_default_for_a_data_set_gives_way_to_the_suite(
    plan: Callable[..., Plan], registry: Registry
) -> None:
    assert registry.get("method", "elr").declared["paper_params"]["cifar100"]["lam"] == 7
    made = plan(TINY + "methods: [{elr: {lam: 1}}]\n")
    assert {training.method_params["lam"] for training in made.trainings} == {1.0}
    assert {training.method_label for training in made.trainings} == {"elr(lam=1)"}


def test_the_same_item_twice_is_an_error(plan: Callable[..., Plan]) -> None:
    with pytest.raises(SpecError, match="method 'elr' is listed twice"):
        plan(TINY + "methods: [elr, {elr: {lam: 3}}]\n")


def test_noisy_val_without_held_out_samples_is_refused_by_name(plan: Callable[..., Plan]) -> None:
    text = TINY + "methods: [ce]\nprotocol: {noisy_validation: 0}\nrefiners: [off, %s]\n"
    with pytest.raises(SpecError, match="refiner 'lip' chooses k by 'noisy-val'"):
        plan(text % "lip")
    assert plan(text % "{lip: {k: 'energy:0.9'}}").trainings


def test_absent_data_says_which_two_commands_bring_it(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        plan(TINY.replace("digits", "cifar100") + "methods: [ce]", tmp_path)
    assert "python -m bench data fetch cifar100" in str(caught.value)
    assert "python -m bench data import cifar100 FILE" in str(caught.value)


def test_budgets_and_protocols_are_boards_of_their_own(plan: Callable[..., Plan]) -> None:
    text = TINY + "methods: [ce]\n"
    boards = {
        plan(text).board,
        plan(text + "protocol: {epochs: 3}\n").board,
        plan(text + "budgets: {a: {}}\ndefault_budget: a\n").board,
        plan(text + "budgets: {b: {}}\ndefault_budget: b\n").board,
    }
    assert len(boards) == 4
    assert plan(text.replace("[ce]", "[ce, elr]")).board in boards


def test_only_restricts_by_every_axis_given(plan: Callable[..., Plan]) -> None:
    made = plan()
    chosen = list(only(made, {"method": {"ce"}, "noise": {"symmetric 0.5"}, "seed": {"1"}}))
    assert [training.name for training in chosen] == ["digits · symmetric 0.5 · ce · seed 1"]


def small_cifar10(folder: Path, n: int) -> Path:
    """A prepared subset of ``n`` training images (random pixels: only its identity matters)."""
    rng = np.random.default_rng(n)

    def split(size: int) -> Split:
        images = rng.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
        return Split(images, np.arange(size) % 10, np.arange(size))

    write("cifar10", folder, split(n), split(20), Cifar10.class_names)
    return folder


def test_a_subset_is_named_by_its_sizes_and_ranked_apart(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    text = TINY.replace("digits", "cifar10") + "methods: [ce]\n"
    small = plan(text, small_cifar10(tmp_path / "small", 40))
    large = plan(text, small_cifar10(tmp_path / "large", 60))
    assert small.data[0].label == f"cifar10[40/20 {small.data[0].fingerprint[:6]}]"
    assert small.board != large.board
    assert not {t.key for t in small.trainings} & {t.key for t in large.trainings}

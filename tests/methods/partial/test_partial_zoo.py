"""All partial-label methods together: listed, honest about what they are told, and useful."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from bench.plan import make_plan
from bench.plugin_info import PluginInfo
from bench.registry import Registry, discover
from bench.spec import load_suite
from bench.training_spec import TrainingSpec

METHODS = Path(inspect.getfile(discover)).parent.parent / "methods"
BASELINE = Path(__file__).with_name("average_loss.py")

TOLD: dict[str, list[str]] = {}
"""Who is told more than candidate sets: nobody."""

USES = {
    "able": ["strong_augmentation"],
    "crdpll": ["strong_augmentation"],
    "pico": ["strong_augmentation"],
    "plcp": ["two_networks"],
}


@cache
def of_folder(name: str) -> list[PluginInfo]:
    return [i for i in discover().all("method") if Path(i.file).parent == METHODS / name]


def both() -> list[PluginInfo]:
    return of_folder("partial") + of_folder("standalone")


def deep() -> list[str]:
    return [info.name for info in of_folder("partial")]


def docstring(info: PluginInfo, registry: Registry) -> str:
    text = inspect.getdoc(type(registry.create("method", info.name, {}))) or ""
    return re.sub(r"\s+", " ", text)


def test_the_suite_partial_holds_every_method_of_both_folders(registry: Registry) -> None:
    suite = load_suite("partial", None, registry)
    assert sorted(item.name for item in suite.methods) == sorted(info.name for info in both())
    assert len(deep()) >= 12


@pytest.mark.parametrize("info", both(), ids=lambda info: info.name)
def test_a_partial_label_method_is_told_what_the_table_says(info: PluginInfo) -> None:
    assert info.told(info.resolve({})) == TOLD.get(info.name, [])
    assert info.declared["learns_from"] == "candidates"


@pytest.mark.parametrize("info", both(), ids=lambda info: info.name)
def test_a_partial_label_method_declares_what_it_uses(info: PluginInfo, registry: Registry) -> None:
    method = registry.create("method", info.name, {})
    assert sorted(method.uses) == USES.get(info.name, [])
    assert ("two_networks" in method.uses) == (method.n_networks == 2)


@pytest.mark.parametrize("info", both(), ids=lambda info: info.name)
def test_a_partial_label_method_says_what_a_reader_must_know(
    info: PluginInfo, registry: Registry
) -> None:
    text = docstring(info, registry)
    assert info.paper
    assert re.search(r"\b[Tt]old\b", text), "what it is told"
    assert re.search(r"\bpass(es)?\b", text), "its cost in passes a sample"
    assert re.search(r"\bnetworks?\b", text), "how many networks"


@pytest.mark.parametrize("info", of_folder("partial"), ids=lambda info: info.name)
def test_a_deep_method_gives_equation_views_state_warm_up_and_deviations(
    info: PluginInfo, registry: Registry
) -> None:
    text = docstring(info, registry)
    assert re.search(r"``[^`]*[Σψ∇|][^`]*``", text), "its equation"
    assert re.search(r"\bviews?\b", text), "how many views"
    assert "n × C" in text or "no state" in text, "its state"
    assert re.search(r"warm-up|start_epochs|\bstart(s)? uniform", text), "how it begins"
    assert "Deviation" in text, "where it deviates"
    assert re.search(r"(ICML|NeurIPS|ICLR|IJCAI|AAAI) 20\d\d", info.paper), "its paper"


# ---------------------------------------------------------------------------------- real data

SUITE = f"""
suite: digits-partial-half
extends: partial
if_present: []
exclude: []
noises: [{{partial-uniform: {{q: 0.5}}}}]
methods: [average-loss, {", ".join(deep())}]
refiners: ["off"]
seeds: [0]
protocol: {{epochs: 20}}
"""
"""5.5 of 10 labels are candidates. The suite's own protocol, 20 of its 30 epochs."""

TOLERANCE = 0.02

BELOW = {
    "cavl": 0.24,
    "exp": 0.09,
    "lws": 0.13,
    "pico": 0.06,
    "plcp": 0.06,
}
"""Who ends lower than the average loss in so short a run, and by how much at most.

Measured over seeds 0, 1, 2, the average loss being at 90.8, 92.8, 92.5 %:

- CAVL (73.6, 80.8, 74.2) puts all confidence on one candidate after the first pass of the first
  epoch, when the network knows little, and then fits its choice; after 40 epochs it is at 74.4.
- EXP (85.6, 85.8, 93.3) and LWS (83.1, 83.6, 74.4) are bounded, so that gradients are small where
  the network is sure and wrong: they leave single classes unlearned, as MAE does.
- PiCO (88.3, 93.1, 88.9) and PLCP (87.8, 90.0, 90.0) are slow: the one moves confidences by 5 % a
  pass, the other blurs its targets. After 40 epochs both are above (91.9 and 92.2 to 90.6).
"""

BETTER = ("proden", "rc", "cc", "crdpll", "pop", "able")
"""Methods that disambiguate within so short a run: 1.1 points or more ahead on all of 3 seeds."""


@pytest.fixture(scope="module")
def accuracy(
    tmp_path_factory: pytest.TempPathFactory,
    data_dir: Path,
    last_accuracy: Callable[[TrainingSpec, Registry], float],
) -> Callable[[str], float]:
    """``accuracy("proden")`` is the last-epoch test accuracy."""
    path = tmp_path_factory.mktemp("partial") / "suite.yaml"
    path.write_text(SUITE)
    registry = discover([BASELINE])
    plan = make_plan(load_suite(str(path), "short", registry), registry, data_dir)

    @cache
    def of(method: str) -> float:
        found = [last_accuracy(t, registry) for t in plan.trainings if t.method == method]
        assert len(found) == 1
        return found[0]

    return of


@pytest.mark.parametrize("name", sorted(set(deep()) - set(BETTER)))
def test_on_digits_a_method_is_not_worse_than_the_average_loss(
    name: str, accuracy: Callable[[str], float]
) -> None:
    assert accuracy(name) >= accuracy("average-loss") - BELOW.get(name, TOLERANCE)


@pytest.mark.parametrize("name", BETTER)
def test_on_digits_a_method_that_disambiguates_is_better_than_the_average_loss(
    name: str, accuracy: Callable[[str], float]
) -> None:
    assert accuracy(name) > accuracy("average-loss")

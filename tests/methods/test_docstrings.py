"""A method's own file is enough to judge it: what every docstring of the zoo holds."""

from __future__ import annotations

import inspect
import json
import re
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import application
from bench.plugin_info import PluginInfo
from bench.registry import Registry, discover

METHODS = Path(inspect.getfile(discover)).parent.parent / "methods"

MUST_SAY = {
    "equation": r"[Ee]quation|[Aa]lgorithm|[Ss]ection|[Tt]heorem|-log p_y|``[^`]* [-=·+←] [^`]*``",
    "CIFAR-10": r"CIFAR-10(?!0)",
    "CIFAR-100": r"CIFAR-100",
    "told": r"\b[Tt]old\b",
    "networks": r"\bnetworks?\b",
    "views": r"\bviews?\b",
    "cost": r"forward and .*pass|pass(es)? a sample",
    "deviations": r"Deviations?:",
}

CALLED = {
    "noise_rate": "noise rate",
    "transition_matrix": "T[i, j]",
    "clean_subset": "clean subset",
}

IN_OTHER_WORDS = {
    ("t-revision", "estimator_share", 0.0375): "(CIFAR-100: 15",  # of 400 epochs
    ("peer-loss", "points", ((0.4, 0.0), (0.4, 0.95))): "0 for 100 epochs, then 0.95",  # of 250
    ("elr-plus", "ramp_lam", True): "on CIFAR-100, where λ rises",
}


@cache
def shipped() -> list[PluginInfo]:
    return [i for i in discover().all("method") if Path(i.file).parent == METHODS]


def docstring(info: PluginInfo, registry: Registry) -> str:
    text = inspect.getdoc(type(registry.create("method", info.name, {}))) or ""
    return " ".join(text.split())


every_method = pytest.mark.parametrize("info", shipped(), ids=lambda info: info.name)


@every_method
def test_a_docstring_leaves_nothing_out(info: PluginInfo, registry: Registry) -> None:
    text = docstring(info, registry)
    assert [what for what, pattern in MUST_SAY.items() if not re.search(pattern, text)] == []


@every_method
def test_a_method_cites_where_it_was_published(info: PluginInfo) -> None:
    if info.name == "ce":
        assert info.paper == "the field's baseline"
    else:
        assert re.search(r"\b(19|20)\d\d\b", info.paper), "a year"
        assert re.search(r" et al\.| & ", info.paper), "the authors"


@every_method
def test_every_default_of_a_data_set_is_named(info: PluginInfo, registry: Registry) -> None:
    text = docstring(info, registry)
    for params in type(registry.create("method", info.name, {})).paper_params.values():
        for key, value in params.items():
            plain = f"{value:g}" if isinstance(value, int | float) else str(value)
            wanted = IN_OTHER_WORDS.get((info.name, key, value), plain)
            assert wanted.lower() in text.lower(), key


@every_method
def test_what_a_method_is_told_is_named(info: PluginInfo, registry: Registry) -> None:
    text, told = docstring(info, registry), info.told(info.resolve({}))
    assert all(CALLED[name] in text for name in told)
    assert told or "told nothing" in text.lower() or "not told" in text


@every_method
def test_what_a_method_uses_is_named(info: PluginInfo, registry: Registry) -> None:
    text, uses = docstring(info, registry).lower(), info.declared["uses"]
    assert "two networks" in text or "two_networks" not in uses
    assert "strong" in text or "strong_augmentation" not in uses


def test_the_list_gives_family_paper_knowledge_and_cost_of_every_method() -> None:
    ended = CliRunner().invoke(application([]), ["list", "methods", "--json"])
    listed = {row["name"]: row for row in json.loads(ended.stdout)}
    for info in shipped():
        row = listed[info.name]
        assert all(row[key] for key in ("family", "paper", "summary")), info.name
        assert row["cost"] == info.declared["cost"]
        assert row["cost"] >= 1
        assert set(row["knows"]) == set(info.declared["knows"])
    assert len({listed[info.name]["family"] for info in shipped()}) >= 10

"""What is searched follows from a plugin's annotations, or from what it declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import PluginError
from bench.params import Parameter
from bench.registry import Registry, discover
from bench.tuning.space import Choice, Range, derive, draw, search_space


def parameter(annotation: str, default: object) -> Parameter:
    return Parameter("x", annotation, default)


@pytest.mark.parametrize(
    ("annotation", "default", "low", "high", "log"),
    [
        ("Annotated[float, Field(ge=0)]", 3.0, 0.3, 30.0, True),
        ("Annotated[float, Field(ge=1)]", 5.0, 1.0, 50.0, True),
        ("float", 2.0, 0.2, 20.0, True),
        ("Annotated[float, Field(ge=0, lt=1)]", 0.7, 0.01, 0.99, False),
        ("Annotated[float, Field(gt=0, le=1)]", 1.0, 0.01, 0.99, False),
        ("Annotated[float, Field(ge=0, le=1)]", 0.05, 0.005, 0.5, True),
        ("Annotated[int, Field(ge=1)]", 10, 5, 20, True),
        ("Annotated[int, Field(ge=2)]", 3, 2, 6, True),
    ],
)
def test_a_number_is_searched_over_its_range_or_around_its_default(
    annotation: str, default: float, low: float, high: float, log: bool
) -> None:
    found = derive(parameter(annotation, default))
    assert found is not None
    assert (found.low, found.high, found.log) == (pytest.approx(low), pytest.approx(high), log)
    assert found.whole == isinstance(default, int)


def test_a_share_close_to_one_is_searched_by_its_distance_from_one() -> None:
    found = derive(parameter("Annotated[float, Field(ge=0, lt=1)]", 0.99))
    assert found is not None
    assert [found.at(share) for share in (0.0, 0.5, 1.0)] == pytest.approx([0.999, 0.99, 0.9])


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        ("bool", False),
        ("Literal['given', 'estimated']", "given"),
        ("Annotated[float, Field(ge=0)]", 0.0),
        ("list[float]", [1.0]),
    ],
)
def test_switches_words_and_numbers_without_a_scale_are_not_searched(
    annotation: str, default: object
) -> None:
    assert derive(parameter(annotation, default)) is None


def test_whole_numbers_reach_both_ends_of_their_range() -> None:
    drawn = {Range(1, 4, log=True, whole=True).at(share / 200) for share in range(200)}
    assert drawn == {1, 2, 3, 4}


def test_every_drawn_value_of_every_shipped_method_is_valid(registry: Registry) -> None:
    for info in registry.all("method"):
        space = search_space(info)
        for trial in range(1, 30):
            info.resolve(draw(space, trial, info.name))


def test_a_trial_draws_the_same_whatever_else_is_drawn() -> None:
    both = {"a": Range(0.0, 1.0), "b": Choice((1, 2, 3))}
    assert draw(both, 7, "m")["a"] == draw({"a": both["a"]}, 7, "m")["a"]
    assert draw(both, 7, "m") != draw(both, 8, "m")
    assert draw(both, 7, "m")["a"] != draw(both, 7, "other")["a"]


PLUGIN = """
from __future__ import annotations

from typing import Annotated

from bench.api import Field, Method, loss


@loss(name="spaced", paper="none", search_space={SPACE})
def spaced(logits, targets, q: Annotated[float, Field(gt=0)] = 1.0, r: float = 2.0, n: int = 0):
    \"\"\"A loss.\"\"\"
    return logits.sum(1)
"""


def described(folder: Path, space: str) -> Registry:
    path = folder / "spaced.py"
    path.write_text(PLUGIN.replace("{SPACE}", space))
    return discover([path])


def test_a_plugin_says_what_it_wants_searched(tmp_path: Path) -> None:
    found = described(tmp_path, "{'q': [0.5, 0.9], 'r': None, 'n': {'choices': [0, 3]}}")
    assert search_space(found.get("method", "spaced")) == {
        "q": Range(0.5, 0.9),
        "n": Choice((0, 3)),
    }


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("{'p': [0, 1]}", "search_space has 'p'"),
        ("{'q': [1]}", "takes \\[low, high\\]"),
        ("{'q': {'low': 0, 'high': 1, 'log': True}}", "log needs low > 0"),
        ("{'q': [-1.0, 1.0]}", "greater than 0"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(space: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=message):
        described(tmp_path, space).get("method", "spaced")

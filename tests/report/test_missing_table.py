"""What a board lacks, by name, with commands that are accepted."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_board import done

from bench.cli.options import parse_only
from bench.plan import make_plan, only
from bench.records import Outcome
from bench.registry import Registry
from bench.report.content import Content
from bench.report.missing import missing_table
from bench.spec import load_suite
from bench.training_spec import TrainingSpec

Read = Callable[[Path], Content]


def trainings(command: str, folder: Path, registry: Registry, data_dir: Path) -> set[str]:
    """Which trainings a command asks for: method, noise and seed."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "bench", "run"]
    texts = [words[i + 1] for i, word in enumerate(words) if word == "--only"]
    plan = make_plan(load_suite(str(folder / words[4]), None, registry), registry, data_dir)
    return {f"{t.method_label}, {t.noise.label}, {t.seed}" for t in only(plan, parse_only(texts))}


def test_a_full_board_has_no_such_table(full: Path, content_of: Read) -> None:
    assert missing_table(content_of(full), "all") is None


def test_missing_cells_are_named_one_by_one(holes: Path, content_of: Read) -> None:
    table = missing_table(content_of(holes), "all")
    assert table is not None
    assert [row[:-1] for row in table.rows] == [
        ("gce", "digits", "clean", "seed 1", "not run yet"),
        ("ce", "digits", "symmetric 0.5", "seed 1", "failed: diverged"),
        ("elr", "digits", "pairflip 0.4", "seeds 0, 1", "not run yet"),
    ]
    assert table.notes[0].startswith("3 of the 32 cells that the plan asks for lack something.")


def test_each_command_asks_for_its_cell(
    holes: Path, content_of: Read, registry: Registry, data_dir: Path
) -> None:
    table = missing_table(content_of(holes), "all")
    assert table is not None
    asked = [trainings(row[-1], holes.parent, registry, data_dir) for row in table.rows]
    assert asked == [
        {f"{method}, {noise}, {seed}" for seed in (0, 1)}
        for method, noise in (
            ("gce", "clean"),
            ("ce", "symmetric 0.5"),
            ("elr", "pairflip 0.4"),
        )
    ]
    assert [row[-1].endswith("--redo failed") for row in table.rows] == [False, True, False]


def test_the_commands_under_the_table_fill_all_of_it(
    holes: Path, content_of: Read, registry: Registry, data_dir: Path
) -> None:
    table = missing_table(content_of(holes), "all")
    assert table is not None
    waiting, failed = (trainings(c, holes.parent, registry, data_dir) for c in table.commands)
    assert {"gce, clean, 1", "elr, pairflip 0.4, 0", "elr, pairflip 0.4, 1"} <= waiting
    assert "ce, symmetric 0.5, 1" in failed
    assert f"--db {holes}" in table.commands[0]


def test_many_names_give_way_to_the_whole_axis(
    make_database: Callable[..., Path], content_of: Read
) -> None:
    table = missing_table(content_of(make_database(lambda spec: None)), "all", most=5)
    assert table is not None
    (command,) = table.commands
    assert "noise=" not in command
    assert "--only method=ce,gce,elr,co-teaching" in command
    assert len(table.rows) == 5
    assert "27 more rows not shown here; format csv has all." in table.notes


def test_an_evaluation_without_a_value_is_missing_too(
    make_database: Callable[..., Path], content_of: Read
) -> None:
    def fate(spec: TrainingSpec) -> Outcome:
        outcome = done(spec)
        if spec.method != "ce" or spec.noise.name != "clean":
            return outcome
        bad = [
            replace(e, test_accuracy=None, k=None, curve=(), error="the head has rank 0")
            if e.refiner == "lip"
            else e
            for e in outcome.evaluations
        ]
        return replace(outcome, evaluations=tuple(bad))

    table = missing_table(content_of(make_database(fate)), "all", commands=False)
    assert table is not None
    why = "lip has no value: the head has rank 0"
    assert table.rows == (("ce", "digits", "clean", "seeds 0, 1", why),)
    assert "command" not in table.columns


@pytest.mark.parametrize(
    ("rule", "words"),
    [("all", "is not ranked (--holes common"), ("common", "over the columns that every method")],
)
def test_the_rule_for_holes_is_said(rule: str, words: str, holes: Path, content_of: Read) -> None:
    table = missing_table(content_of(holes), rule)
    assert table is not None
    assert words in table.notes[0]
    assert "nothing is ever filled in" in table.notes[0]

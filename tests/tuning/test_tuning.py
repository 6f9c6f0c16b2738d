"""Tuning a suite: equal budgets, selection on noisy validation, winners under fresh seeds."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.errors import BenchError, SpecError
from bench.plan import make_plan
from bench.protocol import Named
from bench.registry import Registry
from bench.report.commands import run_command
from bench.spec import load_suite
from bench.tuning.asked import Searched, Tuning
from bench.tuning.trials import make_trials

FOLLOWS = '''"""A method that may undo the noise of this suite, or learn it."""

from __future__ import annotations

import torch

from bench.api import loss


@loss(name="follows", paper="none", search_space={"shift": {"choices": [0, 1]}})
def follows(logits, targets, shift: int = 1):
    """Cross entropy on labels moved back by ``shift`` classes."""
    moved = (targets - shift) % logits.shape[1]
    return torch.nn.functional.cross_entropy(logits, moved, reduction="none")
'''

SUITE = """
suite: turned
datasets: [digits]
noises: [{pairflip: {rate: 0.9}}]
methods: [follows]
refiners: [off, lip]
seeds: [3, 4]
protocol: {backbone: {mlp: {width: 32, depth: 1}}, epochs: 6, batch_size: 128}
"""
"""Nine of ten labels name the next class: who learns them does well on held-out labels and badly on
the test set, and who undoes them the other way round."""


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> tuple[Path, list[str]]:
    """A database in which the suite was tuned twice, and the words of the command that did it."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "follows.py").write_text(FOLLOWS)
    (folder / "suite.yaml").write_text(SUITE)
    words = ["tune", str(folder / "suite.yaml"), "--plugin", str(folder / "follows.py")]
    words += ["--db", str(folder / "a.db"), "--data-dir", str(data_dir), "--device", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["lipbench", *words, "--trials", "5", "--jobs", "1"])
        assert main() == 0
    return folder / "a.db", words


def ask(db: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(db)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def winner_of(db: Path) -> dict[str, Any]:
    ((spec,),) = ask(db, "SELECT spec FROM boards WHERE suite = 'turned-tuned'")
    (winner,) = json.loads(spec)["tuned"]["winners"]
    return dict(winner)


def test_the_winner_is_best_on_noisy_labels_though_it_is_worst_on_the_test_set(
    tuned: tuple[Path, list[str]],
) -> None:
    trials = ask(
        tuned[0],
        "SELECT json_extract(t.method_params, '$.shift'), e.noisy_val_accuracy, e.test_accuracy "
        "FROM trainings t JOIN epochs e ON e.training_id = t.id "
        "WHERE t.seed = 1000 AND e.epoch = 6 ORDER BY 1",
    )
    (learned, undone) = trials
    assert (learned[0], undone[0]) == (0, 1)
    assert learned[1] > undone[1] + 0.3  # on held-out labels as given
    assert learned[2] < undone[2] - 0.3  # on the test set
    assert winner_of(tuned[0])["setting"]["params"] == {"shift": 0}
    assert winner_of(tuned[0])["noisy_val_accuracy"] == learned[1]
    assert winner_of(tuned[0])["own_noisy_val_accuracy"] == undone[1]


def test_the_winner_runs_again_with_the_suites_seeds_and_refiners(
    tuned: tuple[Path, list[str]],
) -> None:
    rows = ask(
        tuned[0],
        "SELECT DISTINCT t.seed, r.refiner, json_extract(t.method_params, '$.shift'), r.method "
        "FROM results r JOIN boards b USING (board) JOIN trainings t ON t.id = r.training_id "
        "WHERE b.suite = 'turned-tuned' ORDER BY 1, 2",
    )
    names = [(seed, refiner) for seed in (3, 4) for refiner in ("lip", "off")]
    assert rows == [(*name, 0, "follows") for name in names]


def test_the_board_keeps_budget_and_space(tuned: tuple[Path, list[str]]) -> None:
    ((spec,),) = ask(tuned[0], "SELECT spec FROM boards WHERE suite = 'turned-tuned'")
    kept = json.loads(spec)["tuned"]
    assert kept["protocol"] == "tuned"
    assert kept["tuning"]["trials"] == 5
    assert kept["trial_seeds"] == [1000]
    assert kept["spaces"] == {"follows": {"shift": {"values": [0, 1]}}}


def test_tuning_again_runs_nothing_and_needs_no_number_of_trials(
    tuned: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    db, words = tuned
    before = ask(db, "SELECT count(*) FROM attempts")
    monkeypatch.setattr(sys, "argv", ["lipbench", *words])
    assert main() == 0
    assert ask(db, "SELECT count(*) FROM attempts") == before
    assert "Trials: 2 trainings, 2 done, 0 to run." in capsys.readouterr().out


def test_a_dry_run_shows_spaces_and_cost_and_writes_nothing(
    tuned: tuple[Path, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [word if not word.endswith("a.db") else str(tmp_path / "b.db") for word in tuned[1]]
    words += ["--trials", "4", "--lr", "0.01:0.1", "--dry-run"]
    monkeypatch.setattr(sys, "argv", ["lipbench", *words])
    monkeypatch.setenv("COLUMNS", "200")
    assert main() == 0
    out = capsys.readouterr().out
    assert "shift: one of 0, 1" in out
    assert "lr: 0.01 … 0.1, log" in out
    assert "4 different trainings of trials: 0 done, 4 to run" in out
    assert "2 trainings of the winners: 2 seeds, 2 refiners" in out
    assert not (tmp_path / "b.db").exists()


PLANNED = """
suite: planned
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.4}}]
methods: [ce, elr, {forward: {matrix: estimated}}, {gce: {q: 0.5}}]
seeds: 3
protocol: {backbone: {mlp: {width: 8, depth: 1}}, epochs: 2}
"""

LR = Tuning(trials=6, lr=Searched(low=0.01, high=0.1))


@pytest.fixture
def suite_at(write_suite: Callable[..., Path], registry: Registry) -> Callable[[str], Any]:
    return lambda text: load_suite(str(write_suite(text)), None, registry)


def test_every_method_of_every_cell_gets_the_same_number_of_trials(
    suite_at: Callable[[str], Any], registry: Registry, data_dir: Path
) -> None:
    tried = make_trials(suite_at(PLANNED), LR, registry, data_dir)
    assert len(tried.cells) == 2 * 4
    assert {len(cell.trials) for cell in tried.cells} == {6}
    assert {str(cell.trials[0].setting) for cell in tried.cells} == {""}
    rates = {tuple(t.setting.optimiser.get("lr") for t in cell.trials) for cell in tried.cells}
    assert len(rates) == 1  # all methods try the same learning rates


def test_what_the_suite_sets_is_not_searched(
    suite_at: Callable[[str], Any], registry: Registry, data_dir: Path
) -> None:
    tried = make_trials(suite_at(PLANNED), LR, registry, data_dir)
    assert tried.spaces["gce(q=0.5)"] == {}
    assert set(tried.spaces["elr"]) == {"beta", "lam"}
    fixed = [t.setting.params for c in tried.cells for t in c.trials if c.first.method == "gce"]
    assert fixed == [{}] * 12


def test_a_trial_is_the_training_that_a_suite_with_its_values_would_ask_for(
    suite_at: Callable[[str], Any], registry: Registry, data_dir: Path
) -> None:
    suite = suite_at(PLANNED)
    tried = make_trials(suite, LR, registry, data_dir)
    cell = next(cell for cell in tried.cells if cell.first.method == "elr")
    trial = cell.trials[3]
    optimiser = suite.protocol.optimiser.model_copy(update=trial.setting.optimiser)
    same = suite.model_copy(
        update={
            "methods": (Named(name="elr", params=trial.setting.params),),
            "protocol": suite.protocol.model_copy(update={"optimiser": optimiser}),
            "seeds": (1000,),
        }
    )
    planned = make_plan(same, registry, data_dir).trainings
    assert trial.trainings[0].key in {training.key for training in planned}
    assert trial.trainings[0].to_json()["method_params"] == planned[0].method_params


def test_more_trials_keep_the_earlier_ones_and_trials_have_seeds_of_their_own(
    suite_at: Callable[[str], Any], registry: Registry, data_dir: Path
) -> None:
    suite = suite_at(PLANNED.replace("seeds: 3", "seeds: [0, 1001]"))
    few = make_trials(suite, LR, registry, data_dir)
    many = make_trials(
        suite, LR.model_copy(update={"trials": 9, "trial_seeds": 2}), registry, data_dir
    )
    assert {t.key for t in few.trainings} < {t.key for t in many.trainings}
    assert {t.seed for t in many.trainings} == {1000, 1002}


def test_nothing_to_select_by_is_an_error(
    suite_at: Callable[[str], Any], registry: Registry, data_dir: Path
) -> None:
    suite = suite_at(PLANNED.replace("epochs: 2", "epochs: 2, noisy_validation: 0"))
    with pytest.raises(BenchError, match="holds no noisy validation samples out"):
        make_trials(suite, LR, registry, data_dir)


def test_a_tuned_board_is_filled_by_tuning_and_no_suite_takes_its_name(
    suite_at: Callable[[str], Any], tmp_path: Path
) -> None:
    command = run_command("digits-tuned", "short", tmp_path / "a.db")
    assert command.startswith("python -m bench tune digits --budget short")
    with pytest.raises(SpecError, match="names that end in -tuned are of tuned results"):
        suite_at(PLANNED.replace("suite: planned", "suite: planned-tuned"))

"""What a user types, and what they are told when it is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.dashboard import dashboard
from bench.cli.options import parse_only
from bench.errors import BenchError
from dashboard.__main__ import main as serve

Bench = Callable[..., Any]

TINY = """
suite: tiny
datasets: [digits]
noises: [clean, {symmetric: {rate: 0.5}}]
methods: [%s]
refiners: [off, lip, psp]
seeds: 2
protocol: {backbone: {mlp: {width: 16, depth: 1}}, epochs: 2, batch_size: 256}
"""


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, data_dir: Path, ran_in: Bench
) -> tuple[Path, Path, str]:
    """A tiny suite that was run through the command line: suite file, database, output."""
    folder = tmp_path_factory.mktemp("finished")
    suite, db = folder / "tiny.yaml", folder / "tiny.db"
    suite.write_text(TINY % "ce, elr")
    where = ("--db", db, "--data-dir", data_dir, "--device", "cpu", "--jobs", "1")
    ended = ran_in(folder, "run", suite, *where)
    assert ended.code == 0, ended.err
    assert "8/8 trainings" in ended.err
    return suite, db, ended.out


def test_a_run_ends_with_the_leaderboard_and_the_gains(finished: tuple[Path, Path, str]) -> None:
    out = finished[2]
    assert "8 trainings: 0 done, 8 to run" in out
    assert "tiny, on digits, refiner off" in out
    assert "Gain of each refiner over off" in out
    assert "Gain of lip in each cell" in out


def test_the_dashboard_asks_no_questions_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda path, command, environment: started.append(command))
    dashboard(tmp_path / "any.db", headless=False)
    (command,) = started
    monkeypatch.setattr("sys.argv", command[command.index("dashboard") :])
    monkeypatch.setattr("streamlit.web.cli.main", lambda: started.append(list(sys.argv)))
    monkeypatch.setattr("dashboard.ahead.Ahead.start", lambda self: None)
    serve()
    # Streamlit's first start of a user waits for an e-mail address otherwise.
    assert started[1][started[1].index("--server.showEmailPrompt") + 1] == "false"
    assert started[1][started[1].index("--server.address") + 1] == "127.0.0.1"


def test_a_plan_shows_what_is_done(
    bench: Bench, finished: tuple[Path, Path, str], data_dir: Path
) -> None:
    suite, db, _ = finished
    ended = bench("plan", suite, "--db", db, "--data-dir", data_dir)
    assert "8 trainings: 8 done, 0 to run, 0 failed before. Nothing to run." in ended.out
    wider = suite.with_name("wider.yaml")
    wider.write_text((TINY % "ce, elr, gce").replace("clean,", "{asymmetric: {map: cifar10}},"))
    ended = bench("plan", wider, "--db", db, "--data-dir", data_dir)
    assert "6 trainings: 4 done, 2 to run" in ended.out
    assert "other classes than those of digits" in ended.out


@pytest.mark.parametrize("form", ["md", "latex", "csv"])
def test_a_report_has_every_format(
    form: str, bench: Bench, finished: tuple[Path, Path, str], tmp_path: Path
) -> None:
    ended = bench("report", "tiny", "--db", finished[1], "-f", form, "-o", tmp_path / "report")
    assert ended.code == 0
    text = (tmp_path / "report").read_text()
    assert {"md": "| rank |", "latex": r"\toprule", "csv": "table,rank,method"}[form] in text
    assert "elr" in text
    assert "symmetric 0.5" in text


def test_a_training_is_shown_with_the_command_that_repeats_it(
    bench: Bench, finished: tuple[Path, Path, str]
) -> None:
    import sqlite3

    _, db, _ = finished
    connection = sqlite3.connect(db)
    (key,) = connection.execute("SELECT min(training_key) FROM trainings").fetchone()
    connection.close()
    ended = bench("show", key[:10], "--db", db)
    assert "attempt 1: done" in ended.out
    assert "python -m bench run tiny.yaml --only method=" in ended.out
    details = json.loads(bench("show", key[:10], "--db", db, "--json").out)
    assert details["training_key"] == key
    assert len(details["epochs"]) == 2
    assert {e["refiner"] for e in details["evaluations"]} == {"off", "lip", "psp"}
    assert details["attempts"][0]["packages"]


def test_the_whole_k_curve_and_the_spectra_of_every_training_are_stored(
    finished: tuple[Path, Path, str],
) -> None:
    import sqlite3

    connection = sqlite3.connect(finished[1])
    curves = connection.execute("SELECT curve, rank FROM results WHERE refiner = 'lip'").fetchall()
    spectra = connection.execute("SELECT singular_values, refitted FROM spectra").fetchall()
    connection.close()
    assert len(curves) == len(spectra) == 8
    for curve, rank in curves:
        assert [point[0] for point in json.loads(curve)] == list(range(rank + 1))
    for values, refitted in spectra:
        assert sorted(json.loads(values), reverse=True) == json.loads(values)
        assert len(json.loads(refitted)["lip"]) == len(json.loads(values)) == 10


def test_lip_at_full_rank_is_the_trained_head_in_every_training(
    finished: tuple[Path, Path, str],
) -> None:
    import sqlite3

    connection = sqlite3.connect(finished[1])
    pairs = connection.execute(
        "SELECT off_.test_accuracy, lip.curve FROM results off_ JOIN results lip "
        "USING (board, training_id) WHERE off_.refiner = 'off' AND lip.refiner IN ('lip', 'psp')"
    ).fetchall()
    connection.close()
    assert len(pairs) == 16
    for off, curve in pairs:
        assert json.loads(curve)[-1][2] == pytest.approx(off, abs=1e-7)


def test_a_finished_database_is_sound(bench: Bench, finished: tuple[Path, Path, str]) -> None:
    ended = bench("db", "check", "--db", finished[1])
    assert (ended.code, "sound, 8 trainings done" in ended.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "digit"), "unknown suite 'digit', did you mean 'digits'?"),
        (("run", "digits", "--budget", "smok"), "no budget 'smok', did you mean 'smoke'?"),
        (("run", "digits", "--redo", "faild"), "--redo has no 'faild', did you mean 'failed'?"),
        (("run", "digits", "--only", "metod=ce"), "no axis 'metod', did you mean 'method'?"),
        (("run", "digits", "--device", "cude"), "unknown device 'cude', did you mean 'cuda'?"),
        (("report", "digits"), "there is no database leaderboard.db yet"),
        (("show", "abc", "--db", "x.db"), "python -m bench run digits makes one"),
        (("run", "digits", "--plugin", "absent.py"), "no plugin file"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(
    arguments: tuple[str, ...], message: str, bench: Bench
) -> None:
    ended = bench(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_nothing_to_match_is_no_success(
    bench: Bench, finished: tuple[Path, Path, str], data_dir: Path
) -> None:
    suite, db, _ = finished
    ended = bench("run", suite, "--db", db, "--data-dir", data_dir, "--only", "method=gce")
    assert ended.code == 1
    assert "Nothing matches --only" in ended.out


def test_a_failed_training_is_a_row_and_status_1(
    bench: Bench, data_dir: Path, tmp_path: Path
) -> None:
    plugin = tmp_path / "bad.py"
    plugin.write_text(
        "from bench.api import loss\n\n\n"
        "@loss(name='bad', paper='none')\n"
        "def bad(logits, targets):\n"
        "    '''Bad.'''\n"
        "    return logits.sum(1) * float('nan')\n"
    )
    suite = tmp_path / "suite.yaml"
    suite.write_text((TINY % "bad, ce").replace("seeds: 2", "seeds: 1"))
    common = ("--db", "bad.db", "--data-dir", data_dir, "--plugin", plugin, "--device", "cpu")
    ended = bench("run", suite, *common, "--jobs", "1")
    assert ended.code == 1
    assert "2 trainings failed" in ended.out
    assert "digits · clean · bad · seed 0: diverged" in ended.err
    assert "ce" in ended.out.partition("refiner off")[2]
    again = bench("run", suite, *common)
    assert again.code == 1
    assert "2 failed before (--redo failed)" in again.out


def test_lists_name_everything_with_its_paper(bench: Bench) -> None:
    methods = json.loads(bench("list", "methods", "--json").out)
    found = {method["name"]: method for method in methods}
    assert {"ce", "gce", "elr", "forward", "co-teaching"} <= set(found)
    assert found["forward"]["knows"] == ["transition_matrix"]
    assert found["co-teaching"]["cost"] == 2
    assert all(method["paper"] and method["summary"] for method in methods)
    for kind in ("datasets", "noises", "refiners", "backbones", "suites"):
        assert json.loads(bench("list", kind, "--json").out)


def test_a_broken_plugin_is_listed_with_its_error(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    ended = bench("list", "methods", "--plugin", "broken.py")
    assert ended.code == 0
    assert "broken: ModuleNotFoundError: No module named 'nothing_of_that_name'" in ended.out
    assert "co-teaching" in ended.out


def test_help_teaches_without_loading_torch() -> None:
    code = (
        "import sys; sys.argv = ['lipbench', '--help']\n"
        "from bench.cli import main; code = main()\n"
        "print('torch' in sys.modules, 'pandas' in sys.modules, code)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "False False 0"
    assert "python -m bench run digits" in ended.stdout


def test_the_schema_is_written(bench: Bench, tmp_path: Path) -> None:
    assert bench("schema", "-o", "suite.schema.json").code == 0
    assert json.loads((tmp_path / "suite.schema.json").read_text())["additionalProperties"] is False


@pytest.mark.parametrize("text", ["method", "method=", "speed=fast"])
def test_filters_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(BenchError, match="--only"):
        parse_only([text])

"""The ``data`` commands: what they print, and when they fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.data import app
from bench.errors import DataError, PluginError
from bench.registry import Registry

Type = Callable[..., Result]


@pytest.fixture
def data(data_dir: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Type:
    """``data("list")`` in an own data folder; errors pass through, as ``main`` needs them."""
    monkeypatch.setenv("LIPBENCH_DATA_DIR", str(data_dir))
    monkeypatch.setenv("LIPBENCH_PLUGINS", str(registry.extra_files[0]))
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)

    return call


def test_import_says_what_was_prepared(data: Type, pets: Path) -> None:
    result = data("import", "pets", pets)
    assert result.exit_code == 0
    assert "pets: prepared in" in result.output
    assert "4 train, 2 test, 2 classes, shape 3x4x4, fingerprint" in result.output


def test_import_again_says_that_nothing_changed(data: Type, pets: Path) -> None:
    data("import", "pets", pets)
    assert "was prepared already, nothing changed" in data("import", "pets", pets).output


def test_import_over_a_damaged_set_says_that_it_was_prepared(
    data: Type, pets: Path, data_dir: Path
) -> None:
    data("import", "pets", pets)
    (data_dir / "pets" / "test_labels.npy").write_bytes(b"")
    assert "pets: prepared in" in data("import", "pets", pets).output


def test_import_of_another_copy_needs_replace(data: Type, pets: Path) -> None:
    data("import", "pets", pets)
    (pets / "train/cat/cat_a.png").unlink()
    with pytest.raises(DataError, match="--replace"):
        data("import", "pets", pets)
    assert "3 train, 2 test" in data("import", "pets", pets, "--replace").output


def test_import_into_another_folder(data: Type, pets: Path, tmp_path: Path) -> None:
    data("import", "pets", pets, "--data-dir", tmp_path / "other")
    assert (tmp_path / "other" / "pets" / "meta.json").exists()


def test_fetch_prepares_what_is_bundled(data: Type) -> None:
    assert "digits: prepared in" in data("fetch", "digits").output
    assert "digits: was prepared already" in data("fetch", "digits").output


def test_an_unknown_name_offers_the_nearest(data: Type, pets: Path) -> None:
    for command in (["fetch", "digit"], ["import", "digit", pets], ["verify", "digit"]):
        with pytest.raises(PluginError, match="did you mean 'digits'"):
            data(*command)


def test_verify_checks_everything_that_is_prepared(data: Type, pets: Path) -> None:
    data("import", "pets", pets)
    data("fetch", "digits")
    lines = data("verify").output.splitlines()
    assert [line.split(",")[0] for line in lines] == ["digits: OK", "pets: OK"]


def test_verify_reports_the_good_and_fails_for_the_damaged(
    data: Type, pets: Path, data_dir: Path
) -> None:
    data("import", "pets", pets)
    data("fetch", "digits")
    (data_dir / "pets" / "test_labels.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"pets: .*test_labels\.npy is damaged"):
        data("verify")


def test_verify_of_nothing_says_so(data: Type) -> None:
    result = data("verify")
    assert result.exit_code == 0
    assert "nothing is prepared" in result.output


def test_list_shows_what_is_there_and_how_to_get_the_rest(data: Type, pets: Path) -> None:
    data("import", "pets", pets)
    output = data("list").output
    assert "data fetch cifar10, or data import cifar10 FILE" in output
    assert "prepared on first use" in output


def test_list_as_json_carries_sizes_and_fingerprints(data: Type, pets: Path) -> None:
    data("import", "pets", pets)
    entries = {entry["name"]: entry for entry in json.loads(data("list", "--json").output)}
    assert entries["pets"]["state"] == "prepared"
    assert entries["pets"]["n_train"] == 4
    assert len(entries["pets"]["fingerprint"]) == 64
    assert entries["cifar100"]["state"] == "absent"
    assert "fingerprint" not in entries["cifar100"]


@pytest.mark.parametrize("command", ["fetch", "import", "verify", "list"])
def test_help_shows_an_example(command: str, data: Type) -> None:
    assert f"python -m bench data {command}" in data(command, "--help").output

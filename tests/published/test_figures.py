"""The shipped figures, and what is told about a file that cannot be imported."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.published import aliases
from bench.published.figures import COLUMNS, read_figures
from bench.published.importing import SHIPPED
from bench.registry import Registry

GOOD = {
    "method": "CE",
    "dataset": "CIFAR-10",
    "noise": "sym-excl",
    "rate": "0.5",
    "backbone": "ResNet34",
    "epochs": "200",
    "reported": "last",
    "accuracy": "60.5",
    "std": "0.3",
    "source": "A paper",
    "verified": "verified in A paper",
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write({"rate": "2"}, {...})``: a file of the good row with changes, from line 2."""

    def make(*changes: dict[str, str]) -> Path:
        path = tmp_path / "mine.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(GOOD | change for change in changes)
        return path

    return make


def told(path: Path) -> str:
    """What is said about a file that is refused."""
    with pytest.raises(DataError) as caught:
        read_figures(path, aliases.load())
    return str(caught.value)


def test_the_shipped_files_are_whole_and_their_unverified_figures_are_flagged() -> None:
    found = [figure for path in SHIPPED for figure in read_figures(path, aliases.load())]
    assert len(found) == 2367
    assert sum(figure.verified for figure in found) == 2331
    assert len({figure.key for figure in found}) == 2367


def test_every_alias_of_a_plugin_that_is_here_names_its_parameters(registry: Registry) -> None:
    known = aliases.load()
    for alias in known.noises.values():
        if alias.name:
            info = registry.get("noise", alias.name)
            for params in (alias.params, *alias.by_dataset.values()):
                info.resolve(params | ({alias.rate_is: 0.5} if alias.rate_is else {}))
            assert alias.unsaid is None or alias.unsaid in info.parameters
    for backbone in known.backbones.values():
        if backbone.name:
            assert registry.get("backbone", backbone.name).resolve({}) == backbone.params


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": ""}, "method is empty"),
        ({"dataset": " "}, "dataset is empty"),
        ({"noise": ""}, "noise is empty"),
        ({"source": ""}, "source is empty"),
        ({"accuracy": ""}, "accuracy is empty"),
        ({"noise": "sym-exl"}, "unknown noise 'sym-exl', did you mean 'sym-excl'?"),
        ({"accuracy": "100.1"}, "accuracy 100.1 is outside 0..100"),
        ({"accuracy": "-1"}, "accuracy -1 is outside 0..100"),
        ({"accuracy": "nan"}, "accuracy 'nan' is no number"),
        ({"accuracy": "91,16"}, "accuracy '91,16' is no number"),
        ({"std": "-0.2"}, "std -0.2 is below 0; did you mean 0.2?"),
        ({"std": "±0.2"}, "std '±0.2' is no number"),
        ({"rate": "50"}, "rate 50 is outside 0..1; did you mean 0.5?"),
        ({"rate": "-0.5"}, "rate -0.5 is outside 0..1"),
        ({"rate": "half"}, "rate 'half' is no number"),
        ({"rate": ""}, "noise 'sym-excl' takes one rate, got ''"),
        ({"noise": "PMD-I+sym"}, "noise 'PMD-I+sym' takes 2 rates, got '0.5'"),
        ({"noise": "PLL random"}, "noise 'PLL random' takes no rate, got '0.5'"),
        ({"verified": ""}, "verified is empty"),
        ({"verified": "recalled"}, "did you mean 'recalled, unverified'?"),
        ({"verified": "verified in "}, "did you mean 'verified in A paper'?"),
    ],
)
def test_a_wrong_value_is_told_with_its_line_and_what_would_be_right(
    write: Write, change: dict[str, str], message: str
) -> None:
    path = write({"method": "GCE"}, change)
    text = told(path)
    assert f"{path}:3: " in text
    assert message in text
    advice = f"mend them, then: python -m bench published import {path}"
    assert text.splitlines()[-1] == f"1 problem, so nothing was imported; {advice}"


def test_all_problems_are_told_at_once_in_the_order_of_their_lines(write: Write) -> None:
    path = write(
        {"rate": "7"}, {"method": "GCE"}, {"std": "-1", "noise": "asymm"}, {"method": "GCE"}
    )
    lines = told(path).splitlines()
    assert [line.partition(": ")[0] for line in lines[:-1]] == [
        f"{path}:{number}" for number in (2, 4, 4, 5)
    ]
    assert lines[-1].startswith("4 problems")


def test_rates_that_a_noise_has_not_or_has_twice_are_read(write: Write) -> None:
    path = write(
        {"noise": "none", "rate": "0"},
        {"noise": "PLL random", "rate": ""},
        {"noise": "PMD-I+sym", "rate": "0.35+0.30"},
    )
    assert [figure.rate for figure in read_figures(path, aliases.load())] == ["0", "", "0.35+0.3"]


def test_the_same_figure_twice_is_refused(write: Write) -> None:
    path = write({}, {"method": "GCE"}, {"rate": "0.50"})
    assert f"{path}:4: the same figure as line 2; delete one" in told(path)


@pytest.mark.parametrize("change", [{"accuracy": "61"}, {"std": ""}])
def test_two_figures_of_one_cell_in_one_source_contradict(
    write: Write, change: dict[str, str]
) -> None:
    path = write({}, change)
    assert f"{path}:3: contradicts line 2, which differs only in the figure" in told(path)


@pytest.mark.parametrize("column", ["source", "backbone", "epochs", "reported"])
def test_figures_of_other_sources_or_protocols_stand_side_by_side(
    write: Write, column: str
) -> None:
    path = write({}, {"accuracy": "61", column: "another"})
    assert len(read_figures(path, aliases.load())) == 2


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the file is empty"),
        (",".join(COLUMNS), 1, "there is no figure under the header"),
        (",".join(COLUMNS).replace("source", "sourse"), 1, "did you mean 'source'?"),
        (",".join(COLUMNS[:-1]), 1, "the column 'verified' is missing"),
        (",".join([*COLUMNS, "note"]), 1, "unknown column 'note'"),
        (",".join([*COLUMNS, "rate"]), 1, "column 'rate' is there 2 times"),
        (",".join(COLUMNS) + "\n\n" + ",".join(COLUMNS), 3, "the header again; delete this line"),
        (",".join(COLUMNS) + "\nCE,CIFAR-10", 2, "2 values, but the header has 11 columns"),
        (",".join(COLUMNS) + '\n"CE,CIFAR-10', 2, "not valid CSV"),
    ],
)
def test_a_file_of_another_form_is_told_where(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = tmp_path / "form.csv"
    path.write_text(text, encoding="utf-8")
    found = told(path)
    assert f"{path}:{line}: " in found
    assert message in found


def test_a_file_that_is_not_text_or_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bytes.csv"
    path.write_bytes(b"method\nCE\xff")
    assert f"{path}:2: not UTF-8" in told(path)
    assert "cannot be read" in told(tmp_path / "absent.csv")


def test_a_row_over_several_lines_is_told_at_its_first(write: Write) -> None:
    path = write({"source": "A\npaper"}, {"method": "GCE", "accuracy": "x"})
    assert f"{path}:4: accuracy 'x' is no number" in told(path)


@pytest.mark.parametrize(
    ("reported", "selector", "why"),
    [
        ("last", "last", ""),
        ("last, 3 runs", "last", ""),
        ("mean of last 10 epochs", "last10", ""),
        ("test at noisy-val best (5% val), 3 runs", "best-noisy-val", ""),
        ("best test epoch, 5 runs", None, "chosen by test labels"),
        ("test at clean-val best", None, "chosen by clean validation labels"),
        ("best/last unclear", None, ""),
        ("lasting", None, ""),
        ("as listed", None, ""),
        ("", None, ""),
    ],
)
def test_how_a_figure_was_chosen_is_read_from_how_it_was_reported(
    reported: str, selector: str | None, why: str
) -> None:
    found = aliases.load().selection(reported)
    assert (found.selector, found.why) == (selector, why)

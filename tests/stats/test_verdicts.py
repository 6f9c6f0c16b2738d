"""Every rule by which a published figure and ours are told apart, and its edge."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import scipy.stats
from verdict_case import CELL, FIGURE, judge, reasons

from bench.published import aliases
from bench.published.figures import Figure
from bench.published.translate import translate
from bench.stats.published import beside, tolerance
from bench.store.published import CELL_COLUMNS, as_frame


def test_the_same_protocol_and_the_same_figure_is_reproduced() -> None:
    row = judge().iloc[0]
    assert row["verdict"] == "reproduced"
    assert row["reasons"] == ()
    assert row["difference"] == pytest.approx(0)
    assert (row["seeds"], row["ours"], row["published"]) == (3, pytest.approx(0.6), 0.6)


@pytest.mark.parametrize(
    ("published", "verdict", "difference"),
    [
        (61.0, "reproduced", -0.01),
        (59.0, "reproduced", 0.01),
        (61.01, "off", -0.0101),
        (58.99, "off", 0.0101),
    ],
)
def test_one_point_is_the_edge_and_the_difference_has_our_sign(
    published: float, verdict: str, difference: float
) -> None:
    row = judge(figure={"accuracy": published}).iloc[0]
    assert row["verdict"] == verdict
    assert row["difference"] == pytest.approx(difference)


def test_two_standard_errors_are_the_edge_where_they_are_more_than_a_point() -> None:
    ours = (0.56, 0.6, 0.64)
    error = math.hypot(float(scipy.stats.sem(ours)), 0.03 / math.sqrt(5))
    edge = 100 * (0.6 + 2 * error)
    for accuracy, verdict in ((edge - 0.001, "reproduced"), (edge + 0.001, "off")):
        figure = {"accuracy": accuracy, "std": 3.0, "reported": "last, 5 runs"}
        row = judge(figure=figure, ours=ours).iloc[0]
        assert row["verdict"] == verdict
        assert row["tolerance"] == pytest.approx(2 * error)


@pytest.mark.parametrize(
    ("spread", "seeds", "std", "runs", "expected"),
    [
        (math.nan, 1, math.nan, math.nan, 0.01),
        (math.nan, 1, 0.04, 4, 0.04),
        (0.04, 4, math.nan, 5, 0.04),
        (0.04, 4, 0.5, math.nan, 0.04),
        (0.03, 1, math.nan, math.nan, 0.06),
        (0.0, 3, 0.0, 3, 0.01),
    ],
)
def test_what_is_not_known_widens_nothing(
    spread: float, seeds: int, std: float, runs: float, expected: float
) -> None:
    assert tolerance(spread, seeds, std, runs) == pytest.approx(expected)


def test_one_seed_has_no_spread_and_the_floor_alone() -> None:
    row = judge(ours=(0.6,), figure={"accuracy": 61.5, "std": 9.0}).iloc[0]
    assert math.isnan(row["spread"])
    assert (row["verdict"], row["tolerance"]) == ("off", 0.01)


def test_a_subset_is_not_comparable() -> None:
    cell = {"full": False, "dataset": "cifar10 (8,400 train)"}
    assert reasons(cell) == ["subset: ours is on cifar10 (8,400 train)"]


def test_another_backbone_is_not_comparable() -> None:
    assert reasons({"backbone": "small-cnn"}) == ["backbone: theirs is ResNet34, ours small-cnn"]
    assert reasons({"backbone_params": {"width": 32}}) == ["backbone: theirs has width 64, ours 32"]
    theirs = "ResNet34 (torchvision-style 7x7 stem)"
    assert reasons(figure={"backbone": theirs}) == [f"backbone: theirs is {theirs}, ours resnet34"]


@pytest.mark.parametrize("text", ["see paper", "PreActResNet18 (per-row papers)", ""])
def test_a_backbone_that_is_not_certain_is_not_comparable(text: str) -> None:
    assert reasons(figure={"backbone": text}) == [f"backbone: not certain ({text or 'not stated'})"]


@pytest.mark.parametrize(
    ("theirs", "ours", "fits"),
    [
        ("200", 180, True),
        ("200", 220, True),
        ("200", 179, False),
        ("200", 221, False),
        ("120-150", 108, True),
        ("120-150", 165, True),
        ("120-150", 107, False),
        ("120-150", 166, False),
    ],
)
def test_epochs_may_differ_by_a_tenth(theirs: str, ours: int, fits: bool) -> None:
    found = judge({"epochs": ours}, {"epochs": theirs}).iloc[0]["reasons"]
    assert found == (() if fits else (f"epochs: theirs {theirs}, ours {ours}",))


@pytest.mark.parametrize("text", ["per-method", "see paper", "100 (baseline; others own)", ""])
def test_epochs_that_are_not_stated_are_not_comparable(text: str) -> None:
    assert reasons(figure={"epochs": text}) == [
        "epochs: not stated" + (f" ({text})" if text else "")
    ]


def test_the_other_convention_of_symmetric_noise_is_not_comparable() -> None:
    assert reasons(figure={"noise": "sym-incl"}) == [
        "noise: theirs has convention inclusive, ours exclusive"
    ]
    assert reasons(figure={"noise": "sym"}) == ["noise: the source does not say its convention"]


ASYMMETRIC = {
    "dataset": "cifar100",
    "dataset_name": "cifar100",
    "noise_name": "asymmetric",
    "noise_params": {"rate": 0.4, "map": "superclass-next"},
}


def test_the_other_map_of_asymmetric_noise_is_not_comparable() -> None:
    theirs = {"dataset": "CIFAR-100", "noise": "asym", "rate": "0.4"}
    assert reasons(ASYMMETRIC, theirs) == [
        "noise: theirs has map fine-id-blocks, ours superclass-next"
    ]
    assert judge(ASYMMETRIC, theirs | {"noise": "asym-super"}).iloc[0]["verdict"] == "reproduced"
    own = ASYMMETRIC | {"noise_params": {"rate": 0.4, "map": {"apple": "pear"}}}
    assert reasons(own, theirs) == ["noise: theirs has map fine-id-blocks, ours one of its own"]


def test_a_map_that_the_source_should_have_named_is_not_comparable() -> None:
    cell = ASYMMETRIC | {"dataset_name": "mnist", "dataset": "mnist"}
    theirs = {"dataset": "MNIST", "noise": "asym", "rate": "0.4"}
    assert reasons(cell, theirs) == ["noise: the source does not say its map"]


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        ("best", "selection: theirs was chosen by test labels (best)"),
        ("best test epoch, 5 runs", "selection: theirs was chosen by test labels"),
        ("test at clean-val best", "selection: theirs was chosen by clean validation labels"),
        ("as listed", "selection: not stated (as listed)"),
        ("", "selection: not stated"),
        ("mean of last 10 epochs", "selection: theirs is mean of last 10 epochs, and ours has no"),
    ],
)
def test_another_choice_of_the_epoch_is_not_comparable(reported: str, reason: str) -> None:
    (found,) = reasons(figure={"reported": reported})
    assert found.startswith(reason)


def test_a_best_figure_is_shown_beside_our_last_epoch_never_our_oracle() -> None:
    row = judge(figure={"reported": "best"}, oracle_best_test=(0.9, 0.9)).iloc[0]
    assert (row["selector"], row["ours"], row["published"]) == ("last", pytest.approx(0.6), 0.6)


@pytest.mark.parametrize(
    ("reported", "selector"),
    [
        ("mean of last 10 epochs", "last10"),
        ("test at noisy-val best (5% val), 3 runs", "best-noisy-val"),
    ],
)
def test_a_figure_is_compared_with_our_figure_of_the_same_choice(
    reported: str, selector: str
) -> None:
    others = {"last10": (0.7, 0.7), "best_noisy_val": (0.7, 0.7)}
    row = judge(figure={"reported": reported, "accuracy": 70.2}, **others).iloc[0]
    assert (row["selector"], row["ours"], row["verdict"]) == (
        selector,
        pytest.approx(0.7),
        "reproduced",
    )


def test_a_method_variant_is_not_comparable() -> None:
    forward = {"method": "forward", "method_name": "forward"}
    theirs = {"method": "F-correction"}
    told = "variant: theirs has matrix=estimated, ours has"
    assert reasons(forward | {"method_params": {"matrix": "given"}}, theirs) == [
        f"{told} matrix=given"
    ]
    assert reasons(forward, theirs) == [f"{told} no matrix"]
    same = forward | {"method_params": {"matrix": "estimated"}, "changed": {"matrix": "estimated"}}
    assert judge(same, theirs).iloc[0]["verdict"] == "reproduced"
    sop = {"method": "sop", "method_name": "sop"}
    assert reasons(sop, {"method": "SOP+"}) == [
        "variant: theirs is SOP+, with consistency and class-balance terms"
    ]


def test_a_parameter_that_the_suite_changed_is_a_variant() -> None:
    cell = {"method": "gce(q=0.3)", "method_name": "gce", "method_params": {"q": 0.3}}
    assert reasons(cell | {"changed": {"q": 0.3}}, {"method": "GCE"}) == [
        "variant: the suite sets q=0.3"
    ]


def test_every_reason_is_told_at_once() -> None:
    found = reasons(
        {"full": False, "backbone": "mlp", "epochs": 3},
        {"noise": "sym-incl", "reported": "best"},
    )
    assert [text.partition(":")[0] for text in found] == [
        "subset",
        "noise",
        "backbone",
        "epochs",
        "selection",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"rate": "0.4"},
        {"dataset": "CIFAR-100"},
        {"method": "GCE"},
        {"noise": "pairflip"},
        {"noise": "BadLabel (released labels)"},
    ],
)
def test_a_figure_of_another_cell_does_not_stand_beside(change: dict[str, str]) -> None:
    assert judge(figure=change).empty


def test_clean_data_has_no_rate() -> None:
    clean = {"noise": "clean", "noise_name": "clean", "noise_params": {}}
    for rate in ("0", ""):
        assert judge(clean, {"noise": "none", "rate": rate}).iloc[0]["verdict"] == "reproduced"


def test_an_unverified_figure_is_compared_and_flagged() -> None:
    row = judge(figure={"verified": False, "verification": "recalled, unverified"}).iloc[0]
    assert (row["verdict"], row["verified"]) == ("reproduced", False)


def test_several_figures_of_one_cell_are_never_averaged() -> None:
    cells = pd.DataFrame([CELL], columns=CELL_COLUMNS)
    runs = pd.DataFrame(
        [("cifar10", "symmetric 0.5", "ce", "last", 0, 0.6)],
        columns=["dataset", "noise", "method", "selector", "seed", "test_accuracy"],
    )
    figures = as_frame(
        [Figure(**FIGURE | {"accuracy": 60 + n, "source": f"paper {n}"}) for n in range(3)]
    )
    found = beside(cells, runs, translate(figures, aliases.load()))
    assert found["published"].tolist() == pytest.approx([0.6, 0.61, 0.62])
    assert found["source"].tolist() == ["paper 0", "paper 1", "paper 2"]
    assert found["verdict"].tolist() == ["reproduced", "reproduced", "off"]


def test_a_cell_without_a_result_has_nothing_beside_it() -> None:
    assert judge(ours=()).empty
    nothing = beside(pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    assert nothing.empty
    assert "verdict" in nothing


STAND_ALONE = {
    "method": "PL-KNN",
    "dataset": "MSRCv2",
    "noise": "PLL real-world",
    "rate": "",
    "backbone": "kernel/linear/kNN on given features",
    "epochs": "",
}


def test_a_learner_without_network_is_compared_whatever_the_backbone_of_the_suite() -> None:
    ours = {
        "dataset_name": "msrcv2",
        "noise_name": "real",
        "noise_params": {},
        "method_name": "pl-knn",
        "networks": 0,
    }
    theirs = STAND_ALONE | {"reported": "ten 50/50 splits, 10 runs", "accuracy": 59.5}
    assert judge(ours, theirs)["verdict"].tolist() == ["reproduced"]
    (row,) = judge(ours, STAND_ALONE | {"reported": "mean test acc of 5 seeds"}).to_dict("records")
    assert row["verdict"] == "not comparable"
    assert row["reasons"] == (
        "selection: theirs was an average over 80/20 splits, and not over the official ones "
        "(mean test acc of 5 seeds)",
    )


def test_a_rate_may_be_a_parameter_of_another_name() -> None:
    theirs = {"method": "CE", "noise": "PLL uniform-q", "rate": "0.3"}
    ours = {"noise_name": "partial-uniform"}
    assert len(judge(ours | {"noise_params": {"q": 0.3}}, theirs)) == 1
    assert judge(ours | {"noise_params": {"q": 0.1}}, theirs).empty

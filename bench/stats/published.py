"""Our cells beside published figures: reproduced, off, or not comparable, by stated rules.

Every published figure stands for itself; figures of several sources are never averaged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.stats.frame import CELL

REPRODUCED, OFF, NOT_COMPARABLE = "reproduced", "off", "not comparable"
VERDICTS = (REPRODUCED, OFF, NOT_COMPARABLE)

FLOOR = 0.01
"""Accuracies closer than this (1 point) agree, however small the errors are said to be."""

ERRORS = 2.0
"""Standard errors of the difference within which accuracies agree."""

EPOCH_BAND = 0.1
"""Share by which the number of epochs may differ from what was published."""

HEADLINE = "last"
ROUNDING = 1e-9

RULES = (
    "Beside a result stands every published figure of the same data set, method, kind of noise "
    "and rate. Each stands for itself; figures of several sources are never averaged.",
    "Not comparable, with every reason: ours was trained on a subset; the published method is "
    "another variant, or the suite changed a parameter of ours; the noise has another convention "
    "or map, or the source names none; the backbone is another or not certain; our epochs are "
    f"more than {100 * EPOCH_BAND:g} % outside what was published, or that is not stated; the "
    "epoch that was reported was chosen in another way. A learner that solves for its weights has "
    "neither backbone nor epochs.",
    "Last is compared with our last epoch, mean of the last ten with ours, best on noisy "
    "validation with ours. A figure that test labels chose (best) is shown and never compared, "
    "because no test label selects anything here; nor is one whose choice is not stated.",
    f"Otherwise reproduced if the means differ by at most {100 * FLOOR:g} point or by at most "
    f"{ERRORS:g} standard errors of the difference, whichever is more, and else off, with the "
    "signed difference, ours minus published.",
    "A standard error is the standard deviation over runs by the root of their number. One that "
    "cannot be known (one seed of ours; no deviation or no number of runs in the source) counts "
    "as 0: what is not known widens nothing.",
    "Optimiser, schedule, batch size, augmentation and held-out share are not in the table of "
    "published figures, so no verdict sees them. A figure marked unverified was recalled and not "
    "seen in its source.",
)
"""The rules in words, for pages and reports."""


def beside(cells: pd.DataFrame, runs: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """Every published figure beside the cell of ours that it is about, with the verdict.

    Args:
        cells: what each cell is: dataset, noise, method, dataset_name, full, noise_name,
            noise_params, method_name, method_params, changed, networks, backbone,
            backbone_params, epochs.
        runs: dataset, noise, method, selector, seed, test_accuracy (a share), refiner off.
        figures: translated published figures; accuracy and std in %.

    Returns:
        A row a pair, cells in their order and figures in theirs: dataset, noise, method, figure,
        selector (of ours), seeds, ours, spread (standard deviation; NaN for one seed), published,
        std, difference, tolerance (both NaN where not comparable), verdict, reasons (tuple of
        sentences), verified, and in the words of the source: published_method, published_dataset,
        published_noise, rate, backbone, epochs, reported, source, verification. Numbers are shares.
    """
    if cells.empty or figures.empty:
        return pd.DataFrame(columns=COLUMNS)
    numbered = cells.assign(
        noise_rate=[float(params.get("rate") or 0.0) for params in cells["noise_params"]],
        position=range(len(cells)),
    )
    keys = ["dataset_name", "method_name", "noise_name"]
    pairs = numbered.merge(figures, on=keys, how="inner", suffixes=("", "_theirs"))
    rows_of = pairs.to_dict("records")
    same = (pairs["noise_rate"] - pairs["noise_rate_theirs"]).abs() < ROUNDING
    same &= pd.Series([_same_noise(pair) for pair in rows_of], index=pairs.index, dtype=bool)
    found: dict[tuple[Any, ...], np.ndarray[Any, Any]] = {
        tuple(key): group["test_accuracy"].to_numpy(dtype=float)
        for key, group in runs[runs["test_accuracy"].notna()].groupby([*CELL, "selector"])
    }
    pairs = pairs[same].sort_values("position", kind="stable")
    rows = [_row(pair, found) for pair in pairs.to_dict("records")]
    return pd.DataFrame([row for row in rows if row is not None], columns=COLUMNS)


def _same_noise(pair: Mapping[Any, Any]) -> bool:
    """False where the parameters name another noise, such as another label file."""
    theirs = pair["noise_params_theirs"]
    return not pair["noise_exact"] or all(
        pair["noise_params"].get(name) == value for name, value in theirs.items()
    )


def tolerance(spread: float, seeds: int, std: float = math.nan, runs: float = math.nan) -> float:
    """How far two means may be apart and still agree; NaN stands for what is not known."""
    errors = [_error(spread, seeds), _error(std, runs)]
    return max(FLOOR, ERRORS * math.hypot(*errors))


COLUMNS = [
    *CELL,
    "figure",
    "selector",
    "seeds",
    "ours",
    "spread",
    "published",
    "std",
    "difference",
    "tolerance",
    "verdict",
    "reasons",
    "verified",
    "published_method",
    "published_dataset",
    "published_noise",
    "rate",
    "backbone",
    "epochs",
    "reported",
    "source",
    "verification",
]


def _row(
    pair: Mapping[Any, Any], found: Mapping[tuple[Any, ...], np.ndarray[Any, Any]]
) -> dict[str, Any] | None:
    """One pair with its verdict; None where the cell has no result yet."""
    cell = (pair["dataset"], pair["noise"], pair["method"])
    reasons = list(_reasons(pair))
    selector = pair["selector"]
    if not selector:
        reasons.append(f"selection: {_selection(pair)}")
    elif (*cell, selector) not in found:
        reasons.append(f"selection: theirs is {pair['reported']}, and ours has no {selector}")
    if (*cell, selector) not in found:
        selector = HEADLINE
    values = found.get((*cell, selector))
    if values is None:
        return None
    ours, published, std = float(values.mean()), pair["accuracy"] / 100, pair["std"] / 100
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    difference = allowed = math.nan
    verdict = NOT_COMPARABLE
    if not reasons:
        difference = ours - published
        allowed = tolerance(spread, len(values), std, pair["runs"])
        verdict = REPRODUCED if abs(difference) <= allowed + ROUNDING else OFF
    return {
        **dict(zip(CELL, cell, strict=True)),
        "figure": pair["figure"],
        "selector": selector,
        "seeds": len(values),
        "ours": ours,
        "spread": spread,
        "published": published,
        "std": std,
        "difference": difference,
        "tolerance": allowed,
        "verdict": verdict,
        "reasons": tuple(reasons),
        "verified": bool(pair["verified"]),
        "published_method": pair["method_theirs"],
        "published_dataset": pair["dataset_theirs"],
        "published_noise": pair["noise_theirs"],
        "rate": pair["rate"],
        "backbone": pair["backbone_theirs"],
        "epochs": pair["epochs_theirs"],
        "reported": pair["reported"],
        "source": pair["source"],
        "verification": pair["verification"],
    }


def _reasons(pair: Mapping[Any, Any]) -> Iterator[str]:
    """Why the protocols differ, but for the selection."""
    if not pair["full"]:
        yield f"subset: ours is on {pair['dataset']}"
    if pair["variant"]:
        yield f"variant: theirs is {pair['method_theirs']}, {pair['variant']}"
    theirs, ours = pair["method_params_theirs"], pair["method_params"]
    for name, value in theirs.items():
        if name not in ours or ours[name] != value:
            has = f"has {name}={ours[name]}" if name in ours else f"has no {name}"
            yield f"variant: theirs has {name}={value}, ours {has}"
    for name, value in pair["changed"].items():
        if name not in theirs:
            yield f"variant: the suite sets {name}={value}"
    for name, value in pair["noise_params_theirs"].items():
        if pair["noise_params"].get(name) != value:
            own = pair["noise_params"].get(name)
            yield f"noise: theirs has {name} {value}, ours {_brief(own)}"
    if pair["noise_unsaid"]:
        yield f"noise: the source does not say its {pair['noise_unsaid']}"
    if pair["networks"]:
        yield from _about_backbone(pair)
        yield from _about_epochs(pair)


def _about_backbone(pair: Mapping[Any, Any]) -> Iterator[str]:
    theirs, ours = pair["backbone_name"], pair["backbone"]
    if not theirs:
        yield f"backbone: not certain ({pair['backbone_theirs'] or 'not stated'})"
    elif theirs != ours:
        yield f"backbone: theirs is {pair['backbone_theirs']}, ours {ours}"
    else:
        own = pair["backbone_params"]
        for name, value in pair["backbone_params_theirs"].items():
            if own.get(name) != value:
                yield f"backbone: theirs has {name} {value}, ours {own.get(name)}"


def _about_epochs(pair: Mapping[Any, Any]) -> Iterator[str]:
    theirs, ours = pair["epochs_theirs"], pair["epochs"]
    if math.isnan(pair["epochs_low"]):
        yield f"epochs: not stated ({theirs})" if theirs else "epochs: not stated"
        return
    least = (1 - EPOCH_BAND) * pair["epochs_low"] - ROUNDING
    most = (1 + EPOCH_BAND) * pair["epochs_high"] + ROUNDING
    if not least <= ours <= most:
        yield f"epochs: theirs {theirs}, ours {ours}"


def _selection(pair: Mapping[Any, Any]) -> str:
    if pair["selection_why"]:
        return f"theirs was {pair['selection_why']} ({pair['reported']})"
    return f"not stated ({pair['reported']})" if pair["reported"] else "not stated"


def _error(spread: float, number: float) -> float:
    if math.isnan(spread) or math.isnan(number) or number < 1:
        return 0.0
    return spread / math.sqrt(number)


def _brief(value: Any) -> str:
    return "one of its own" if isinstance(value, dict) else str(value)

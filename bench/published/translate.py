"""Published figures in LIPBench's words: plugins, parameters, selectors and numbers."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from bench.published.aliases import Aliases
from bench.published.figures import rates

EPOCHS = re.compile(r"(\d+)(?:-(\d+))?")
RUNS = re.compile(r"\b(\d+) (?:runs|seeds)\b")


def translate(figures: pd.DataFrame, aliases: Aliases) -> pd.DataFrame:
    """Every figure with what its words mean here.

    Args:
        figures: as ``store.published.figures`` gives them.
        aliases: what the words mean.

    Returns:
        The same rows and columns, and: dataset_name, method_name, method_params (dict: what makes
        it that method), variant, noise_name (empty where no plugin draws it), noise_params (dict),
        noise_unsaid, noise_exact (bool: its parameters say which noise it is), noise_rate (0 where
        there is none, or it was only counted), backbone_name (empty where it is not
        certain), backbone_params (dict), epochs_low, epochs_high (NaN where not stated), selector
        (empty where none of ours is the same), selection_why, runs (NaN where not stated).
    """
    found = [_translated(row, aliases) for row in figures.to_dict("records")]
    columns = list(_translated({name: "" for name in figures.columns}, aliases))
    added = pd.DataFrame(found, columns=columns, index=figures.index)
    return pd.concat([figures, added], axis=1)


def _translated(row: dict[Any, Any], aliases: Aliases) -> dict[str, Any]:
    method = aliases.method(row["method"])
    noise = aliases.noises.get(row["noise"])
    said, unsaid = noise.on(row["dataset"]) if noise else ({}, "")
    backbone = aliases.backbone(row["backbone"])
    selection = aliases.selection(row["reported"])
    low, high = _epochs(row["epochs"])
    rate = rates(row["rate"]) or (0.0,)
    if noise is not None and noise.rate_is is not None:
        said, rate = {**said, noise.rate_is: rate[0]}, (0.0,)
    if noise is not None and noise.unrated:
        rate = (0.0,)
    runs = RUNS.search(row["reported"])
    return {
        "dataset_name": aliases.dataset(row["dataset"]),
        "method_name": method.name,
        "method_params": method.params,
        "variant": method.variant,
        "noise_name": (noise.name or "") if noise else "",
        "noise_params": said,
        "noise_unsaid": unsaid,
        "noise_exact": noise is not None and noise.exact,
        "noise_rate": rate[0],
        "backbone_name": "" if backbone.unsure else backbone.name or "",
        "backbone_params": backbone.params,
        "epochs_low": low,
        "epochs_high": high,
        "selector": selection.selector or "",
        "selection_why": selection.why,
        "runs": float(runs[1]) if runs else math.nan,
    }


def _epochs(text: str) -> tuple[float, float]:
    """``200`` or ``120-150`` as a range; words say nothing certain."""
    match = EPOCHS.fullmatch(text)
    if match is None:
        return math.nan, math.nan
    return float(match[1]), float(match[2] or match[1])

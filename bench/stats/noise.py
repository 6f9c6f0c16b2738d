"""Label noise over the seeds of a suite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = (
    *("dataset", "noise", "samples", "classes", "nominal", "realised", "lowest", "highest"),
    *("open_rate", "set_size", "seeds", "distinct"),
)


def by_block(labels: pd.DataFrame) -> pd.DataFrame:
    """One row a data set and noise, in the order of ``labels`` (see ``store.audit.labels``).

    Returns:
        dataset, noise, samples, classes, nominal (NaN where the noise names no rate), realised
        (mean over seeds; NaN where nobody knows it), lowest and highest over seeds, open_rate,
        set_size (mean number of candidates; NaN for single labels), seeds, distinct (how many
        different label vectors the seeds have).
    """
    rows = []
    for (dataset, noise), group in labels.groupby(["dataset", "noise"], sort=False):
        first = group.iloc[0]
        rates = group["realised_rate"].to_numpy(dtype=float)
        known = bool(np.isfinite(rates).all())
        rows.append(
            {
                "dataset": dataset,
                "noise": noise,
                "samples": int(first["n_train"]),
                "classes": int(first["n_classes"]),
                "nominal": nominal_rate(first["nominal"], first["noise_params"]),
                "realised": float(rates.mean()) if known else math.nan,
                "lowest": float(rates.min()) if known else math.nan,
                "highest": float(rates.max()) if known else math.nan,
                "open_rate": float(group["open_rate"].mean()),
                "set_size": float(group["mean_set_size"].mean()),
                "seeds": len(group),
                "distinct": int(group["artefact_sha"].nunique()),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def nominal_rate(nominal: Any, params: dict[str, Any]) -> float:
    """The rate that was asked for: of the matrix with equal classes, else the parameter ``rate``.

    An open-set noise asks for its rate although its matrix is the identity.
    """
    rate = params.get("rate")
    if nominal is None:
        return math.nan if rate is None else float(rate)
    off_diagonal = 1 - float(np.mean(np.diag(np.asarray(nominal, dtype=float))))
    return float(rate) if off_diagonal == 0 and rate is not None else off_diagonal

"""SciPy's p of Wilcoxon's signed-rank test, quickly enough for hundreds of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

EXACT = 13
"""Up to so many values with ties or zeros, ``stats.wilcoxon`` goes through all signs."""


def signed_rank_p(differences: pd.Series) -> float:
    """The p of ``stats.wilcoxon(differences, zero_method="zsplit")``.

    ``stats.wilcoxon`` ranks anew for every one of the signs; ``stats.permutation_test`` is given
    the ranks, which signs do not change, and takes all signs at once.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) > EXACT:
        return float(stats.wilcoxon(values, zero_method="zsplit").pvalue)
    ranks = stats.rankdata(np.abs(values))
    found = stats.permutation_test(
        (values,),
        lambda signed, axis: (np.sign(signed) * ranks).sum(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    return float(found.pvalue)

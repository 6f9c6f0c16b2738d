"""Telling small losses from large ones with a mixture of two Gaussians."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor


def scaled(losses: Tensor) -> Tensor:
    """Losses ``(n,)`` moved to 0 … 1; all zero where they do not differ."""
    span = losses.max() - losses.min()
    return (losses - losses.min()) / span.clamp_min(1e-12)


def clean_probability(losses: Tensor) -> Tensor:
    """Posterior ``(n,)`` of the component with the smaller mean (DivideMix, section 3.1).

    A mixture of two Gaussians is fitted to the scaled losses with the settings of the authors'
    code (10 iterations, tolerance 1e-2, 5e-4 added to the variances). The same losses give the
    same answer.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    values = scaled(losses).double().cpu().numpy()[:, None]
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten iterations are the method's
        mixture.fit(values)
    posterior = mixture.predict_proba(values)[:, int(np.argmin(mixture.means_.ravel()))]
    return torch.from_numpy(posterior).float().to(losses.device)

"""Progressive identification of the true label."""

from __future__ import annotations

from bench.training.recipes.candidates import Confident


class Proden(Confident):
    """PRODEN: cross entropy to confidences that follow the network's own predictions.

    ``-Σ_{k in S} w_k log p_k``. Confidences w start uniform over the candidates; after the loss of
    a batch they become ``w_k = p_k / Σ_{j in S} p_j`` of the same forward pass (the paper's
    equation for w, as in the authors' code). No parameter and no warm-up. Told nothing, one
    network, one view, one forward and backward pass a sample, ``n × C`` numbers of state.

    The soft-max is taken over the candidates alone, where the authors' code multiplies
    probabilities that may all have underflowed and takes logs of them. Deviation: the common
    optimiser and protocol; the authors tune learning rate and weight decay for each data set.
    """

    name = "proden"
    paper = (
        "Lv et al., Progressive Identification of True Labels for Partial-Label Learning, "
        "ICML 2020, arXiv 2002.08053"
    )

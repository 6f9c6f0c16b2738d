"""Progressive identification of the true label."""

from __future__ import annotations

from bench.training.recipes.candidates import Confident


class Proden(Confident):
    """PRODEN: cross entropy to confidences that follow the network's own predictions.

    Confidences start uniform over the candidates; after a batch they become the soft-max of the
    same forward pass, restricted to the candidates and renormalised (the paper's equation for w,
    as in the authors' code). Told nothing, one network, one view, one forward and backward pass a
    sample, ``n × C`` numbers of state. Deviation: the common optimiser and protocol.
    """

    name = "proden"
    paper = (
        "Lv et al., Progressive Identification of True Labels for Partial-Label Learning, "
        "ICML 2020, arXiv 2002.08053"
    )

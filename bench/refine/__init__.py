"""LIP, its variants, its controls, and the choice of k."""

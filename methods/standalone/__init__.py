"""Learners that solve for their weights: closed-form, kernel and neighbour methods."""

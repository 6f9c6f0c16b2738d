"""Tuning: an equal budget of random search for every method, judged on noisy validation alone."""

"""Candidate sets instead of labels: partial-label learning."""

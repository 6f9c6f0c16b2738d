"""Learning from candidate sets of which one label is true: partial-label learning."""

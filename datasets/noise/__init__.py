"""One file a noise model."""

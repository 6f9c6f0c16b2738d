"""Data sets, held-out splits and noise artefacts."""

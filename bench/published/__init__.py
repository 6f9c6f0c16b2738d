"""Published figures: the shipped file, what its names mean here, and how a file is read."""

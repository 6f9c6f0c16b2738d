"""What runs trainings: ``run(trainings) -> Iterator[Finished]``."""

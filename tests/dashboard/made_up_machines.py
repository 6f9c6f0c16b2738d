"""Made-up runs on two machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_runs import MakeDatabase, done

from bench.records import Environment, Outcome
from bench.training_spec import TrainingSpec

COMPUTER = Environment(
    git_commit="abcdef012345",
    git_dirty=True,
    python="3.11.7",
    platform="Linux",
    cpu="EPYC",
    cores=2,
    accelerator="",
    packages={"torch": "2.14.1", "numpy": "2.4.6"},
)


@pytest.fixture(scope="session")
def machines(make_database: MakeDatabase) -> Path:
    """Seed 0 on a CPU with changed code, seed 1 on an accelerator; named logs are not there."""
    gpu = replace(COMPUTER, git_dirty=False, accelerator="H100")

    def fate(spec: TrainingSpec) -> Outcome:
        outcome = replace(done(spec), log=f"runs/some/logs/{spec.key[:16]}.log")
        if spec.seed:
            return replace(outcome, environment=gpu, device="cuda:0", precision="bf16")
        return replace(outcome, environment=COMPUTER)

    return make_database(fate, seeds=2)

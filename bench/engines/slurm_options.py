"""What SLURM is asked for; no part of what a training is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

import bench
from bench.protocol import Strict


class SlurmOptions(Strict):
    """Options of the engine: what SLURM is asked for."""

    folder: str = Field("", description="that all nodes see; by default beside the database")
    data_dir: str = Field("", description="the data folder on the nodes; by default as here")
    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    time_min: int = Field(60, ge=1, description="minutes of a job, then it is queued again")
    mem_gb: float | None = Field(None, gt=0)
    gpus: int = Field(0, ge=0, description="of a job; one training uses one")
    array_parallelism: int = Field(100, ge=1, description="jobs at a time; --jobs comes first")
    array_size: int = Field(1000, ge=1, description="jobs of an array; see MaxArraySize")
    trainings_a_job: int | None = Field(None, ge=1)
    requeues: int = Field(20, ge=0, description="how often a job may reach its time limit")
    signal_delay_s: int = Field(90, ge=1, description="warning before the time limit")
    setup: tuple[str, ...] = Field((), description="shell lines before the job's own")
    extra: dict[str, Any] = Field(default_factory=dict, description="more options of sbatch")
    poll_s: float = Field(2.0, gt=0, description="between two looks for outcomes")

    def parameters(self, threads: int, jobs: int | None) -> dict[str, Any]:
        """As submitit calls them."""
        named = {
            "slurm_partition": self.partition,
            "slurm_account": self.account,
            "slurm_qos": self.qos,
            "slurm_constraint": self.constraint,
            "slurm_mem": None if self.mem_gb is None else f"{int(self.mem_gb * 1024)}MB",
            "slurm_gpus_per_node": self.gpus,
        }
        root = Path(bench.__file__).resolve().parent.parent
        setup = [f'export PYTHONPATH="{root}${{PYTHONPATH:+:$PYTHONPATH}}"', *self.setup]
        return {
            **{name: value for name, value in named.items() if value},
            "name": "lipbench",
            "timeout_min": self.time_min,
            "cpus_per_task": threads,
            "slurm_array_parallelism": jobs or self.array_parallelism,
            "slurm_signal_delay_s": self.signal_delay_s,
            "slurm_setup": setup,
            "slurm_additional_parameters": {"requeue": True, **self.extra},
        }

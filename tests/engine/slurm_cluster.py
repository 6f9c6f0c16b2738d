"""A SLURM of one node on loopback: controller, node daemon and munge, in a folder of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
SYSTEM = "/usr/sbin:/sbin:/usr/bin"
"""Where Debian puts daemons, which may not be on a user's path."""

START_S = 60.0

CONFIG = """
ClusterName=lipbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
KillWait=2
CompleteWait=0
MinJobAge=300
NodeName=here NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
"""


class NoSlurm(Exception):
    """There is none and none can be started; the message says why."""


@dataclass
class SlurmCluster:
    """The daemons of one small cluster.

    Attributes:
        folder: its configuration, state and logs.
    """

    folder: Path
    cpus: int = 2
    _daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """For ``SLURM_CONF``."""
        return self.folder / "slurm.conf"

    def start(self) -> None:
        """Start the daemons and wait for the node. Raises ``NoSlurm``."""
        path = f"{os.environ.get('PATH', '')}:{SYSTEM}"
        missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
        if missing:
            raise NoSlurm(f"{missing[0]} is not installed: apt install slurm-wlm munge")
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.config.write_text(
            CONFIG.format(
                host=socket.gethostname().partition(".")[0],
                user=_user(),
                folder=self.folder,
                cpus=self.cpus,
                ctld_port=_free_port(),
                slurmd_port=_free_port(),
            )
        )
        places = {"key": "munge.key", "socket": "munge.socket", "pid": "munge.pid"}
        places |= {"log": "munge.log", "seed": "munge.seed"}
        flags = [
            f"--{k}{'' if k == 'socket' else '-file'}={self.folder / v}" for k, v in places.items()
        ]
        self._daemon("munged", "--foreground", "--force", *flags)
        self._daemon("slurmctld", "-D", "-c")
        self._daemon("slurmd", "-D", "-N", "here")
        deadline = time.monotonic() + START_S
        state = "unknown"
        while time.monotonic() < deadline:
            state = self.ask("sinfo", "-h", "-o", "%T")
            if state == "idle":
                return
            time.sleep(0.2)
        log = (self.folder / "slurmctld.log").read_text()[-500:]
        self.stop()
        raise NoSlurm(f"the node did not become idle ({state!r}): {log}")

    def stop(self) -> None:
        """End jobs and daemons."""
        self.ask("scancel", "--user", _user())
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(timeout=3)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def ask(self, *command: str) -> str:
        """What a command of SLURM prints; empty where it fails."""
        found = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, check=False
        )
        return found.stdout.strip()

    def _daemon(self, *command: str) -> None:
        path = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:{SYSTEM}")
        with (self.folder / f"{command[0]}.out").open("wb") as out:
            self._daemons.append(
                subprocess.Popen(
                    [str(path), *command[1:]],
                    env=self._environment(),
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.config)}


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

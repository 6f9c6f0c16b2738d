"""Mid-training checkpoints: a training that was stopped goes on from an epoch that it had ended.

A file holds the state at the end of an epoch. Within an epoch there is nothing to save: a method's
``train_epoch`` is code of its own, with local variables and iterators, and every stream of random
numbers begins anew with the epoch, so that the end of an epoch is where going on is exact.

Layout: ``MAGIC``, sha256 of all that follows (64 hex digits and a newline), a line of JSON with the
identity of the training, and what ``torch.save`` wrote; it is read with ``weights_only=True``,
which runs no code. The file before the last is kept, for the last may be torn.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import random
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bench.records import EpochRecord
from bench.training.keeping import files, remove
from bench.training.unsaved import plain_attributes

if TYPE_CHECKING:
    from bench.training.session import Session
    from bench.training_spec import TrainingSpec

log = logging.getLogger(__name__)

MAGIC = b"LIPBENCH CHECKPOINT 1\n"

HARNESS = ("training/*.py", "training/recipes/*.py", "api.py", "protocol.py", "data/noise.py")
"""Code that a training runs besides its plugins; a checkpoint is good for the same code only."""


class CheckpointError(Exception):
    """A file that is no checkpoint of this training; the message says why."""


@dataclass(frozen=True)
class Saved:
    """A training at the end of an epoch, and what it has measured.

    Attributes:
        state: of session, method, run and generators: tensors and plain containers.
        records: of the epochs so far.
        started_at: of the first attempt, ISO 8601 in UTC.
        wall_s: seconds that the training has taken, over all attempts that were saved.
        peak_memory_bytes: the largest so far.
    """

    state: dict[str, Any]
    records: tuple[EpochRecord, ...]
    started_at: str
    wall_s: float
    peak_memory_bytes: int = 0

    @property
    def epoch(self) -> int:
        """The last one that ended."""
        return int(self.state["session"]["epoch"])

    def dumps(self) -> bytes:
        """What ``torch.save`` makes of it."""
        buffer = io.BytesIO()
        records = [asdict(record) for record in self.records]
        torch.save({**vars(self), "records": records}, buffer)
        return buffer.getvalue()

    @classmethod
    def loads(cls, payload: bytes) -> Saved:
        """The inverse of ``dumps``, on the CPU; no code of the file is run."""
        data = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        records = tuple(EpochRecord(**record) for record in data["records"])
        return cls(**{**data, "records": records})


def identity_of(spec: TrainingSpec, device: torch.device, threads: int) -> dict[str, str]:
    """What must be the same for a training to go on bit for bit: its key, and what runs it.

    Args:
        spec: the training.
        device: where it runs; the accelerator's name counts.
        threads: on the CPU the number of threads decides how sums are rounded.
    """
    on_cpu = device.type == "cpu"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "key": spec.key,
        "method_source_sha": spec.method_source_sha,
        "backbone_source_sha": spec.backbone_source_sha,
        "harness_sha": harness_sha(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": f"{name}, {threads} threads" if on_cpu else name,
    }


@cache
def harness_sha() -> str:
    """sha256 of the code that trains, byte for byte."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for pattern in HARNESS:
        for path in sorted(root.glob(pattern)):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class Checkpoint:
    """The checkpoint of one training, in two generations."""

    def __init__(self, folder: Path, identity: Mapping[str, str]) -> None:
        """Name the files; nothing is read or written.

        Args:
            folder: of all checkpoints; made when there is something to save.
            identity: as ``identity_of`` gives it.
        """
        self._identity = dict(identity)
        self.path, self.before = files(folder, identity["key"])

    def save(self, saved: Saved) -> None:
        """Write a file whole or not at all, and surely on disk; the last becomes the one before.

        Raises:
            OSError: it could not be written; the files that were there still are.
        """
        body = json.dumps(self._identity, sort_keys=True).encode() + b"\n" + saved.dumps()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n")
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            if self.path.exists():
                os.replace(self.path, self.before)
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(self.path.parent)

    def load(self) -> Saved | None:
        """The last state that is whole and of this training; None where there is none.

        A file that cannot be used is removed, so that it never takes the place of a good one.
        """
        for path in (self.path, self.before):
            try:
                return self.read(path)
            except FileNotFoundError:
                continue
            except (CheckpointError, OSError) as error:
                log.warning("checkpoint %s is not used: %s", path.name, error)
                path.unlink(missing_ok=True)
        return None

    def read(self, path: Path) -> Saved:
        """One file.

        Raises:
            CheckpointError: it is torn, damaged, or of another training, code or machine.
            OSError: it is not there or cannot be read.
        """
        content = path.read_bytes()
        if not content.startswith(MAGIC):
            raise CheckpointError("it is no checkpoint of this version")
        sha, _, body = content[len(MAGIC) :].partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != sha:
            raise CheckpointError("its checksum does not match; it is torn or damaged")
        line, _, payload = body.partition(b"\n")
        found = json.loads(line)
        for name, wanted in self._identity.items():
            if found.get(name) != wanted:
                raise CheckpointError(f"{name} is {found.get(name)!r} in it and {wanted!r} here")
        try:
            return Saved.loads(payload)
        except Exception as error:  # unpickling raises many kinds of errors
            raise CheckpointError(f"its state cannot be read ({error})") from None

    def remove(self) -> None:
        """Both generations."""
        remove(self.path.parent, self._identity["key"])


def capture(session: Session) -> dict[str, Any]:
    """The whole state of a training between two epochs, as tensors and plain containers."""
    return {
        "session": session.state_dict(),
        "plain": plain_attributes(session.method),
        "samples": session.run.samples,
        "draws": session.run.draws.get_state(),
        "global": _global_generators(session.device),
    }


def restore(session: Session, saved: Saved) -> None:
    """Put a session that has not begun where the saved one was."""
    state = saved.state
    for name, value in state["plain"].items():
        setattr(session.method, name, value)
    session.load_state_dict(state["session"])
    session.elapsed_s = saved.records[-1].wall_s if saved.records else 0.0
    session.run.samples = state["samples"]
    session.run.draws.set_state(state["draws"])
    _restore_generators(state["global"], session.device)


def _global_generators(device: torch.device) -> dict[str, Any]:
    """What layers such as dropout and a plugin's library draw from."""
    legacy: Any = np.random.get_state()  # noqa: NPY002
    name, keys, position, has_gauss, gauss = legacy
    states = {
        "torch": torch.get_rng_state(),
        "numpy": (str(name), torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss),
        "python": random.getstate(),
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _restore_generators(states: Mapping[str, Any], device: torch.device) -> None:
    torch.set_rng_state(states["torch"])
    name, keys, position, has_gauss, gauss = states["numpy"]
    legacy = (name, keys.numpy().astype(np.uint32), position, has_gauss, gauss)
    np.random.set_state(legacy)  # noqa: NPY002
    version, internal, gauss_next = states["python"]
    random.setstate((version, tuple(internal), gauss_next))
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)


def _sync_folder(folder: Path) -> None:
    """A rename is on disk when its folder is; not every system lets a folder be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        log.debug("%s is not synchronised: %s", folder, error)
    finally:
        os.close(handle)

"""What runs on the nodes of a Ray cluster: units of trainings, and the box for what they say."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.engines.remote import Site, UnitRun
from bench.training_spec import TrainingSpec

if TYPE_CHECKING:
    from bench.engines.local import LocalSettings

LOG_BYTES = 200_000
"""Of a log, its end, that is sent where the coordinator's folder is not seen."""


class Mail:
    """What units say, until the coordinator takes it; an actor on the coordinator's node."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []

    def put(self, message: dict[str, Any]) -> None:
        """Leave a message."""
        self._messages.append(message)

    def take(self) -> list[dict[str, Any]]:
        """All messages since the last time, in order."""
        taken, self._messages = self._messages, []
        return taken


def run_unit(
    mail: Any, specs: list[dict[str, Any]], settings: LocalSettings, site: Site, code: str
) -> None:
    """Run trainings and mail how each ended.

    Args:
        mail: handle of the ``Mail`` actor.
        specs: of the trainings, as ``TrainingSpec.to_json`` gives them.
        settings: of the worker, with names of plugin files that were sent along.
        site: the coordinator's workplace.
        code: folder of the plugin files, seen from where the code was unpacked; empty for none.
    """
    import ray

    scratch = Path(tempfile.mkdtemp(prefix="lipbench-unit-"))
    settings = _with_plugins(settings, code)

    def on_epoch(spec: TrainingSpec, epoch: int) -> None:
        mail.put.remote({"key": spec.key, "epoch": epoch})

    try:
        unit = UnitRun(settings, site, scratch)
        trainings = [TrainingSpec.from_json(spec) for spec in specs]
        for spec, outcome in unit.run(trainings, on_epoch):
            log_text = "" if unit.is_at_site else _end_of(unit.place.log(spec))
            message = {"key": spec.key, "outcome": outcome.dumps(), "log": log_text}
            # Waited for: what was finished must not be lost with this node.
            ray.get(mail.put.remote(message))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _with_plugins(settings: LocalSettings, code: str) -> LocalSettings:
    from dataclasses import replace

    import bench

    # Ray unpacks what was sent into one folder, and puts that on the path.
    root = Path(bench.__file__).resolve().parent.parent
    files = tuple(root / code / str(name) for name in range(len(settings.plugins)))
    plugins = [next(iter(sorted(folder.glob("*.py")))) for folder in files]
    return replace(settings, plugins=tuple(plugins))


def _end_of(path: Path) -> str:
    try:
        return path.read_bytes()[-LOG_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""

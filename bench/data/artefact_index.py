"""What planning must know of noise artefacts, so that it need not open a file a seed.

One JSON file beside the artefacts of a data set. An entry holds for the very file that it was made
of (its size and its time of change). It is an optimisation only: absent, damaged or unwritable,
everything still works. Whoever trains reads the artefact itself and checks its hash.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.data.noise import NoiseArtefact

log = logging.getLogger(__name__)

NAME = "index.json"


@dataclass(frozen=True)
class Known:
    """An artefact as a plan sees it.

    Attributes:
        sha: its identity.
        rate: realised share of wrong labels; None where nobody knows the true ones.
        partial: whether it gives candidate sets in place of labels.
    """

    sha: str
    rate: float | None
    partial: bool

    @classmethod
    def of(cls, artefact: NoiseArtefact) -> Known:
        """What is known of one that was read."""
        return cls(artefact.sha, artefact.rate, artefact.candidates is not None)


class ArtefactIndex:
    """The artefacts of one folder that were seen before."""

    def __init__(self, folder: Path, *, truth: bool) -> None:
        """Read the index.

        Args:
            folder: of the artefacts.
            truth: whether true labels are known: without them there is no rate.
        """
        self._folder = folder
        self._truth = truth
        self._changed = False
        entries: Any = {}
        with contextlib.suppress(OSError, ValueError):
            entries = json.loads((folder / NAME).read_text(encoding="utf-8"))
        self._entries: dict[str, Any] = entries if isinstance(entries, dict) else {}

    def get(self, name: str) -> Known | None:
        """What is known of the file of this name, if it is still the one that was seen."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        try:
            stamp, (sha, rate, partial) = entry
            if stamp != self._stamp(name):
                return None
            return Known(str(sha), None if rate is None else float(rate), bool(partial))
        except (OSError, ValueError, TypeError):
            return None

    def put(self, name: str, known: Known) -> None:
        """Remember the file of this name; one that could not be written is not remembered."""
        with contextlib.suppress(OSError):
            self._entries[name] = [self._stamp(name), [known.sha, known.rate, known.partial]]
            self._changed = True

    def save(self) -> None:
        """Write what is new, whole or not at all; of two at once the later remains."""
        if not self._changed:
            return
        temporary = self._folder / f".{uuid.uuid4().hex}"
        try:
            try:
                temporary.write_text(json.dumps(self._entries), encoding="utf-8")
                os.replace(temporary, self._folder / NAME)
                self._changed = False
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            log.debug("the index of %s was not saved: %s", self._folder, error)

    def _stamp(self, name: str) -> list[int]:
        found = os.stat(f"{self._folder}{os.sep}{name}")
        return [found.st_size, found.st_mtime_ns, int(self._truth)]

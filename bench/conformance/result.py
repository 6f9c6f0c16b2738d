"""What a check is, and how a list of them is worked through."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from bench.plugin_info import PluginInfo


@dataclass(frozen=True)
class Check:
    """The verdict on one requirement.

    Attributes:
        name: of the check.
        ok: True when it passed, or when it was skipped.
        detail: what was measured, or what is wrong, where, and what to change.
        skipped: why it was not carried out; empty when it was.
    """

    name: str
    ok: bool
    detail: str = ""
    skipped: str = ""


class Failed(Exception):
    """Raised by a check: the requirement is not met; the message is the detail."""


class Skipped(Exception):
    """Raised by a check: the requirement does not apply; the message is the reason."""


Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Requirement(Generic[Subject]):
    """One check before it is carried out.

    Attributes:
        name: as the table shows it.
        verify: returns what it measured; raises ``Failed``, ``Skipped``, or whatever the plugin
            raises, which fails the check.
        needs: names of earlier checks without which this one would only repeat their failure.
    """

    name: str
    verify: Callable[[Subject], str]
    needs: tuple[str, ...] = ()


def work_through(
    requirements: Sequence[Requirement[Subject]], subject: Subject, info: PluginInfo
) -> list[Check]:
    """Carry out all requirements in their order; no failure keeps the rest from being tried."""
    checks: list[Check] = []
    for requirement in requirements:
        needed = [check for check in checks if check.name in requirement.needs]
        reasons = [c.skipped or f"needs '{c.name}'" for c in needed if c.skipped or not c.ok]
        if reasons:
            checks.append(Check(requirement.name, True, skipped=reasons[0]))
        else:
            checks.append(_verdict(requirement, subject, info))
    return checks


def _verdict(requirement: Requirement[Subject], subject: Subject, info: PluginInfo) -> Check:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # training will show them; here they hide the table
            detail = requirement.verify(subject)
        return Check(requirement.name, True, detail)
    except Skipped as reason:
        return Check(requirement.name, True, skipped=str(reason))
    except Failed as reason:
        return Check(requirement.name, False, str(reason))
    except Exception as error:  # a plugin may raise anything
        return Check(requirement.name, False, explain(error, info))


def explain(error: BaseException, info: PluginInfo) -> str:
    """An exception with the plugin's own last line that led to it, as ``file:line``."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() == Path(info.file)]
    where = f"{own[-1].filename}:{own[-1].lineno}" if own else info.origin
    return f"{where}: {type(error).__name__}: {error}"

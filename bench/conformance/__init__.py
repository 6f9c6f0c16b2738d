"""The conformance kit: does a plugin keep the promises that the rest of the bench relies on?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.conformance.result import Check
    from bench.plugin_info import PluginInfo
    from bench.registry import Registry

__all__ = ["check_plugin"]


def check_plugin(registry: Registry, info: PluginInfo) -> list[Check]:
    """Every check of the plugin's kind, in order.

    A plugin that cannot be imported fails the one check ``import``. Nothing is downloaded, and a
    GPU is not needed.
    """
    from bench.conformance.fixture import undisturbed
    from bench.conformance.kinds import KINDS
    from bench.conformance.result import Check, explain, work_through

    if info.error:
        return [Check("import", False, f"{info.origin}: {info.error}")]
    subject_type, requirements = KINDS[info.kind]
    with undisturbed():
        try:
            subject = subject_type(registry, info)
        except Exception as error:  # a plugin may raise anything when it is made
            return [Check("import", False, explain(error, info))]
        return work_through(requirements, subject, info)

"""A plugin under examination."""

from __future__ import annotations

import inspect
import sys
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.conformance import fixture
from bench.conformance.compare import Trained
from bench.conformance.result import Failed

if TYPE_CHECKING:
    from bench.api import Plugin
    from bench.plugin_info import PluginInfo
    from bench.registry import Registry


class Subject:
    """One plugin of a registry, and fresh instances of it.

    Attributes:
        params: what it is examined with: its defaults over its ``example``.
    """

    def __init__(self, registry: Registry, info: PluginInfo) -> None:
        self.registry = registry
        self.info = info
        self.cls: type[Plugin] = type(registry.create(info.kind, info.name, {}))
        self.params = info.resolve(self.cls.example)

    def new(self) -> Any:
        """An instance that nobody has touched."""
        return self.registry.create(self.info.kind, self.info.name, self.params)

    def where(self, attribute: str = "") -> str:
        """``file:line`` of a function that the plugin itself defines, else of the plugin."""
        own = inspect.unwrap(vars(self.cls).get(attribute, self))
        code = getattr(own, "__code__", None)
        if code is not None and Path(code.co_filename).resolve() == Path(self.info.file):
            return f"{self.info.file}:{code.co_firstlineno}"
        return self.info.origin

    def failed(self, message: str, attribute: str = "") -> Failed:
        """The verdict that a requirement is not met, with its place."""
        return Failed(f"{self.where(attribute)}: {message}")

    def kept_by_code(self) -> list[tuple[str, Any]]:
        """What the plugin's classes and its file hold beside functions: (name, value)."""
        own = [base for base in self.cls.__mro__ if base.__module__ == self.cls.__module__]
        held = [(f"{base.__name__}.{key}", v) for base in own for key, v in vars(base).items()]
        module = sys.modules.get(self.cls.__module__)
        held += list(vars(module).items()) if module else []
        return [(name, value) for name, value in held if "__" not in name]


class MethodSubject(Subject):
    """A method, and short trainings of it on the fixture."""

    def train(self, *, epochs: int = 2, stop: int | None = None, **settings: Any) -> Trained:
        """Train a new instance; ``stop`` ends after that many of the ``epochs``.

        Other settings are those of ``fixture.session``.
        """
        session = fixture.session(self.new(), epochs=epochs, **settings)
        return Trained(session, tuple(islice(session.epochs(), stop)))

    @cached_property
    def first(self) -> Trained:
        """Two epochs on planted wrong labels at seed 0, shared by the checks that only look."""
        return self.train()

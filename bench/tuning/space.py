"""Search spaces: what a method's parameters may be while it is tuned.

A space follows from what a plugin file declares anyway, the annotated range and the default of each
parameter. Numbers are searched; switches and words are not, for they make another variant of a
method. A plugin may say otherwise in ``search_space``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from bench.errors import PluginError, nearest

if TYPE_CHECKING:
    from bench.params import Parameter
    from bench.plugin_info import PluginInfo

FACTOR = 10.0
"""A number without a range is searched between a tenth of its default and ten times that."""

WHOLE_FACTOR = 2.0
"""The same of whole numbers: epochs, rounds and neighbours, whose cost grows with them."""

EDGE = 0.1
"""A default this close to an end of its range (as a share of it) is searched by its distance from
that end, on a logarithmic scale: 0.99 of a momentum and 0.9 are not neighbours."""

DIGITS = 4
"""Significant digits of a drawn number, so that it can be typed."""


@dataclass(frozen=True)
class Range:
    """Numbers ``offset + sign * x`` for x in ``[low, high]``.

    Attributes:
        log: x is drawn log-uniformly, else uniformly.
        whole: the number is rounded to a whole one.
        offset, sign: 0 and 1, but for numbers below zero and distances from an upper end.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    offset: float = 0.0
    sign: int = 1

    def at(self, share: float) -> float | int:
        """The number at a share in 0..1 of the range."""
        # Of whole numbers the last one has a share like every other.
        high = self.high + 1 - 1e-9 if self.whole else self.high
        if self.log:
            x = self.low * math.exp(share * math.log(high / self.low))
        else:
            x = self.low + (high - self.low) * share
        if self.whole:
            return int(self.offset) + self.sign * math.floor(x)
        return round(self.offset + self.sign * _rounded(x), 12)

    def __str__(self) -> str:
        ends = sorted(self.offset + self.sign * x for x in (self.low, self.high))
        scale = ", log" if self.log else ""
        if self.log and self.offset:
            scale = f", log of the distance from {self.offset:g}"
        return f"{ends[0]:g} … {ends[1]:g}{scale}"


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a share in 0..1 of the list."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))


Space = dict[str, Range | Choice]
"""What is searched, by name of the parameter."""


def search_space(method: PluginInfo) -> Space:
    """What of a method is searched: by its annotations, unless its file declares otherwise.

    Raises:
        PluginError: ``search_space`` names no parameter, or gives no range of it.
    """
    space: Space = {}
    decisive = {name for rule in method.declared["knows_if"].values() for name in rule}
    for name, parameter in method.parameters.items():
        derived = derive(parameter)
        if derived is not None and name not in decisive:
            space[name] = derived
    for name, declared in method.declared.get("search_space", {}).items():
        where = f"method {method.name!r}: search_space"
        if name not in method.parameters:
            raise PluginError(f"{where} has {name!r}{nearest(name, method.parameters)}")
        space.pop(name, None)
        if declared is not None:
            space[name] = parse(declared, f"{where}: {name}")
            for share in (0.0, 1.0):
                method.parameters[name].validate(space[name].at(share))
    return space


def derive(parameter: Parameter) -> Range | None:
    """The range in which a parameter is searched; None where it is not.

    Bounded numbers are searched over their range, or near an end where the default is; unbounded
    ones around their default on a logarithmic scale. Zero without an upper end says nothing.
    """
    schema, default = parameter.schema(), parameter.default
    if schema.get("type") not in ("number", "integer") or isinstance(default, bool):
        return None
    whole = schema["type"] == "integer"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None and high is not None and not whole:
        return _bounded(low, high, default)
    if default == 0:
        return None
    factor = WHOLE_FACTOR if whole else FACTOR
    sign = 1 if default > 0 else -1
    size = abs(default)
    ends = [size / factor, size * factor]
    inner, outer = (low, high) if sign > 0 else (high, low)
    if inner is not None and inner * sign > 0:
        ends[0] = max(ends[0], abs(inner))
    if outer is not None and outer * sign > 0:
        ends[1] = min(ends[1], abs(outer))
    if whole:
        ends = [max(1, math.ceil(ends[0])), math.floor(ends[1])]
    return Range(ends[0], ends[1], log=True, whole=whole, sign=sign) if ends[0] < ends[1] else None


def _bounded(low: float, high: float, default: float) -> Range:
    width = high - low
    # Ends may be excluded by the annotation, and mean "off" where they are not.
    margin = width / 100
    for offset, sign, distance in ((low, 1, default - low), (high, -1, high - default)):
        if 0 < distance <= EDGE * width:
            far = min(distance * FACTOR, width - margin)
            return Range(distance / FACTOR, far, log=True, offset=offset, sign=sign)
    return Range(low + margin, high - margin)


def parse(declared: Any, where: str) -> Range | Choice:
    """``[low, high]``, ``{low, high, log}`` or ``{choices: [...]}``. Raises ``PluginError``."""
    if isinstance(declared, Mapping) and set(declared) == {"choices"} and declared["choices"]:
        return Choice(tuple(declared["choices"]))
    given = declared
    if isinstance(given, list | tuple) and len(given) == 2:
        given = {"low": given[0], "high": given[1]}
    if isinstance(given, Mapping) and {"low", "high"} <= set(given) <= {"low", "high", "log"}:
        low, high, log = given["low"], given["high"], bool(given.get("log", False))
        numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (low, high))
        if numbers and low < high and (low > 0 or not log):
            return Range(low, high, log, whole=isinstance(low, int) and isinstance(high, int))
    raise PluginError(
        f"{where} takes [low, high], {{low: 0.1, high: 10, log: true}} (log needs low > 0) or "
        f"{{choices: [...]}}; got {declared!r}"
    )


def draw(space: Mapping[str, Range | Choice], trial: int, stream: str) -> dict[str, Any]:
    """The values of one trial; the same trial of a stream draws the same values everywhere.

    Args:
        space: what is searched.
        trial: from 1; more trials never change earlier ones.
        stream: what the draws are for, such as a method's name.
    """
    return {name: kind.at(_share(f"{stream}/{name}/{trial}")) for name, kind in space.items()}


def as_json(space: Mapping[str, Range | Choice]) -> dict[str, dict[str, Any]]:
    """Plain containers, to be kept with results."""
    return {name: asdict(kind) for name, kind in space.items()}


def _share(text: str) -> float:
    """A number in [0, 1) that looks drawn and depends on the text alone."""
    digest = hashlib.sha256(f"lipbench tuning/{text}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _rounded(x: float) -> float:
    return float(f"{x:.{DIGITS}g}")

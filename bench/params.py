"""Parameters of plugins: read from annotations, validated by pydantic, storable as JSON.

A parameter keeps its annotation as text, so that a catalogue of plugins can be cached and the
values of a suite validated without importing the plugin (and torch).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from bench.errors import PluginError, nearest
from bench.rank_rules import parse_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Rate = Annotated[float, Field(ge=0, le=1)]
"""A share in 0..1."""


def _rank_rule(text: str) -> str:
    parse_rule(text)
    return text


RankRule = Annotated[str, AfterValidator(_rank_rule)]
"""How a refiner's rank is chosen; see ``bench.rank_rules``."""

VOCABULARY: dict[str, Any] = {
    "Annotated": Annotated,
    "Any": Any,
    "Field": Field,
    "Literal": Literal,
    "Optional": Optional,
    "RankRule": RankRule,
    "Rate": Rate,
    "Union": Union,
    **{kind.__name__: kind for kind in (bool, dict, float, int, list, str, tuple)},
}
"""The names an annotation of a parameter may use."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its annotation as text, and its default."""

    name: str
    annotation: str
    default: Any

    def validate(self, value: Any) -> Any:
        """The value as the annotation wants it. Raises ``PluginError`` with pydantic's reason."""
        try:
            return _adapter(self.annotation).validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"[{part}]" for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            reason = message[0].lower() + message[1:]
            raise PluginError(f"{self.name}{where}: {reason} (got {first['input']!r})") from None

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the parameter."""
        return {**_adapter(self.annotation).json_schema(), "default": self.default}


@cache
def _adapter(annotation: str) -> TypeAdapter[Any]:
    kind = eval(annotation, {"__builtins__": {}}, VOCABULARY)  # noqa: S307 - a plugin's own source
    return TypeAdapter(kind, config=ConfigDict(strict=False, allow_inf_nan=False))


def resolve(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overlaid with validated values. Raises ``PluginError`` naming the parameter."""
    for key in given:
        if key not in parameters:
            raise PluginError(f"unknown parameter {key!r}{nearest(key, parameters)}")
    merged = {key: given.get(key, parameter.default) for key, parameter in parameters.items()}
    return {key: parameters[key].validate(value) for key, value in merged.items()}


def parameters_of_class(cls: type) -> dict[str, Parameter]:
    """Annotated class attributes with a default, base classes first; ``ClassVar`` is no parameter.

    Only classes outside ``bench.api`` are read: what the API itself annotates is not a parameter.
    """
    found: dict[str, Parameter] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ in ("builtins", "bench.api"):
            continue
        for key, annotation in inspect.get_annotations(base).items():
            text = _text(annotation, f"{cls.__name__}.{key}")
            if not text.startswith("ClassVar") and key in vars(base):
                found[key] = Parameter(key, text, vars(base)[key])
        for key in found:
            if key in vars(base):  # a subclass may change the default alone
                found[key] = Parameter(key, found[key].annotation, vars(base)[key])
    return found


def parameters_of_function(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The arguments that have a default."""
    found = {}
    for key, argument in inspect.signature(function).parameters.items():
        if argument.default is not inspect.Parameter.empty:
            text = _text(argument.annotation, f"{function.__name__}({key})")
            found[key] = Parameter(key, text, argument.default)
    return found


def _text(annotation: Any, where: str) -> str:
    if isinstance(annotation, str):
        text = annotation
    elif isinstance(annotation, type):
        text = annotation.__name__
    else:
        raise PluginError(
            f"{where}: start the file with 'from __future__ import annotations', so that the "
            f"annotation {annotation!r} can be kept as text"
        )
    if not text.startswith("ClassVar"):
        try:
            _adapter(text)
        except Exception as error:
            raise PluginError(
                f"{where}: cannot use the annotation {text!r} ({error}); "
                f"available: {', '.join(sorted(VOCABULARY))}"
            ) from None
    return text


def holding(
    names: Iterable[str], conditions: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]
) -> list[str]:
    """Those of ``names``, sorted, whose condition on the parameters holds; none always holds."""
    return sorted(
        name
        for name in names
        if all(params[key] == value for key, value in conditions.get(name, {}).items())
    )

"""Suites: a YAML file crosses data sets, noises, methods, seeds and refiners under one protocol.

``load_suite`` reads a shipped suite by name or a file by path, follows ``extends``, applies a
budget, and returns a validated ``Suite``. Every error names the file and the line.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from bench.errors import PluginError, SpecError, nearest
from bench.protocol import Item, Named, Protocol, Strict
from bench.suite_files import at_budget, extended, find_suite
from bench.tuning.asked import TUNED, Searched, Tuning

if TYPE_CHECKING:
    from bench.registry import Registry
    from bench.yaml_marks import Marked, Path_


class When(Strict):
    """Selects runs: every axis that is given must match by name."""

    dataset: str | None = None
    noise: str | None = None
    method: str | None = None
    refiner: str | None = None


class Override(Strict):
    """Method parameters that hold only for some data sets or noises."""

    when: When
    params: dict[str, Any]


def _seeds(value: Any) -> Any:
    return list(range(value)) if isinstance(value, int) and not isinstance(value, bool) else value


Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, le=2**31)], ...],
    BeforeValidator(_seeds),
    Field(min_length=1, description="a count (3 means 0, 1, 2) or a list"),
]


class Budget(Strict):
    """A named size of a suite: whatever it gives replaces the suite's own."""

    description: str = ""
    protocol: dict[str, Any] = Field(
        default_factory=dict, description="keys of the protocol to change"
    )
    datasets: tuple[Item, ...] | None = None
    if_present: tuple[Item, ...] | None = None
    noises: tuple[Item, ...] | None = None
    methods: tuple[Item, ...] | None = None
    refiners: tuple[Item, ...] | None = None
    seeds: Seeds | None = None


class Suite(Strict):
    """A validated suite at one budget. Every plugin in it exists and has valid parameters."""

    suite: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="the suite's name")
    budget: str = Field("", description="filled in when a budget is chosen")
    title: str = ""
    description: str = ""
    datasets: tuple[Item, ...] = Field(min_length=1)
    if_present: tuple[Item, ...] = Field(
        (), description="more data sets, left out where they were not brought yet"
    )
    noises: tuple[Item, ...] = Field(min_length=1)
    methods: tuple[Item, ...] = Field(min_length=1)
    refiners: tuple[Item, ...] = (Named(name="off"), Named(name="lip"))
    seeds: Seeds = (0, 1, 2)
    protocol: Protocol = Protocol()
    overrides: tuple[Override, ...] = ()
    exclude: tuple[When, ...] = ()
    budgets: dict[str, Budget] = Field(default_factory=dict)
    default_budget: str = ""
    tuning: Tuning | None = Field(None, description="what python -m bench tune does")

    @field_validator("suite")
    @classmethod
    def _not_taken(cls, name: str) -> str:
        if name.endswith(TUNED):
            raise ValueError(f"names that end in {TUNED} are of tuned results; drop it")
        return name

    @model_serializer(mode="wrap")
    def _dumped(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without ``tuning`` where there is none, as suites were kept before there was."""
        dumped: dict[str, Any] = handler(self)
        if dumped.get("tuning") is None:
            dumped.pop("tuning", None)
        return dumped

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is given twice")
        return seeds


AXES = {
    "datasets": "dataset",
    "if_present": "dataset",
    "noises": "noise",
    "methods": "method",
    "refiners": "refiner",
}
"""The lists of a suite and the kind of plugin in each."""


def load_suite(name: str, budget: str | None, registry: Registry) -> Suite:
    """A suite by shipped name or file path, at one budget (None: its default).

    Raises:
        SpecError: ``file:line: what is wrong``, with the nearest valid name.
    """
    marked = extended(find_suite(name))
    suite = _validated(marked, Suite)
    chosen = budget or suite.default_budget
    if suite.budgets or chosen:
        if chosen not in suite.budgets:
            raise SpecError(
                f"{marked.file}: suite {suite.suite!r} has no budget {chosen!r}"
                f"{nearest(chosen, suite.budgets)}"
            )
        marked = at_budget(marked, chosen)
        suite = _validated(marked, Suite)
    return _with_plugins_checked(suite, marked, registry)


def _validated(marked: Marked, model: type[Suite]) -> Suite:
    try:
        return model.model_validate(marked.data)
    except ValidationError as error:
        problems = [_problem(marked, dict(e)) for e in error.errors()]
        raise SpecError("\n".join(dict.fromkeys(problems))) from None


def _problem(marked: Marked, error: dict[str, Any]) -> str:
    loc: Path_ = tuple(error["loc"])
    where = marked.where(loc)
    inside = ".".join(str(part) for part in loc[:-1])
    if error["type"] == "extra_forbidden":
        hint = nearest(str(loc[-1]), _keys_at(loc[:-1]))
        return f"{where}: unknown key {str(loc[-1])!r}{f' in {inside}' if inside else ''}{hint}"
    if error["type"] == "missing":
        return f"{where}: {f'{inside} needs' if inside else 'a suite needs'} the key {loc[-1]!r}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: {'.'.join(map(str, loc))}: {message[0].lower()}{message[1:]}"


def _keys_at(loc: Path_) -> list[str]:
    """The valid keys of the mapping at ``loc``, from the models themselves."""
    model: Any = Suite
    for part in loc:
        if isinstance(part, int):
            continue
        if model is Suite and part == "budgets":
            model = Budget
            continue
        if model is Budget and part not in Budget.model_fields:
            continue  # the budget's own name
        model = {
            "protocol": Protocol,
            "overrides": Override,
            "tuning": Tuning,
            "lr": Searched,
            "weight_decay": Searched,
            "when": When,
            "exclude": When,
            **{axis: Named for axis in AXES},
            "backbone": Named,
        }.get(str(part)) or getattr(
            getattr(model, "model_fields", {}).get(part), "annotation", None
        )
    return list(getattr(model, "model_fields", {}))


def _with_plugins_checked(suite: Suite, marked: Marked, registry: Registry) -> Suite:
    """Names and parameters of all plugins checked; grids expanded into one item each."""
    expanded: dict[str, Any] = {}
    for axis, kind in AXES.items():
        items = []
        for position, item in enumerate(getattr(suite, axis)):
            path: Path_ = (axis, position)
            try:
                info = registry.get(kind, item.name)
                for params in grid(item.params):
                    info.resolve(params)
                    items.append(Named(name=item.name, params=params))
            except PluginError as error:
                raise SpecError(
                    f"{marked.where((*path, item.name))}: {_about(item, error)}"
                ) from None
        expanded[axis] = tuple(items)
    backbone = suite.protocol.backbone
    try:
        registry.get("backbone", backbone.name).resolve(backbone.params)
    except PluginError as error:
        where = marked.where(("protocol", "backbone"))
        raise SpecError(f"{where}: {_about(backbone, error)}") from None
    for key, rules in (
        ("overrides", [o.when for o in suite.overrides]),
        ("exclude", suite.exclude),
    ):
        for position, when in enumerate(rules):
            _check_when(when, suite, marked.where((key, position)))
    return suite.model_copy(update=expanded)


def _about(item: Named, error: PluginError) -> str:
    text = str(error)
    return (
        text
        if text.startswith(("unknown", "method", "dataset", "noise", "refiner", "backbone"))
        and not text.startswith("unknown parameter")
        else f"{item.name}: {text}"
    )


def _check_when(when: When, suite: Suite, where: str) -> None:
    if not when.model_fields_set:
        raise SpecError(f"{where}: it selects nothing; give dataset, noise, method or refiner")
    for kind in dict.fromkeys(AXES.values()):
        name = getattr(when, kind)
        axes = [axis for axis, of in AXES.items() if of == kind]
        names = {item.name for axis in axes for item in getattr(suite, axis)}
        for budget in suite.budgets.values():
            names |= {item.name for axis in axes for item in getattr(budget, axis) or ()}
        if name is not None and name not in names:
            raise SpecError(f"{where}: no {kind} {name!r} in this suite{nearest(name, names)}")


def grid(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameter sets of an item: ``grid: {a: [1, 2]}`` becomes one set for each combination."""
    axes = params.get("grid")
    if axes is None:
        return [params]
    fixed = {key: value for key, value in params.items() if key != "grid"}
    if not isinstance(axes, dict) or not all(isinstance(v, list) and v for v in axes.values()):
        raise PluginError("grid takes lists: {grid: {beta: [0.7, 0.9]}}")
    return [
        {**fixed, **dict(zip(axes, values, strict=True))}
        for values in itertools.product(*axes.values())
    ]


def json_schema() -> dict[str, Any]:
    """JSON Schema of a suite file, for editors."""
    schema = Suite.model_json_schema()
    schema["properties"].pop("budget")
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "a shipped suite or a file beside this one, to start from",
    }
    item = {"anyOf": [{"type": "string"}, {"type": "object", "maxProperties": 1}]}
    for definition in (schema, *schema["$defs"].values()):
        for axis in AXES:
            if axis in definition.get("properties", {}):
                definition["properties"][axis] = {"type": "array", "items": item}
        if "backbone" in definition.get("properties", {}):
            definition["properties"]["backbone"] = item
        if "seeds" in definition.get("properties", {}):
            definition["properties"]["seeds"] = {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "array", "items": {"type": "integer"}},
                ]
            }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

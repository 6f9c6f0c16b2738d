"""How a classifier is trained: everything that must be equal for a comparison to be fair."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)


class Strict(BaseModel):
    """A part of a suite: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _named(value: Any) -> Any:
    """``name`` or ``{name: {param: value}}`` as ``{name, params}``."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and "name" not in value:
        ((name, params),) = value.items()
        return {"name": name, "params": params or {}}
    return value


class Named(Strict):
    """A plugin by name, with the parameters that differ from its defaults."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)


Item = Annotated[Named, BeforeValidator(_named)]


class Optimiser(Strict):
    """Stochastic gradient descent or Adam(W), for all networks of a method."""

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = Field(0.02, gt=0, description="learning rate at the start")
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD; beta1 of Adam")
    nesterov: bool = False
    weight_decay: float = Field(5e-4, ge=0)


class Schedule(Strict):
    """How the learning rate moves, epoch by epoch."""

    name: Literal["constant", "cosine", "multistep"] = "cosine"
    milestones: tuple[int, ...] = Field((), description="epochs at which multistep multiplies")
    gamma: float = Field(0.1, gt=0, le=1, description="the factor of multistep")


def _one_crop(steps: tuple[str, ...]) -> tuple[str, ...]:
    if {"crop", "crop-reflect"} <= set(steps):
        raise ValueError("crop pads with black, crop-reflect with reflections: name one of them")
    return steps


LATER = frozenset({"compile"})
"""Settings that an identity names only where they differ from their default: results were kept
before there were these settings."""


class Protocol(Strict):
    """One training protocol. All of it is part of a run's identity."""

    backbone: Item = Named(name="small-cnn")
    epochs: int = Field(30, ge=1, le=10_000)
    batch_size: int = Field(128, ge=2)
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    augmentation: Annotated[
        tuple[Literal["crop", "crop-reflect", "flip", "cutout"], ...], AfterValidator(_one_crop)
    ] = Field(
        (),
        description="random crop after padding by an eighth of the side, with black or reflected; "
        "horizontal flip; cutout of a square of half the side, painted with the training mean",
    )
    noisy_validation: float = Field(
        0.1, ge=0, lt=0.5, description="share of the training set held out with its given labels"
    )
    gradient_clip: float | None = Field(None, gt=0, description="largest gradient norm")
    precision: Literal["auto", "fp32", "tf32", "bf16"] = Field(
        "auto",
        description="auto: bfloat16 where the hardware gains, else float32; tf32: convolutions "
        "in TensorFloat-32 on GPUs that have it, else float32",
    )
    compile: Literal["off", "auto", "on"] = Field(
        "off", description="the network by torch.compile; auto: where it is expected to pay"
    )

    @model_serializer(mode="wrap")
    def _dumped(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the settings that came later while they have their default: keys stay."""
        dumped: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        return {
            name: value
            for name, value in dumped.items()
            if name not in LATER or value != fields[name].default
        }

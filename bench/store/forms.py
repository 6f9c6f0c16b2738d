"""The form of a training outside a database: types, ranges and lengths, nothing that adds up.

Models judge plain containers and are not used in their place, so that what was hashed is what is
stored. Names are those of the tables' columns.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.records import STATUSES

INTEGER = 2**63 - 1
"""The largest that SQLite holds."""

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
Line = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, Field(max_length=200_000)]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(\+00:00|Z)$")]
Count = Annotated[int, Field(ge=0, le=INTEGER)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Flag = Annotated[int, Field(ge=0, le=1)]
Packed = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
Params = dict[str, Any]
Point = Annotated[tuple[Count, Share | None, Share], Field(strict=False)]
"""``[k, noisy validation, test]``, a list in JSON."""


class Form(BaseModel):
    """Exact types and no field more than there is."""

    model_config = ConfigDict(strict=True, extra="forbid")


class NoiseForm(Form):
    """Noise, as a specification names it."""

    name: Name
    label: Line
    params: Params
    source_sha: Sha
    artefact_sha: Sha


class SpecForm(Form):
    """``TrainingSpec.described``."""

    key: Sha
    dataset: Name
    fingerprint: Sha
    noise: NoiseForm
    method: Name
    method_label: Line
    method_params: Params
    method_source_sha: Sha
    knows: list[Name]
    uses: list[Name]
    cost: Number
    protocol_sha: Sha
    backbone_source_sha: Sha
    seed: Count
    dataset_params: Params = {}


class EnvironmentForm(Form):
    """A row of environments without its key."""

    git_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{0,64}$")]
    git_dirty: bool
    python: Line
    platform: Line
    cpu: Line
    cores: Count
    accelerator: Line
    packages: dict[Line, Line]


class AttemptForm(Form):
    """A row of attempts without its place and its log, which lies on the machine that made it."""

    status: Literal[STATUSES]  # type: ignore[valid-type]
    started_at: Time
    wall_s: Seconds
    train_s: Seconds | None
    peak_memory_bytes: Count | None
    samples: Count
    n_parameters: Count | None
    device: Line
    precision: Line
    threads: Count
    environment_sha: Sha | None
    error: Text
    traceback: Text


class EpochForm(Form):
    """A row of epochs."""

    epoch: Annotated[int, Field(ge=1, le=1_000_000)]
    train_loss: Number | None
    fit_given: Share | None
    fit_true: Share | None
    noisy_val_accuracy: Share | None
    test_accuracy: Share | None
    lr: Number
    wall_s: Seconds
    approximated_accuracy: Share | None
    selected_share: Share | None
    selection_precision: Share | None
    selection_recall: Share | None


class EvaluationForm(Form):
    """A row of evaluations with its variant."""

    refiner: Name
    params: Params
    source_sha: Sha
    evaluation_key: Sha
    test_accuracy: Share | None
    noisy_val_accuracy: Share | None
    k: Count | None
    rank: Count
    wall_s: Seconds
    curve: list[Point]
    error: Text


class RidgeForm(Form):
    """``RidgeTwins``."""

    penalty: Number
    sigma_max: Number
    lambda_min: Number
    label_change: Number
    true_values: list[Number | None]
    given_values: list[Number | None]
    sines: list[Number | None]


class SpectrumForm(Form):
    """A row of spectra; vectors are packed, in base64."""

    head: Annotated[int, Field(ge=0, le=1_000)]
    singular_values: list[Number | None]
    effective_rank: Number
    refitted: dict[Line, list[Number | None]]
    right_vectors: Packed | None
    ridge: RidgeForm | None


class RecordForm(Form):
    """One training, everything that was tried and measured."""

    spec: SpecForm
    protocol: Params
    environments: dict[Sha, EnvironmentForm]
    attempts: list[AttemptForm]
    epochs: list[EpochForm]
    evaluations: list[EvaluationForm]
    spectra: list[SpectrumForm]


class DatasetForm(Form):
    """A row of datasets."""

    fingerprint: Sha
    name: Name
    label: Line
    n_train: Count
    n_test: Count
    class_names: list[Line]
    shape: list[Count]
    is_full: Flag


class ArtefactForm(Form):
    """A row of artefacts; labels and candidate sets are packed, in base64."""

    artefact_sha: Sha
    fingerprint: Sha
    realised_rate: Share | None
    matrix: list[list[Share]] | None
    nominal: list[list[Share]] | None
    open_rate: Share
    candidates: Packed | None
    mean_set_size: Number | None
    labels: Packed


class PluginForm(Form):
    """A row of plugins."""

    kind: Literal["method", "refiner"]
    name: Name
    source_sha: Sha
    summary: Text
    paper: Text
    declared: Params


class DocumentForm(Form):
    """A training that stands alone."""

    format: Literal["lipbench-training-1"]
    training: RecordForm
    dataset: DatasetForm
    artefact: ArtefactForm
    plugins: list[PluginForm]


class BoardForm(Form):
    """A row of boards, its suite parsed."""

    board: Line
    suite: Line
    budget: Line
    title: Line
    data: Line
    protocol_sha: Sha
    planned_at: Time
    spec: Params


class CellForm(Form):
    """A row of board_cells under the names of the suite, and its refiners by the same."""

    dataset: Line
    noise: Line
    method: Line
    noise_params: Params
    refiners: list[tuple[Line, Name, Params, Sha]]


class ExcludedForm(Form):
    """A row of board_excluded without its board."""

    dataset: Line
    noise: Line
    method: Line
    reason: Line


class FigureForm(Form):
    """A published figure."""

    file: Line
    line: Count
    method: Line
    dataset: Line
    noise: Line
    rate: Line
    backbone: Line
    epochs: Line
    reported: Line
    accuracy: Annotated[float, Field(ge=0, le=100)]
    std: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    source: Line
    verified: bool
    verification: Line


class ExampleForm(Form):
    """A row of artefact_examples; the picture in base64."""

    artefact_sha: Sha
    position: Count
    sample: Count
    true_label: Count | None
    given_label: Annotated[int, Field(ge=-1, le=INTEGER)]
    is_foreign: Flag
    png: Annotated[str, Field(max_length=100_000, pattern=r"^iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$")]

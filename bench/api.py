"""What a plugin author reads: the five things that can be plugged in, and what they are given.

A plugin is one file. Put it in ``methods/``, ``datasets/`` or ``datasets/noise/``, or name it with
``--plugin FILE``. Its parameters are the annotated class attributes (for a loss: the keyword
arguments) with their defaults; suites may set them, and values are validated by pydantic::

    class ELR(Method):
        name = "elr"
        beta: Annotated[float, Field(ge=0, lt=1)] = 0.7

Torch is imported where it is used, so that planning and listing need not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field

from bench.errors import DataError, Incompatible, KnowledgeError
from bench.params import (
    Parameter,
    RankRule,
    Rate,
    holding,
    parameters_of_class,
    parameters_of_function,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import torch
    from torch import Tensor, nn

__all__ = [
    "Backbone",
    "Batch",
    "DataError",
    "DataInfo",
    "Dataset",
    "Field",
    "Foreign",
    "HeadPath",
    "HeadProblem",
    "ImageFile",
    "Incompatible",
    "Knowledge",
    "KnowledgeError",
    "Listing",
    "Method",
    "Network",
    "Noise",
    "Plugin",
    "RankRule",
    "Rate",
    "Refiner",
    "Run",
    "Split",
    "TrainingSet",
    "loss",
]

KNOWLEDGE: dict[str, str] = {
    "noise_rate": "the true share of wrong training labels",
    "transition_matrix": "the true matrix P(given label | true label)",
    "clean_subset": "2 % of the training samples with their true labels, apart from the rest",
}
"""What a method may declare in ``knows``; each is a badge on the leaderboard."""

USES: dict[str, str] = {
    "two_networks": "trains two networks",
    "strong_augmentation": "sees strongly augmented views",
    "pretraining": "starts from pre-trained weights",
}
"""What a method may declare in ``uses``."""


class Plugin:
    """Common to all five kinds: a name, a source, and validated parameters."""

    name: ClassVar[str]
    paper: ClassVar[str] = ""
    example: ClassVar[Mapping[str, Any]] = {}
    """Parameters that ``check`` uses where the defaults alone cannot run."""

    def __init__(self, **params: Any) -> None:
        declared = self.parameters()
        unknown = params.keys() - declared.keys()
        if unknown:
            raise TypeError(f"{self.name} has no parameter {sorted(unknown)[0]!r}")
        for key, parameter in declared.items():
            setattr(self, key, params.get(key, parameter.default))

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The declared parameters, by name."""
        return parameters_of_class(cls)


# ------------------------------------------------------------------------------------- methods


@dataclass(frozen=True)
class Batch:
    """One mini-batch on the training device.

    Attributes:
        x: augmented inputs ``(b, c, h, w)`` or ``(b, d)``, float32, normalised.
        y: the labels as given, wrong ones included, ``(b,)`` int64.
        index: positions in the training set ``(b,)`` int64, for per-sample state.
    """

    x: Tensor
    y: Tensor
    index: Tensor


class Network(Protocol):
    """A backbone with a linear classifier on top: ``forward(x) = head(features(x))``, float32."""

    head: nn.Linear

    def features(self, x: Tensor) -> Tensor:
        """Penultimate features ``(b, q)`` float32."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """Logits ``(b, C)`` float32."""
        ...


class Knowledge(Protocol):
    """What the method declared in ``knows``; any other attribute raises ``KnowledgeError``."""

    noise_rate: float
    """The realised share of wrong labels in the whole training set."""
    transition_matrix: Tensor
    """``(C, C)`` float32, rows are true classes: as asked for, else as realised."""
    clean_subset: tuple[Tensor, Tensor]
    """Normalised inputs and true labels, apart from the training set."""


class Run(Protocol):
    """One training, as its method sees it (``self.run``)."""

    n: int
    """Number of training samples (the noisy validation split is already taken out)."""
    n_classes: int
    n_epochs: int
    batch_size: int
    device: torch.device
    labels: Tensor
    """Given training labels ``(n,)`` int64, on the device; -1 where a label is a candidate set."""
    candidates: Tensor
    """``(n, C)`` float32: 1 where a label may be the true one; one-hot for single labels."""
    known: Knowledge
    draws: torch.Generator
    """CPU generator that starts anew with every epoch (and for ``setup``): for a method's draws."""

    def batches(self, epoch: int, repeat: int = 0) -> Iterator[Batch]:
        """The training set once, shuffled and augmented; the same order for every method.

        A method that makes several passes in an epoch numbers them with ``repeat``.
        """
        ...

    def shuffled(
        self, rows: Tensor, size: int | None = None, *, forever: bool = False
    ) -> Iterator[Tensor]:
        """Index batches over some training samples; ``forever`` begins again when they end."""
        ...

    def view(self, index: Tensor, kind: str = "weak") -> Tensor:
        """A fresh normalised view of training samples; two calls, two views.

        ``plain`` is the sample itself, ``weak`` the protocol's augmentation, ``strong`` adds
        RandAugment and cutout (declare ``uses = {"strong_augmentation"}``); samples that are no
        images are the same in all three.
        """
        ...

    def raw(self, x: Tensor) -> Tensor:
        """Inputs as the data set has them, from normalised ones, for a scaling of one's own."""
        ...

    def step(self, loss: Tensor) -> None:
        """Zero the gradients, back-propagate a scalar loss, clip, and take an optimiser step.

        It trains all networks. Parameters of the method's own either join it (``also_train``) or
        have an optimiser kept on ``self``, zeroed before and stepped after this call.
        """
        ...

    def report_selection(self, index: Tensor, kept: Tensor | None = None) -> None:
        """Say which training samples this epoch learns from as rightly labelled.

        For methods that select samples. The harness compares with the true labels, which the
        method never sees, and records precision and recall of the epoch; training is not changed.
        What is reported several times in an epoch, batch by batch, is joined; an epoch that
        reports nothing, such as a warm-up on everything, has no figures. Samples whose label the
        method has replaced are left out; of two networks, report what the first one learns from.

        Args:
            index: positions in the training set ``(b,)`` int64, or a mask of all of it ``(n,)``.
            kept: ``(b,)`` bool, which of the positions are meant; all by default.
        """
        ...

    def also_train(self, module: nn.Module) -> None:
        """In ``setup``: let the networks' optimiser train one more module, kept on ``self``."""
        ...

    def reschedule(self, epochs: int, *, constant: bool = False) -> None:
        """Begin the protocol's learning rates anew over the next ``epochs`` epochs.

        For methods of several phases, at the start of a phase; ``constant`` stays at the first.
        """
        ...

    def reinitialise(self, *parts: int | str) -> None:
        """Fresh weights for all networks, and an optimiser without momentum."""
        ...

    def new_network(self, *parts: int | str) -> Network:
        """One more network of the protocol's backbone; equal parts, equal initial weights."""
        ...

    def fit(self, network: Network, rows: Tensor, epochs: int) -> None:
        """Train an auxiliary network by cross entropy on the given labels of some samples."""
        ...

    def generator(self, *parts: int | str) -> torch.Generator:
        """A seeded generator on the CPU for a method's own draws; equal parts, equal draws."""
        ...

    def predict(self, network: Network) -> Tensor:
        """Logits ``(n, C)`` of the un-augmented training set, in evaluation mode, no gradient."""
        ...

    def map(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Any function of the un-augmented training set in blocks, as ``predict`` does it."""
        ...


class Method(Plugin):
    """Learns a classifier from wrong labels.

    Override ``loss`` for a new objective, ``setup`` for per-sample state, ``train_epoch`` for a
    regime of your own. Every tensor, module and optimiser stored on ``self`` is state: it is saved
    with a checkpoint and restored from it.
    """

    family: ClassVar[str] = "other"
    learns_from: ClassVar[str] = "labels"
    """``labels``: one a sample; ``candidates``: sets of labels that may be true, or single ones."""
    knows: ClassVar[frozenset[str]] = frozenset()
    knows_if: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Knowledge -> the parameter values without which it is not needed, and not given."""
    uses: ClassVar[frozenset[str]] = frozenset()
    n_networks: ClassVar[int] = 1
    fits_at_once: ClassVar[bool] = False
    """True when one call of ``train_epoch`` is the whole training: it has one epoch everywhere."""
    has_head: ClassVar[bool] = True
    """False when no linear head makes the prediction: then no refiner but ``off`` can act on it."""
    cost: ClassVar[float] = 1.0
    """Forward-and-backward passes a sample and epoch; plain cross entropy is 1."""
    paper_params: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Dataset name -> the defaults that the paper uses there; a suite's own values win."""
    search_space: ClassVar[Mapping[str, Any]] = {}
    """Parameter -> where ``tune`` searches it, for those whose annotation does not say it well.

    ``[low, high]`` is searched uniformly (whole numbers if both are), ``{"low": 0.1, "high": 10,
    "log": True}`` log-uniformly, ``{"choices": [...]}`` value by value, and ``None`` not at all.
    What is not named here is searched by its annotation and its default: numbers over their range,
    those without a range around the default; switches and words are not. A method without
    parameters is tuned by what the suite searches for all, such as the learning rate.
    """
    gpu_share: ClassVar[float] = 0.0
    """What a training needs of one GPU, in 0..1, where a cluster can share GPUs out; 0: as many
    networks need."""
    predicts: ClassVar[str] = "the network"
    """How several networks make one prediction, in words."""

    run: Run
    networks: tuple[Network, ...]

    def told(self) -> list[str]:
        """What of ``knows`` a training with these parameters is told."""
        params = {key: getattr(self, key) for key in self.parameters()}
        return holding(self.knows, self.knows_if, params)

    def setup(self) -> None:
        """Allocate state. ``self.run`` and ``self.networks`` are ready."""

    def loss(self, batch: Batch) -> Tensor:
        """Per-sample loss ``(b,)`` of a batch; the harness takes the mean."""
        raise TypeError(f"method {self.name!r} defines neither loss() nor train_epoch()")

    def train_epoch(self, epoch: int) -> float:
        """Train for one pass over the data; returns the mean training loss."""
        import torch

        total = torch.zeros((), device=self.run.device)
        for batch in self.run.batches(epoch):
            losses = self.loss(batch)
            self.run.step(losses.mean())
            total += losses.detach().sum()
        return float(total / self.run.n)

    def on_epoch_end(self, epoch: int) -> None:
        """Called after each epoch, before evaluation."""

    def predictors(self) -> Sequence[Network]:
        """The networks whose logits are averaged for a prediction; a refiner acts on each head."""
        return self.networks

    def logits(self, x: Tensor) -> Tensor:
        """The prediction ``(b, C)``: mean logits of ``predictors()``."""
        outputs = [network(x) for network in self.predictors()]
        return sum(outputs[1:], start=outputs[0]) / len(outputs)

    def label_belief(self) -> Tensor:
        """What the method now believes the training labels are: ``(n, C)``, rows sum to 1."""
        return self.run.candidates / self.run.candidates.sum(1, keepdim=True)

    def state_dict(self) -> dict[str, Any]:
        """All state, as plain containers of tensors."""
        state: dict[str, Any] = {
            "networks": [network.state_dict() for network in self.networks]  # type: ignore[attr-defined]
        }
        for key, value in self._own_state():
            state[key] = value.state_dict() if hasattr(value, "state_dict") else value
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` gave."""
        for network, saved in zip(self.networks, state["networks"], strict=True):
            network.load_state_dict(saved)  # type: ignore[attr-defined]
        for key, value in self._own_state():
            if hasattr(value, "load_state_dict"):
                value.load_state_dict(state[key])
            elif value.requires_grad:  # its optimiser holds this very tensor
                value.detach().copy_(state[key])
            else:
                setattr(self, key, state[key].clone().to(value.device))

    def _own_state(self) -> list[tuple[str, Any]]:
        import torch
        from torch import nn

        kinds = (torch.Tensor, nn.Module, torch.optim.Optimizer)
        return [(k, v) for k, v in sorted(vars(self).items()) if isinstance(v, kinds)]


def loss(
    *,
    name: str,
    paper: str,
    family: str = "loss",
    paper_params: Mapping[str, Mapping[str, Any]] | None = None,
    search_space: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Make a function ``f(logits, targets, *, **params) -> (b,) losses`` a method.

    ``logits`` is ``(b, C)`` float32, ``targets`` ``(b,)`` int64. The function stays callable;
    its docstring describes the method.
    """

    def decorate(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        declared = parameters_of_function(function)

        class LossMethod(Method):
            __doc__ = function.__doc__

            @classmethod
            def parameters(cls) -> dict[str, Parameter]:
                return declared

            def loss(self, batch: Batch) -> Tensor:
                values = {key: getattr(self, key) for key in declared}
                return function(self.logits(batch.x), batch.y, **values)

        LossMethod.name = name
        LossMethod.paper = paper
        LossMethod.family = family
        LossMethod.paper_params = paper_params or {}
        LossMethod.search_space = search_space or {}
        LossMethod.__module__ = function.__module__
        LossMethod.__qualname__ = LossMethod.__name__ = function.__name__
        function.plugin = LossMethod  # type: ignore[attr-defined]
        return function

    return decorate


# -------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class Split:
    """Samples with their true labels.

    Attributes:
        inputs: images ``(n, h, w, c)`` uint8 or features ``(n, d)`` float32.
        labels: true labels ``(n,)`` int64 in ``0..C-1``.
        index: each sample's position in the canonical data set ``(n,)`` int64, so that a subset
            still lines up with released label files.
        given: labels that annotators gave ``(n,)`` int64, of training samples whose true ones are
            known beside them; None for most data sets.
        candidates: sets of labels that may be the true one ``(n, C)`` bool, of training samples
            that came with such sets; None for most data sets.
        folds: ``(n, F)`` uint8, for a data set that is one pool of samples with F official splits:
            1 in the training samples of a split, 2 in its test samples, 0 in neither. The pool is
            then the train split, and the test split is empty.
    """

    inputs: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    index: np.ndarray[Any, Any]
    given: np.ndarray[Any, Any] | None = None
    candidates: np.ndarray[Any, Any] | None = None
    folds: np.ndarray[Any, Any] | None = None


@dataclass(frozen=True)
class DataInfo:
    """A prepared data set without its arrays: what planning and noise models may know.

    Attributes:
        name: the plugin's, followed by a hash where its parameters are not the defaults.
        shape: of one sample as a network sees it, ``(c, h, w)`` or ``(d,)``.
        full: False for a subset of the official data set.
        truth: False when the true training labels are not known, so that ``Split.labels`` are
            those that annotators gave.
        given: True when annotators' labels are there beside the true ones.
        partial: True when training samples came with candidate sets.
        n_folds: number of official splits of one pool, of which the seed chooses one; else 0, and
            ``n_train`` and ``n_test`` are those of the first.
        n_canonical: positions in the canonical training set, which a released label file has one
            label for each of.
        title: what to show for the name.
    """

    name: str
    fingerprint: str
    n_train: int
    n_test: int
    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    full: bool = True
    truth: bool = True
    given: bool = False
    partial: bool = False
    n_folds: int = 0
    n_canonical: int = 0
    title: str = ""

    @property
    def n_classes(self) -> int:
        """Number of classes ``C``."""
        return len(self.class_names)

    @property
    def label(self) -> str:
        """The name to show; a subset says so with its sizes and fingerprint."""
        name = self.title or self.name
        return name if self.full else f"{name}[{self.n_train}/{self.n_test} {self.fingerprint[:6]}]"


@dataclass(frozen=True)
class ImageFile:
    """One image of a data set on disk.

    Attributes:
        path: where it should lie.
        label: class id.
        index: position in the canonical data set.
    """

    path: Path
    label: int
    index: int


@dataclass(frozen=True)
class Listing:
    """What a data set on disk should hold, by its own lists; files may turn out to be missing."""

    train: Sequence[ImageFile]
    test: Sequence[ImageFile]
    class_names: tuple[str, ...]


class Dataset(Plugin):
    """Where samples come from. Preparation happens once; training reads the prepared arrays."""

    class_names: ClassVar[tuple[str, ...]] = ()
    """Official names in the order of their ids; an import is checked against them."""
    official_size: ClassVar[tuple[int, int] | None] = None
    """(train, test) sizes of the full set; anything else is shown as a subset."""
    canonical_size: ClassVar[int | None] = None
    """Positions that ``Split.index`` of the training set counts in; ``official_size`` if None."""
    bundled: ClassVar[bool] = False
    """True when ``build`` needs no download."""
    truth: ClassVar[bool] = True
    """False when nobody knows the true training labels: ``labels`` are then those given."""
    derived_from: ClassVar[str] = ""
    """Another data set that ``derive`` makes this one of."""
    layout: ClassVar[str] = ""
    """How the data set lies on disk, in words, where ``list_files`` or ``read`` reads it."""

    def build(self, raw: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Train split, test split and class names; downloads into ``raw`` where needed."""
        raise DataError(f"{self.name} cannot be downloaded; import it from a folder or a zip")

    def derive(self, train: Split, test: Split) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits and the class names from those of ``derived_from``."""
        raise TypeError(f"dataset {self.name!r} does not define derive()")

    def list_files(self, source: Path) -> Listing:
        """Every image and its label, from the lists in ``source``; the harness decodes them.

        Images become RGB, their shorter side ``size`` (a parameter), the centre is cut out.
        """
        raise TypeError(f"dataset {self.name!r} does not define list_files()")

    def read(self, source: Path) -> tuple[Split, Split, tuple[str, ...]]:
        """Both splits and the class names from a copy that is no set of images.

        Args:
            source: the file or folder that the user names.
        """
        raise TypeError(f"dataset {self.name!r} defines neither list_files() nor read()")

    def origin(self) -> Sequence[Path]:
        """Files or folders that ``build`` reads besides downloads: a change is noticed."""
        return ()

    def describe(self) -> str:
        """What tables show for the name where parameters make it another set; empty: the name."""
        return ""


class TrainingSet(Protocol):
    """The training set as a noise model sees it; arrays are read-only."""

    @property
    def info(self) -> DataInfo:
        """What planning knows."""
        ...

    @property
    def labels(self) -> np.ndarray[Any, Any]:
        """True labels ``(n,)`` int64; those given where ``info.truth`` is False."""
        ...

    @property
    def given(self) -> np.ndarray[Any, Any] | None:
        """Annotators' labels ``(n,)`` int64 where ``info.given``."""
        ...

    @property
    def candidates(self) -> np.ndarray[Any, Any] | None:
        """Candidate sets ``(n, C)`` bool where ``info.partial``."""
        ...

    @property
    def index(self) -> np.ndarray[Any, Any]:
        """Canonical positions ``(n,)`` int64."""
        ...

    @property
    def inputs(self) -> np.ndarray[Any, Any]:
        """``(n, h, w, c)`` uint8 or ``(n, d)`` float32; perhaps larger than memory."""
        ...

    def file(self, name: str) -> Path:
        """An existing file: a path, else a name in ``DATA_DIR/labels``. Raises ``DataError``."""
        ...

    def posterior(self, *, folds: int, epochs: int) -> np.ndarray[Any, Any]:
        """P(class | sample) ``(n, C)`` float64 of networks trained on the true labels.

        Every sample is judged by a network that was not trained on it (``folds``-fold). Trained
        once for a data set, then read from ``DATA_DIR``.
        """
        ...

    def other(self, dataset: str) -> tuple[str, np.ndarray[Any, Any]]:
        """Fingerprint and training inputs of another prepared data set. Raises ``DataError``."""
        ...


@dataclass(frozen=True)
class Foreign:
    """Inputs that take the place of training samples, which then belong to none of the classes.

    Attributes:
        rows: their positions in the training set ``(m,)`` int64, ascending.
        inputs: ``(m, h, w, c)`` uint8 or ``(m, d)`` float32.
    """

    rows: np.ndarray[Any, Any]
    inputs: np.ndarray[Any, Any]


class Noise(Plugin):
    """Corrupts labels. Describe it by a transition matrix, or override ``corrupt``."""

    files: ClassVar[Mapping[str, str]] = {}
    """Released label files that it reads: short name for ``data import`` -> official file name."""
    needs_truth: ClassVar[bool] = True
    """False for labels that do not start from the true ones."""

    def check(self, data: DataInfo) -> None:
        """Raise ``Incompatible`` with the reason when this noise cannot exist on ``data``."""

    def conventions(self) -> Mapping[str, Noise]:
        """What the same words mean elsewhere in the field, by name: for audits to compare with."""
        return {}

    def reads(self, train: TrainingSet) -> Sequence[str]:
        """Hashes of what else the labels depend on, such as a file or another data set."""
        return ()

    def transition_matrix(self, data: DataInfo) -> np.ndarray[Any, Any] | None:
        """``(C, C)`` float64, rows are true classes and sum to 1: P(given | true).

        None, the default, for noise that does not depend on the class alone.
        """
        return None

    def corrupt(self, train: TrainingSet, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Given labels ``(n,)`` int64: one independent draw a sample from its class's row.

        May raise ``Incompatible`` for what only the samples themselves can tell.
        """
        import numpy as np

        matrix = self.transition_matrix(train.info)
        if matrix is None:
            raise TypeError(
                f"noise {self.name!r} defines neither transition_matrix() nor corrupt()"
            )
        cumulative = np.cumsum(matrix, axis=1)
        cumulative[:, -1] = 1.0
        drawn = rng.random(len(train.labels))
        return np.asarray((drawn[:, None] >= cumulative[train.labels]).sum(axis=1), dtype=np.int64)

    def candidates(
        self, train: TrainingSet, rng: np.random.Generator
    ) -> np.ndarray[Any, Any] | None:
        """Candidate sets ``(n, C)`` bool instead of labels; None, the default, for single labels.

        Every set holds at least one label. Asked before ``corrupt``, which is then not called.
        """
        return None

    def replace(self, train: TrainingSet, rng: np.random.Generator) -> Foreign | None:
        """Inputs to put in the place of some samples; called after ``corrupt``, None by default."""
        return None

    def describe(self) -> str:
        """A short label for tables, for example ``symmetric 0.5``."""
        rate = getattr(self, "rate", None)
        return self.name if rate is None else f"{self.name} {rate:g}"


class Backbone(Plugin):
    """A feature extractor; the harness puts the linear classifier on top."""

    def build(self, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
        """Module from inputs ``(b, *shape)`` to features ``(b, q)``, and ``q``."""
        raise TypeError(f"backbone {self.name!r} does not define build()")


# ------------------------------------------------------------------------------------ refiners


@dataclass(frozen=True)
class HeadProblem:
    """A trained linear head and the sufficient statistics of its training features, float64.

    Attributes:
        weight: ``(q, C)``; logits are ``features @ weight + bias``.
        bias: ``(C,)``.
        gram: ``XᵀX``, ``(q, q)``.
        cross: ``XᵀY``, ``(q, C)``; Y is the label matrix the refiner asked for.
        feature_sum: ``(q,)`` column sums of X.
        label_sum: ``(C,)`` column sums of Y.
        n: number of rows of X.
        label_gram: ``YᵀY``, ``(C, C)``; None where nobody gave it.
        held: the same head with the statistics of held-out samples, for refiners that declare
            ``uses_held_out``.
    """

    weight: Tensor
    bias: Tensor
    gram: Tensor
    cross: Tensor
    feature_sum: Tensor
    label_sum: Tensor
    n: int
    label_gram: Tensor | None = None
    held: HeadProblem | None = None


@dataclass(frozen=True)
class HeadPath:
    """Refined heads, one for each entry of ``ks``.

    Head ``i`` has weight ``left @ diag(scale[i]) @ right.T`` and bias ``bias[i]``. A refiner
    without a rank parameter returns one entry.

    Attributes:
        ks: rank of each head, ascending; the last is the one closest to the trained head.
        left: ``(q, r)``.
        right: ``(C, r)``.
        scale: ``(len(ks), r)``.
        bias: ``(len(ks), C)``.
        diagnostics: vectors worth storing, by name (for example the re-fitted singular values).
    """

    ks: tuple[int, ...]
    left: Tensor
    right: Tensor
    scale: Tensor
    bias: Tensor
    diagnostics: dict[str, Tensor] = field(default_factory=dict)

    def weight(self, position: int) -> Tensor:
        """``(q, C)`` weight of the head at ``ks[position]``."""
        return (self.left * self.scale[position]) @ self.right.T


class Refiner(Plugin):
    """A post-hoc change of a trained linear head; no back-propagation, no retraining."""

    uses_belief: ClassVar[bool] = False
    """True when Y is the method's ``label_belief()`` instead of the given labels."""
    uses_held_out: ClassVar[bool] = False
    """True when ``HeadProblem.held`` is wanted; k is then chosen by cross-fitting on two halves."""
    has_rank: ClassVar[bool] = True
    """True when ``path`` returns a head for every rank and ``k`` must be chosen."""

    def path(self, problem: HeadProblem) -> HeadPath:
        """The refined heads. May raise ``BenchError`` when the problem has no answer."""
        raise TypeError(f"refiner {self.name!r} does not define path()")

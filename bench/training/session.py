"""One training from first batch to last epoch, resumable at every epoch."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.api import DataInfo, Method, Split
from bench.data.noise import OPEN, NoiseArtefact
from bench.data.split import stratified_split
from bench.errors import BenchError, DataError
from bench.identity import axis_seed
from bench.protocol import Protocol
from bench.records import EpochRecord
from bench.training.batches import Normaliser
from bench.training.compiled import pays, start_afresh
from bench.training.context import Known, RunContext, evaluating
from bench.training.labelled import LabelledTensors, approximated_accuracy, placed
from bench.training.network import ClassifierNetwork, build_network
from bench.training.optimise import Trainer
from bench.training.precision import resolve, settle
from bench.training.residence import fits
from bench.training.selected import counts, figures
from bench.training.sources import Inputs, Stored, Streamed

AUDIT_SAMPLES = 2000
"""How many training samples the fit to given and true labels is measured on, at most."""


CLEAN_SHARE = 0.02
"""Share of the training samples whose true labels a method is given that declares it; they are
taken out of its training set, as the papers that need them do (1,000 of 50,000)."""


class Diverged(BenchError):
    """The loss or the logits are no longer finite."""


class Session:
    """Trains one method on one noise artefact at one seed.

    True training labels stay in this object, for the audit of what was memorised; the method is
    given only a ``RunContext``, which has none unless the method declares that it needs them.
    """

    def __init__(
        self,
        *,
        method: Method,
        backbone: Any,
        protocol: Protocol,
        info: DataInfo,
        train: Split,
        test: Split,
        artefact: NoiseArtefact,
        seed: int,
        device: torch.device,
    ) -> None:
        self.method = method
        self.protocol = protocol
        self.seed = seed
        self.device = device
        self.precision = resolve(protocol.precision, device)
        settle(self.precision, device)
        self.epoch = 0
        self.elapsed_s = 0.0  # in epochs before a checkpoint
        known = artefact.true(train, known=info.truth)
        stored = Stored(train.inputs, artefact.foreign)
        inputs, test_inputs = Streamed(stored, device), Streamed(Stored(test.inputs), device)
        whole = fits(train.inputs.nbytes + test.inputs.nbytes, device)
        kept, held = stratified_split(
            artefact.labels,
            protocol.noisy_validation,
            axis_seed("split", artefact.sha, protocol.noisy_validation, seed),
        )
        clean = np.empty(0, dtype=np.int64)
        if "clean_subset" in method.told():
            seed_of_clean = axis_seed("clean", info.fingerprint, CLEAN_SHARE, seed)
            if known is None:
                raise DataError(f"nobody knows the true training labels of {info.label}")
            closed = kept[known[kept] != OPEN]
            _, chosen = stratified_split(known[closed], CLEAN_SHARE, seed_of_clean)
            clean = closed[chosen]
            kept = np.setdiff1d(kept, clean)
        given = torch.from_numpy(artefact.labels).to(device)
        true = None if known is None else torch.from_numpy(known).to(device)
        rows, held_rows = (torch.from_numpy(part).to(device) for part in (kept, held))
        sets = None if artefact.candidates is None else artefact.candidates.copy()
        everything = LabelledTensors(
            inputs, given, None if sets is None else torch.from_numpy(sets).to(device)
        )
        self.train_given = placed(everything.at(rows), whole)
        self.noisy_val = placed(everything.at(held_rows), whole) if len(held) else None
        test_labels = torch.from_numpy(np.array(test.labels)).to(device)
        self.test = placed(LabelledTensors(test_inputs, test_labels), whole)
        self._train_true = None if true is None else true[rows]
        normaliser = Normaliser.of(self.train_given.inputs)
        told = self._told(artefact)
        if len(clean) and true is not None:
            trusted = torch.from_numpy(clean).to(device)
            told["clean_subset"] = (normaliser(inputs[trusted]), true[trusted])
        n_steps = protocol.epochs * len(kept) // protocol.batch_size
        compiled = pays(protocol.compile, device, n_steps)
        if compiled:
            start_afresh()
        new_network = _network_factory(
            backbone, protocol, info, seed, device, self.precision, compiled
        )
        self.run = RunContext(
            inputs=self.train_given.inputs,
            labels=self.train_given.labels,
            candidates=self._label_matrix(info.n_classes),
            n_classes=info.n_classes,
            protocol=protocol,
            normaliser=normaliser,
            known=Known(method.name, told),
            seed=seed,
            fingerprint=info.fingerprint,
            new_network=new_network,
        )
        self.networks = tuple(new_network(position) for position in range(method.n_networks))
        method.run = self.run  # type: ignore[assignment] # what is known is built per method
        method.networks = self.networks
        self._seed_globals(0)
        method.setup()
        self.trainer = Trainer(protocol, [*self.networks, *self.run.extra_modules])
        self.run.attach(self.networks, self.trainer)

    @property
    def n_parameters(self) -> int:
        """Trained numbers of all networks together."""
        modules = [*self.networks, *self.run.extra_modules]
        return sum(p.numel() for module in modules for p in module.parameters())

    def epochs(self) -> Iterator[EpochRecord]:
        """Train the epochs that remain, measuring each.

        Raises:
            Diverged: the loss or the logits are not finite; records given so far stand.
        """
        started = time.perf_counter() - self.elapsed_s
        while self.epoch < self.protocol.epochs:
            self.begin_epoch()
            train_loss = self.method.train_epoch(self.epoch)
            yield self.end_epoch(train_loss, started)

    def begin_epoch(self) -> None:
        """Make everything ready for ``Method.train_epoch``."""
        self.seed_globals()
        self.run.begin_epoch(self.epoch)
        for module in (*self.networks, *self.run.extra_modules):
            module.train()

    def end_epoch(self, train_loss: float, started: float) -> EpochRecord:
        """What follows ``Method.train_epoch``, and the epoch's measurements.

        Args:
            train_loss: what it returned.
            started: when the training started (``time.perf_counter``).

        Raises:
            Diverged: the loss or the logits are not finite.
        """
        self.method.on_epoch_end(self.epoch)
        lr = self.trainer.lr
        self.trainer.end_epoch()
        self.epoch += 1
        if not math.isfinite(train_loss):
            raise Diverged(f"the training loss is {train_loss} in epoch {self.epoch}")
        return self._measure(train_loss, lr, started)

    def seed_globals(self) -> None:
        """Put the global random generators where an epoch begins."""
        self._seed_globals(self.epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after the last full epoch."""
        return {
            "epoch": self.epoch,
            "method": self.method.state_dict(),
            "trainer": self.trainer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state_dict``; what follows equals the uninterrupted training."""
        self.epoch = state["epoch"]
        self.method.load_state_dict(state["method"])
        self.trainer.load_state_dict(state["trainer"])

    def logits(self, inputs: Inputs | Tensor) -> Tensor:
        """The method's prediction ``(n, C)`` in evaluation mode."""
        with evaluating(*self.networks, *self.method.predictors()):
            return self.run.in_blocks(inputs, self.method.logits)

    def _label_matrix(self, n_classes: int) -> Tensor:
        """``(n, C)`` float32 with 1 at every label that may be true."""
        if self.train_given.candidates is not None:
            return self.train_given.candidates.float()
        return torch.nn.functional.one_hot(self.train_given.labels, n_classes).float()

    def true_label_matrix(self) -> Tensor | None:
        """``(n, C)`` float32, one-hot at the true labels; for audits, never for a method.

        Rows of samples that belong to no class are 0; None where nobody knows the true labels.
        """
        if self._train_true is None:
            return None
        closed = self._train_true != OPEN
        hot = torch.nn.functional.one_hot(
            self._train_true.where(closed, torch.zeros_like(self._train_true)),
            self.run.n_classes,
        )
        return hot.float() * closed[:, None]

    def _told(self, artefact: NoiseArtefact) -> dict[str, Any]:
        """What the method declared, and nothing else."""
        told: dict[str, Any] = {}
        if "noise_rate" in self.method.told():
            if artefact.rate is None:
                raise DataError("nobody knows the noise rate of these labels")
            told["noise_rate"] = artefact.rate
        if "transition_matrix" in self.method.told():
            matrix = artefact.matrix if artefact.nominal is None else artefact.nominal
            if matrix is None:
                raise DataError("nobody knows the transition matrix of these labels")
            told["transition_matrix"] = torch.tensor(
                matrix, dtype=torch.float32, device=self.device
            )
        return told

    def _seed_globals(self, epoch: int) -> None:
        """Layers such as dropout draw from the global generators: make an epoch repeatable."""
        seed = axis_seed("global", self.seed, epoch)
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - a plugin's library may draw from it
        random.seed(seed)

    def _measure(self, train_loss: float, lr: float, started: float) -> EpochRecord:
        audit = slice(0, AUDIT_SAMPLES)
        audited = self.train_given.at(audit)
        guess = self.logits(audited.inputs).argmax(1)
        test_logits = self.logits(self.test.inputs)
        found = {
            "finite": torch.isfinite(test_logits).all(),
            "test": (test_logits.argmax(1) == self.test.labels).sum(),
            "given": audited.hits(guess).sum(),
        }
        if self._train_true is not None:
            true = self._train_true[audit]
            # True labels outside the classes are none of a guess's: they count in neither.
            found |= {"true": (guess == true).sum(), "closed": (true != OPEN).sum()}
        if self.noisy_val is not None:
            val_logits = self.logits(self.noisy_val.inputs)
            found["val"] = self.noisy_val.hits(val_logits.argmax(1)).sum()
            if self.noisy_val.candidates is not None:
                sets = self.noisy_val.candidates
                found["approximated"] = approximated_accuracy(val_logits, sets)
        found |= self._selection()
        read = _read(found)
        if not read["finite"]:
            raise Diverged(f"the logits are not finite after epoch {self.epoch}")
        return EpochRecord(
            epoch=self.epoch,
            train_loss=train_loss,
            fit_given=read["given"] / len(audited.labels),
            fit_true=read["true"] / read["closed"] if read.get("closed") else None,
            noisy_val_accuracy=(
                None if self.noisy_val is None else read["val"] / len(self.noisy_val.labels)
            ),
            test_accuracy=read["test"] / len(self.test.labels),
            lr=lr,
            wall_s=time.perf_counter() - started,
            approximated_accuracy=read.get("approximated"),
            **vars(figures(read, self.run.n)),
        )

    def _selection(self) -> dict[str, Tensor]:
        """Of single labels: among candidates there is no given label to be right."""
        if self.train_given.candidates is not None:
            return {}
        true = self._train_true
        right = None if true is None else self.train_given.labels == true
        return counts(self.run.selected.mask, right)


def _network_factory(
    backbone: Any,
    protocol: Protocol,
    info: DataInfo,
    seed: int,
    device: torch.device,
    precision: str,
    compiled: bool,
) -> Callable[..., ClassifierNetwork]:
    """Builds networks whose weights depend on backbone, ``parts`` and seed alone.

    A function of its own, so that a method cannot come to the session through it.
    """

    def build(*parts: int | str) -> ClassifierNetwork:
        return build_network(
            backbone,
            info.shape,
            info.n_classes,
            seed=axis_seed("init", protocol.backbone.model_dump(), *parts, seed),
            device=device,
            precision=precision,
            compiled=compiled,
        )

    return build


def _read(found: Mapping[str, Tensor]) -> dict[str, float]:
    """Scalars of the device, with one wait for all of them; numbers of samples are exact."""
    values = torch.stack([value.double() for value in found.values()]).tolist()
    return dict(zip(found, values, strict=True))

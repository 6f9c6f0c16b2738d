"""Precision and recall of what a method says it learns from, measured by the engine alone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Batch, Method
from bench.conformance import fixture
from bench.conformance.compare import first_difference
from bench.data.noise import OPEN
from bench.records import EpochRecord, Outcome
from bench.registry import Registry, discover
from bench.training.context import RunContext
from bench.training.selected import Selected, SelectionFigures, counts, figures
from bench.training.session import Session

NO_SELECTION = {"peer-loss": "weighs samples against random pairs and selects none"}
"""Methods of the family that have nothing to report, and why."""

SEMI_SUPERVISED = ("dividemix", "disc", "pes", "promix", "ssr", "unicon", "confident-learning")
"""Methods of other families whose labelled part is a selection."""

EPOCHS = 5
FIGURES = ("selected_share", "selection_precision", "selection_recall")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with fixture.undisturbed():
        yield


Report = Callable[[Any, int, Batch], None]
"""``report(run, epoch, batch)``, called with every batch."""


class Plain(Method):
    """Cross entropy that says nothing of a selection."""

    name = "plain"
    paper = "none"

    def report(self, epoch: int, batch: Batch) -> None:
        """Called with every batch."""

    def train_epoch(self, epoch: int) -> float:
        """One pass over everything."""
        total = torch.zeros(())
        for batch in self.run.batches(epoch):
            self.report(epoch, batch)
            loss = F.cross_entropy(self.logits(batch.x), batch.y.clamp_min(0))
            self.run.step(loss)
            total += loss.detach()
        return float(total)


def begun(report: Report, *, learns_from: str = "labels", **settings: Any) -> Session:
    """A training, before its first epoch, whose method calls ``report`` with every batch."""
    body = {
        "report": lambda self, epoch, batch: report(self.run, epoch, batch),
        "learns_from": learns_from,
    }
    return fixture.session(type("Reporting", (Plain,), body)(), **settings)


def trained(report: Report, **settings: Any) -> tuple[Session, list[EpochRecord]]:
    """The same, and the records of all its epochs."""
    session = begun(report, **settings)
    return session, list(session.epochs())


def by_hand(session: Session, chosen: set[int]) -> tuple[float, float, float]:
    """Share, precision and recall by counting samples one by one."""
    true = session._train_true
    assert true is not None
    pairs = zip(session.run.labels.tolist(), true.tolist(), strict=True)
    right = {i for i, (given, label) in enumerate(pairs) if given == label}
    hits = len(chosen & right)
    return len(chosen) / session.run.n, hits / len(chosen), hits / len(right)


def of(record: EpochRecord) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in FIGURES)


# ------------------------------------------------------------------------------- the figures


FORMS: dict[str, Report] = {
    "positions": lambda run, epoch, batch: run.report_selection(batch.index[batch.index % 3 == 0]),
    "some of the positions": lambda run, epoch, batch: run.report_selection(
        batch.index, batch.index % 3 == 0
    ),
    "a mask of everything": lambda run, epoch, batch: run.report_selection(
        torch.arange(run.n) % 3 == 0
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_selection_has_its_known_precision_and_recall(form: str) -> None:
    session, records = trained(FORMS[form])
    expected = by_hand(session, set(range(0, session.run.n, 3)))
    assert 0 < expected[1] < 1
    assert [of(record) for record in records] == [expected, expected]


def figures_of(selected: Tensor, right: Tensor) -> SelectionFigures:
    counted = {name: int(number) for name, number in counts(selected, right).items()}
    return figures(counted, len(selected))


def test_figures_on_a_case_counted_on_paper() -> None:
    selected = torch.tensor([True, True, True, False, False, False, False, False])
    right = torch.tensor([True, True, False, True, True, True, False, False])
    assert figures_of(selected, right) == SelectionFigures(3 / 8, 2 / 3, 2 / 5)


def test_what_is_reported_twice_counts_once_and_several_passes_are_joined() -> None:
    def report(run: Any, epoch: int, batch: Batch) -> None:
        first = batch.index[batch.index < 40]
        run.report_selection(torch.cat([first, first]))
        run.report_selection(batch.index, (batch.index >= 30) & (batch.index < 50))
        run.report_selection(batch.index, torch.zeros_like(batch.index, dtype=torch.bool))

    session, records = trained(report)
    assert of(records[0]) == by_hand(session, set(range(50)))


def test_an_answer_that_comes_twice_for_a_sample_is_yes_if_one_is() -> None:
    for kept in ([True, False], [False, True]):
        selected = Selected(5, torch.device("cpu"))
        selected.add(torch.tensor([3, 3]), torch.tensor(kept))
        assert selected.mask is not None
        assert selected.mask.tolist() == [False, False, False, True, False]


def test_an_epoch_begins_with_no_selection() -> None:
    def report(run: Any, epoch: int, batch: Batch) -> None:
        if epoch != 1:
            run.report_selection(batch.index[batch.index % 2 == epoch // 2])

    session, records = trained(report, epochs=3)
    n = session.run.n
    assert of(records[0]) == by_hand(session, set(range(0, n, 2)))
    assert of(records[1]) == (None, None, None)
    assert of(records[2]) == by_hand(session, set(range(1, n, 2)))


def test_a_method_that_reports_nothing_has_no_figures() -> None:
    records = list(fixture.session(Plain()).epochs())
    assert [of(record) for record in records] == [(None, None, None)] * 2


def test_an_empty_selection_is_not_the_same_as_none() -> None:
    _, records = trained(lambda run, epoch, batch: run.report_selection(batch.index[:0]))
    assert of(records[0]) == (0.0, None, 0.0)


def test_recall_is_undefined_where_every_label_is_wrong() -> None:
    found = figures_of(torch.tensor([True, False]), torch.tensor([False, False]))
    assert (found.selection_precision, found.selection_recall) == (0.0, None)


def everything(run: Any, epoch: int, batch: Batch) -> None:
    run.report_selection(batch.index)


def test_where_nobody_knows_the_truth_only_the_share_is_known() -> None:
    session = begun(everything)
    session._train_true = None
    assert [of(record) for record in session.epochs()] == [(1.0, None, None)] * 2


def test_samples_of_no_class_are_wrongly_labelled() -> None:
    session = begun(everything)
    assert session._train_true is not None
    session._train_true[::2] = OPEN
    expected = by_hand(session, set(range(session.run.n)))
    (record, *_) = session.epochs()
    assert of(record) == expected
    assert expected[1] <= 0.5


def test_candidate_sets_have_no_figures() -> None:
    _, records = trained(everything, learns_from="candidates")
    assert [of(record) for record in records] == [(None, None, None)] * 2


# ------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((torch.tensor([1.0]),), TypeError, r"batch\.index\[kept\]"),
        ((torch.ones(32, dtype=torch.bool),), TypeError, r"\(144,\) bool"),
        ((torch.tensor([[1]]),), TypeError, "positions"),
        ((torch.tensor([0, 144]),), IndexError, "position 144"),
        ((torch.tensor([0, -1]),), IndexError, "position -1"),
        ((torch.tensor([0, 1]), torch.ones(2)), TypeError, "one bool for each"),
        ((torch.tensor([0, 1]), torch.ones(3, dtype=torch.bool)), TypeError, "one bool for each"),
    ],
)
def test_what_is_no_selection_is_refused_with_what_is_one(
    arguments: tuple[Tensor, ...], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        trained(lambda run, epoch, batch: run.report_selection(*arguments))


# ------------------------------------------------------------------------- honesty, resuming


def test_the_method_does_not_come_by_what_was_measured() -> None:
    session, records = trained(everything)
    assert records[-1].selection_precision is not None
    for name in ("_train_true", "selection_precision", "selection_recall"):
        assert not hasattr(session.run, name)
        assert not hasattr(session.method, name)
    held = {name: value for name, value in vars(session.run.selected).items()}
    assert [name for name, value in held.items() if isinstance(value, Tensor)] == ["_marks"]
    assert session.run.report_selection(torch.arange(3)) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize("name", ["confident-learning", "disc", "co-teaching"])
def test_a_resumed_training_has_the_same_records(name: str, registry: Registry) -> None:
    def session() -> Session:
        params = {"fold_epochs_share": 0.2} if name == "confident-learning" else {}
        made = registry.create("method", name, registry.get("method", name).resolve(params))
        return fixture.session(made, epochs=EPOCHS)

    whole = [of(record) for record in session().epochs()]
    interrupted = session()
    begun = [of(record) for record in islice(interrupted.epochs(), 3)]
    saved = io.BytesIO()
    torch.save(interrupted.state_dict(), saved)
    resumed = session()
    resumed.load_state_dict(torch.load(io.BytesIO(saved.getvalue()), weights_only=True))
    assert begun + [of(record) for record in resumed.epochs()] == whole
    assert whole[-1][1] is not None


def test_outcomes_of_before_are_still_read() -> None:
    record = EpochRecord(1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.1, 1.0, None, 0.5, 0.75, 0.25)
    outcome = Outcome("k", "done", "", 1.0, "cpu", "fp32", 1, None, epochs=(record,))
    assert Outcome.loads(outcome.dumps()) == outcome
    old = json.loads(outcome.dumps())
    for name in FIGURES:
        del old["epochs"][0][name]
    assert of(Outcome.loads(json.dumps(old)).epochs[0]) == (None, None, None)


# ------------------------------------------------------------------------------------ the zoo


def selecting() -> list[str]:
    found = [
        info.name for info in discover().all("method") if info.declared["family"] == "selection"
    ]
    return sorted({*found, *SEMI_SUPERVISED} - NO_SELECTION.keys())


@pytest.mark.parametrize("name", selecting())
def test_methods_that_select_report_it_and_reporting_changes_nothing(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train() -> tuple[dict[str, Any], list[EpochRecord]]:
        params = {"fold_epochs_share": 0.2} if name == "confident-learning" else {}
        made = registry.create("method", name, registry.get("method", name).resolve(params))
        session = fixture.session(made, epochs=EPOCHS)
        records = list(session.epochs())
        bare = [{**asdict(r), "wall_s": 0, **dict.fromkeys(FIGURES)} for r in records]
        logits = session.logits(session.test.inputs)
        return {"state": session.state_dict(), "logits": logits, "records": bare}, records

    reporting, records = train()
    last = records[-1]
    assert last.selected_share is not None
    assert last.selected_share == 0 or last.selection_precision is not None
    assert last.selection_recall is not None
    monkeypatch.setattr(RunContext, "report_selection", lambda self, index, kept=None: None)
    silent, unreported = train()
    assert [of(record) for record in unreported] == [(None, None, None)] * EPOCHS
    assert first_difference(reporting, silent) == ""

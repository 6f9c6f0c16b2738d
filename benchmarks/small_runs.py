"""The digits suite with the seeds of a cell trained as one, against one by one.

    python benchmarks/small_runs.py [--epochs 8] [--repeats 3] [--no-run]

Three seeds of each method of the suite at symmetric 0.5, one thread, in turn, building and
measuring included. Methods that cannot be stacked count on both sides with what they take one by
one; refiners and the start of workers are left out, which only makes the ratio larger. Then
``torch.func.vmap`` over ``functional_call``, which gives other bits than one by one, on the steps
alone. Last, what ``make bench`` does from an empty database with two slots.

Bars: 2.0 times for the suite, and 150 s for ``make bench`` on two cores. Stacking saves the calling
of operations and no arithmetic: a step on two samples shows what the calls take, and that gives the
most that three seeds can gain. Where this ceiling of the suite is under 2.0 / 0.85, the bar is 0.85
of it. Convolutions as batched matrix products were tried as well, without asking for the same bits:
they took as long as the seeds one by one.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from measure import Measure, child, interleaved, ratio, report, spread
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from bench.api import Batch
from bench.data.prepared import read_info
from bench.execute import build_session
from bench.freed import keep_freed_memory
from bench.plan import make_plan
from bench.registry import Registry, discover
from bench.spec import load_suite
from bench.training.optimise import build_optimiser
from bench.training.precision import same_bits_twice
from bench.training.session import Session
from bench.training.stacked import Stack, why_not
from bench.training_spec import TrainingSpec

SUITE_BAR, CEILING_SHARE = 2.0, 0.85
BENCH_BAR_S = 150.0
NOISE = "symmetric 0.5"
STEPS = 20
"""Of the comparison with ``vmap``, and of ceilings, between two looks at the clock."""
FEW = 2
"""Samples in a batch that takes little but its calls; a batch norm needs two."""


def main() -> int:
    """Measure; the exit status is 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=8, help="of each training")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--no-run", action="store_true", help="leave out `make bench`")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    same_bits_twice()
    keep_freed_memory()
    return report(measures(wanted.epochs, wanted.repeats, run=not wanted.no_run))


def measures(epochs: int, repeats: int, *, run: bool) -> Iterator[Measure]:
    """One after the other, as they come."""
    registry = discover()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        read_info("digits", data_dir, registry)
        plan = make_plan(load_suite("digits", "short", registry), registry, data_dir)
        cells: dict[str, list[TrainingSpec]] = {}
        for spec in plan.trainings:
            if spec.noise.label == NOISE:
                cells.setdefault(spec.method, []).append(spec)
        yield from suite(cells, registry, data_dir, epochs, repeats)
        yield from steps(cells["ce"], registry, data_dir, repeats)
        if run:
            yield whole_run(data_dir)


def suite(
    cells: dict[str, list[TrainingSpec]],
    registry: Registry,
    data_dir: Path,
    epochs: int,
    repeats: int,
) -> Iterator[Measure]:
    """Every method, and all of them together."""
    alone_s = stacked_s = least_s = 0.0
    for method, specs in cells.items():
        short = [replace(s, protocol={**s.protocol, "epochs": epochs}) for s in specs]
        build = partial(sessions, short, registry, data_dir)
        reason = why_not(build()[0])
        runs: dict[str, Callable[[], object]] = {"alone": lambda b=build: one_by_one(b())}
        if not reason:
            runs["stacked"] = lambda b=build: together(b())
        found = interleaved(runs, repeats)
        alone = statistics.median(found["alone"])
        alone_s += alone
        stacked_s += alone if reason else statistics.median(found["stacked"])
        most = 1.0 if reason else ceiling(build()[0], len(specs), max(5, repeats))
        least_s += alone / most
        if reason:
            print(f"{method}: {spread(found['alone'])} s one by one; {reason}", flush=True)
            continue
        yield Measure(
            f"{method}: {len(specs)} seeds one by one over stacked",
            ratio(found, "alone", "stacked"),
            "x",
            note=f"{spread(found['alone'])} s over {spread(found['stacked'])} s; "
            f"{most:.4g} x if all calls but one seed's cost nothing",
        )
    highest = alone_s / least_s
    yield Measure(
        "digits suite: the same, did the calls of all seeds but one cost nothing",
        highest,
        "x",
        note="the most that stacking can give here; methods with loops of their own count as 1",
    )
    yield Measure(
        "digits suite one by one over stacked",
        alone_s / stacked_s,
        "x",
        at_least=min(SUITE_BAR, CEILING_SHARE * highest),
        note=f"{alone_s:.3g} s over {stacked_s:.3g} s for a seed-triple of each method; the bar is "
        f"{SUITE_BAR} x, or {CEILING_SHARE} of the most that is possible where that is less; "
        f"{SUITE_BAR} x {'is' if alone_s / stacked_s >= SUITE_BAR else 'is not'} reached",
    )


def ceiling(session: Session, n_seeds: int, repeats: int) -> float:
    """How many times faster steps of some seeds are if those of all but one make no calls."""
    session.begin_epoch()
    whole = next(iter(session.run.batches(0)))
    few = Batch(whole.x[:FEW], whole.y[:FEW], whole.index[:FEW])

    def steps_on(batch: Batch) -> None:
        for _ in range(STEPS):
            session.run.step(session.method.loss(batch).mean())

    timed = interleaved({"whole": lambda: steps_on(whole), "few": lambda: steps_on(few)}, repeats)
    calls = min(1.0, ratio(timed, "few", "whole"))
    return n_seeds / (n_seeds - (n_seeds - 1) * calls)


def sessions(specs: Sequence[TrainingSpec], registry: Registry, data_dir: Path) -> list[Session]:
    """Of every seed, before the first epoch."""
    return [build_session(spec, registry, data_dir, torch.device("cpu")) for spec in specs]


def one_by_one(seeds: Sequence[Session]) -> None:
    """Train each to its end."""
    for session in seeds:
        for _ in session.epochs():
            pass


def together(seeds: Sequence[Session]) -> None:
    """Train all to their end, as one."""
    stack = Stack(seeds)
    for session in seeds:
        for _ in stack.epochs(session):
            pass
    if stack.reason:
        raise SystemExit(f"the seeds were not stacked: {stack.reason}")


def steps(
    specs: Sequence[TrainingSpec], registry: Registry, data_dir: Path, repeats: int
) -> Iterator[Measure]:
    """Steps of cross entropy alone: one by one over ``vmap``."""
    seeds = sessions(specs, registry, data_dir)
    for session in seeds:
        session.begin_epoch()
    batches = [next(iter(session.run.batches(0))) for session in seeds]
    template = copy.deepcopy(seeds[0].networks[0]).to("meta")
    found, buffers = stack_module_state([session.networks[0] for session in seeds])
    weights = {name: value.detach().requires_grad_() for name, value in found.items()}
    optimiser = build_optimiser(seeds[0].protocol.optimiser, weights.values())  # type: ignore[arg-type]
    x, y = torch.stack([b.x for b in batches]), torch.stack([b.y for b in batches])

    def loss(
        own: dict[str, torch.Tensor],
        of_layers: dict[str, torch.Tensor],
        inputs: torch.Tensor,
        labels: torch.Tensor,
    ) -> torch.Tensor:
        return F.cross_entropy(functional_call(template, (own, of_layers), (inputs,)), labels)

    def mapped() -> None:
        for _ in range(STEPS):
            losses = vmap(loss)(weights, buffers, x, y)
            optimiser.zero_grad()
            losses.sum().backward()
            optimiser.step()

    def alone() -> None:
        for _ in range(STEPS):
            for session, batch in zip(seeds, batches, strict=True):
                session.run.step(session.method.loss(batch).mean())

    timed = interleaved({"alone": alone, "vmap": mapped}, max(5, repeats))
    yield Measure(
        f"ce, steps alone: {len(seeds)} seeds one by one over torch.func.vmap",
        ratio(timed, "alone", "vmap"),
        "x",
        note=f"{spread(timed['alone'])} s over {spread(timed['vmap'])} s, {STEPS} steps",
    )


def whole_run(data_dir: Path) -> Measure:
    """``make bench`` with its data prepared and nothing else."""
    db = data_dir / "small_runs.db"
    command = [sys.executable, "-m", "bench", "run", "digits", "--db", str(db)]
    command += ["--data-dir", str(data_dir), "--device", "cpu", "--jobs", "2"]
    ended = child(command)
    if ended.code != 0:
        raise SystemExit(f"the run failed:\n{ended.output}")
    return Measure(
        "make bench from an empty database, two slots",
        ended.wall_s,
        "s",
        at_most=BENCH_BAR_S,
        peak_mib=ended.peak_mib,
        note="75 trainings",
    )


if __name__ == "__main__":
    sys.exit(main())

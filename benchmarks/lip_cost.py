"""What LIP costs beside what it is applied to, and beside the algorithm as it was published.

    python benchmarks/lip_cost.py [--part training|path|stream] [--rows 1000000]

*training*: cross entropy for 30 epochs on digits, three times. The trained session is evaluated
under ``off`` alone and under ``off`` and ``lip`` in turn, so that both are of the same weights; a
total is the seconds of the epochs plus the seconds of the evaluation. Bar: on + off at most 1.03 of
off alone. Beside it stands the strict form, on + off over a training that is not evaluated at all.

*path*: features of 50,000 samples, 512 wide, in float32 as a network gives them, 100 classes. Ours
is what the harness does with them: sums in blocks, one decomposition, heads for k = 0..100. The
published function does one k, at the middle one, from the same features and in float64 as ours.
Bar: the whole path in at most 1.0 of its time. Beside it stand the function on features that
somebody else turned to float64 before, at several k (the fewer directions are kept the longer it
takes), and its float32 form.

*stream*: 1,000,000 x 2,048 features, made block by block and never all there. Bar: less than 1 GiB
of memory beyond what the process had before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from measure import Measure, child, interleaved, peak_mib, ratio, report, spread
from torch import Tensor

from bench.api import HeadPath
from bench.refine.lip import Lip
from bench.refine.sums import FeatureSums
from bench.training.context import EVALUATION_BATCH

TRAINING_BAR, PATH_BAR, STREAM_BAR_MIB = 1.03, 1.0, 1024

SUITE = """
suite: lip-cost
extends: digits
methods: [ce]
noises: [{symmetric: {rate: 0.5}}]
refiners: [off, lip]
seeds: [0, 1, 2]
protocol: {epochs: 30}
"""


def published(weight: Tensor, features: Tensor, labels: Tensor, k: int) -> Tensor:
    """LIP at one k, step by step as in arXiv 2505.16159 (and as its authors' function does it).

    Args:
        weight: trained head ``(q, l)``.
        features: ``(n, q)``.
        labels: label matrix as given ``(n, l)``.
        k: singular directions that are kept.
    """
    left, values, right_t = torch.linalg.svd(weight, full_matrices=False)
    right = right_t.T
    kept = left[:, :k] @ torch.diag(values[:k]) @ right[:, :k].T
    left_rest, right_rest = left[:, k:], right[:, k:]
    residual = labels - features @ kept
    numerator = left_rest.T @ (features.T @ residual) @ right_rest
    denominator = left_rest.T @ (features.T @ (features @ left_rest))
    refitted = numerator.diagonal() / denominator.diagonal()
    return kept + left_rest @ torch.diag(refitted) @ right_rest.T


def whole_path(weight: Tensor, blocks: Iterator[tuple[Tensor, Tensor]]) -> HeadPath:
    """Heads for every k from one pass, as the harness makes them.

    Args:
        weight: trained head ``(q, l)``, float64.
        blocks: features ``(m, q)`` and label matrix ``(m, l)`` of some rows at a time.
    """
    sums = FeatureSums(*weight.shape)
    for features, labels in blocks:
        sums.add(features, {"given": labels})
    bias = torch.zeros(weight.shape[1], dtype=torch.float64)
    return Lip().path(sums.problem("given", weight, bias, sums.gram()))


def made_up(n: int, q: int, n_classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features like a network's, non-negative and correlated, and one-hot labels; float32."""
    draws = torch.Generator().manual_seed(seed)
    centres = torch.randn(n_classes, q, generator=draws)
    labels = torch.randint(n_classes, (n,), generator=draws)
    features = (centres[labels] + torch.randn(n, q, generator=draws)).relu()
    return features, torch.nn.functional.one_hot(labels, n_classes).float()


def training(repeats: int = 3) -> Iterator[Measure]:
    """On + off over off alone."""
    from bench.data.prepared import read_info
    from bench.execute import build_session
    from bench.plan import make_plan
    from bench.refine.evaluate import evaluate_refiners
    from bench.registry import discover
    from bench.spec import load_suite

    registry = discover()
    totals: dict[str, list[float]] = {"epochs": [], "off": [], "on": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = folder / "suite.yaml"
        suite.write_text(SUITE, encoding="utf-8")
        read_info("digits", folder, registry)
        plan = make_plan(load_suite(str(suite), "short", registry), registry, folder)
        for spec in plan.trainings[:repeats]:
            session = build_session(spec, registry, folder, torch.device("cpu"))
            started = time.perf_counter()
            for _ in session.epochs():
                pass
            epochs = time.perf_counter() - started
            refiners = [(r, registry.create("refiner", r.name, r.params)) for r in spec.refiners]
            found = interleaved(
                {
                    "off": partial(evaluate_refiners, session, refiners[:1]),
                    "on": partial(evaluate_refiners, session, refiners),
                },
                repeats=7,
            )
            totals["epochs"].append(epochs)
            for name, seconds in found.items():
                totals[name].append(epochs + statistics.median(seconds))
    pass_ms = 1000 * (statistics.median(totals["off"]) - statistics.median(totals["epochs"]))
    yield Measure(
        "on + off over off alone, 30 epochs",
        ratio(totals, "on", "off"),
        "x",
        at_most=TRAINING_BAR,
        peak_mib=peak_mib(),
        note=f"off alone {spread(totals['off'])} s, of which its evaluation {pass_ms:.0f} ms",
    )
    yield Measure(
        "on + off over 30 epochs that nothing is evaluated after",
        ratio(totals, "on", "epochs"),
        "x",
        at_most=TRAINING_BAR,
        note="feature pass, spectra and audit included",
    )


def path(repeats: int = 5) -> Iterator[Measure]:
    """The whole path over one call of the published function."""
    n, q, n_classes = 50_000, 512, 100
    features, labels = made_up(n, q, n_classes)
    weight = torch.linalg.lstsq(features[:5000], labels[:5000]).solution
    wide = (weight.double(), features.double(), labels.double())
    middle = n_classes // 2
    runs = {
        "ours": lambda: whole_path(
            wide[0],
            zip(features.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True),
        ),
        **{f"k = {k}": partial(published, *wide, k) for k in (10, middle, 90)},
        "float32": lambda: published(weight, features, labels, middle),
        "converting": lambda: published(
            weight.double(), features.double(), labels.double(), middle
        ),
    }
    found = interleaved(runs, repeats)
    ours, theirs = runs["ours"]().weight(middle), published(*wide, middle)
    difference = float((ours - theirs).norm() / theirs.norm())
    seconds = {name: statistics.median(times) for name, times in found.items()}
    yield Measure(
        f"whole k-path over one call of the published function at k = {middle}, both in float64",
        ratio(found, "ours", "converting"),
        "x",
        at_most=PATH_BAR,
        peak_mib=peak_mib(),
        note=f"{spread(found['ours'])} s over {spread(found['converting'])} s; they differ by "
        f"{difference:.0e}",
    )
    for name, about in {
        **{f"k = {k}": f"it at k = {k} on float64 features" for k in (10, middle, 90)},
        "float32": f"it at k = {middle} in float32, which ours is not",
    }.items():
        note = f"it takes {seconds[name]:.2f} s"
        yield Measure(f"whole k-path over {about}", ratio(found, "ours", name), "x", note=note)


def stream(rows: int) -> Iterator[Measure]:
    """Memory of a million rows, in a process of its own."""
    ended = child([sys.executable, __file__, "--part", "stream-child", "--rows", str(rows)])
    found = json.loads(ended.output.splitlines()[-1])
    yield Measure(
        f"memory beyond the data, {rows:,} x 2,048 features and 100 classes",
        found["beyond_mib"],
        "MiB",
        at_most=STREAM_BAR_MIB,
        peak_mib=ended.peak_mib,
        note=f"{found['wall_s']:.0f} s for every k, {found['rows_s']:,.0f} rows/s; "
        f"the data would be {rows * 2048 * 4 / 2**30:.1f} GiB",
    )


def stream_child(rows: int) -> None:
    """Make the blocks, take them in, and print what it took."""
    q, n_classes, pool = 2048, 100, 16
    features, labels = made_up(pool * EVALUATION_BATCH, q, n_classes)
    weight = torch.linalg.lstsq(features, labels).solution.double()

    def blocks() -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(-(-rows // EVALUATION_BATCH)):
            length = min(EVALUATION_BATCH, rows - number * EVALUATION_BATCH)
            at = number % pool * EVALUATION_BATCH
            scale = 1 + number % 97 / 97  # no two passes over the pool are the same
            yield features[at : at + length] * scale, labels[at : at + length]

    before = resident_mib()
    started = time.perf_counter()
    found = whole_path(weight, blocks())
    took = time.perf_counter() - started
    if len(found.ks) != n_classes + 1 or not bool(found.scale.isfinite().all()):
        raise SystemExit("the path is not whole")
    print(json.dumps({"beyond_mib": peak_mib() - before, "wall_s": took, "rows_s": rows / took}))


def resident_mib() -> float:
    """Memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Print a row a measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=["training", "path", "stream", "stream-child"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    wanted = parser.parse_args()
    if wanted.part == "stream-child":
        stream_child(wanted.rows)
        return 0
    parts = {"training": training, "path": path, "stream": lambda: stream(wanted.rows)}
    names = [wanted.part] if wanted.part else list(parts)
    return max(report(parts[name]()) for name in names)


if __name__ == "__main__":
    sys.exit(main())

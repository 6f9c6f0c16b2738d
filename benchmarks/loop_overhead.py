"""What our loop costs beside forward, backward and optimiser step.

    python benchmarks/loop_overhead.py [--device cuda] [--repeats 9]

An epoch of cross entropy as the engine makes it (order, gather of bytes, crop and flip, normalise,
labels, mean loss) and the same steps by a bare loop over batches that were made before, in turn in
one process, with copies of one network. The figure is the share of our epoch that the bare loop
does not take, the median over pairs. Bars: 5 % on the small CNN, 2 % on PreAct-ResNet-18, whose
batches are small on a CPU so that a step takes a second and not ten.

Evaluation is no part of it. Its share is derived from what an image takes in training and in
evaluation, for the sizes of CIFAR with a tenth held out: 45,000 trained, 17,000 evaluated in
batches of 1,024, once an epoch.

What a GPU gave is in ``GPU.md``.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator

import torch
from loops import (
    BareNetwork,
    Watched,
    our_epoch,
    prepared,
    random_images,
    session,
)
from measure import Measure, interleaved, report, spread

from bench.training.context import EVALUATION_BATCH
from bench.training.session import AUDIT_SAMPLES, Session
from methods.ce import ce

BARS_PERCENT = {"small-cnn": 5.0, "preact-resnet18": 2.0}
CPU_SIZES = {"small-cnn": (128, 4, 31), "preact-resnet18": (16, 1, 21)}
GPU_SIZE = (128, 200, 9)
"""Batch, steps of an epoch, repeats. Short epochs and many pairs: two that are close in time have
the same machine."""
TRAINED, EVALUATED = 45_000, 10_000 + 5_000 + AUDIT_SAMPLES


def measures(device: torch.device, repeats: int | None) -> Iterator[Measure]:
    """Overhead and share of evaluation for each network."""
    for backbone, bar in BARS_PERCENT.items():
        batch, steps, times = GPU_SIZE if device.type == "cuda" else CPU_SIZES[backbone]
        ours = session(ce.plugin(), backbone, random_images(batch * steps), batch, device)  # type: ignore[attr-defined]
        runs = {
            "ours": Watched(lambda ours=ours: our_epoch(ours), device),
            "bare": Watched(BareNetwork(ours), device),
        }
        found = interleaved(runs, repeats or times)
        beside = [
            100 * (1 - bare / our) for our, bare in zip(found["ours"], found["bare"], strict=True)
        ]
        step = {name: [1e3 * s / steps for s in seconds] for name, seconds in found.items()}
        yield Measure(
            f"{backbone}: share of a training epoch beside the network",
            statistics.median(beside),
            "%",
            at_most=bar,
            peak_mib=runs["ours"].peak_mib,
            note=f"{spread(step['ours'])} against {spread(step['bare'])} ms a step of {batch} "
            f"images, {steps} steps, {len(beside)} pairs, {spread(beside)} %; {ours.precision}, "
            f"bare {runs['bare'].peak_mib:,.0f} MiB",
        )
        trained = statistics.median(found["ours"]) / (batch * steps)
        evaluated = seconds_an_image(ours, device, 1 if backbone != "small-cnn" else 5)
        share = EVALUATED * evaluated / (EVALUATED * evaluated + TRAINED * trained)
        yield Measure(
            f"{backbone}: share of evaluation in an epoch of CIFAR, derived",
            100 * share,
            "%",
            note=f"{1e3 * evaluated:.3g} ms an image against {1e3 * trained:.3g} in training",
        )


def seconds_an_image(trained: Session, device: torch.device, repeats: int) -> float:
    """Of predicting a batch of evaluation, the median."""
    small = trained.protocol.backbone.name == "small-cnn" or device.type == "cuda"
    share = 1 if small else 8  # a large network takes twelve seconds for the whole
    inputs = trained.train_given.inputs.at(torch.arange(EVALUATION_BATCH // share) % trained.run.n)
    predict = Watched(lambda: trained.logits(inputs), device)
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        predict()
        found.append((time.perf_counter() - started) / len(inputs))
    return statistics.median(found)


def main() -> int:
    """Print a row a measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--repeats", type=int, help="pairs that are timed")
    wanted = parser.parse_args()
    device = prepared(wanted.device)
    return report(measures(device, wanted.repeats))


if __name__ == "__main__":
    sys.exit(main())

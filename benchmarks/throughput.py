"""Images a second of our loop, over those of the loops in the field's repositories.

    python benchmarks/throughput.py [--backbones small-cnn] [--methods ce,elr] [--device cuda]

Both train the same network on the same number of images in the same batches, in turn, with the same
threads, in a process that keeps freed memory as the engine's workers do; ``field_loops.py`` has
the other loop. Ours is an epoch as the engine makes it, evaluation aside; theirs is in full swing
when the clock starts. Peak memory is of our loop; workers of the other are processes of their own.
Batches of the large networks are small on a CPU, so that a step takes a second and not ten. Images
are random bytes; half of them count as trusted in DivideMix.

Bars: 3.0 times for ``ce`` on the small CNN and on PreAct-ResNet-18, 2.5 times for the others, where
bfloat16 is multiplied natively (a GPU, AMX, AVX512-BF16). A processor that does not trains ours in
float32 as theirs, and only the layout and the loader are gained. Two rows say what the ratio for
``ce`` could be there: if our loop cost nothing beside its network, and if nothing cost anything but
the network's multiplications, at the speed of a large matrix product of that precision. Where the
second is under 3.0, no code that multiplies as often can meet that bar. No loop can do better than
the first with that network in that precision, so that the bar is a share of it: 0.85.

What a GPU gave, and where it fell short of what was predicted, is in ``GPU.md``: a host that starts
kernels slowly is the limit, not arithmetic or bytes, and captured graphs lift it.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from field_loops import FieldLoop
from loops import (
    BACKBONES,
    EPOCH,
    N_CLASSES,
    SHAPE,
    BareNetwork,
    Watched,
    our_epoch,
    prepared,
    random_images,
    session,
)
from measure import Measure, interleaved, ratio, report, spread
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import methods.dividemix as dividemix_module
from bench.api import Method
from bench.training.network import ClassifierNetwork
from bench.training.session import Session
from methods.ce import ce
from methods.co_teaching import CoTeaching
from methods.dividemix import DivideMix
from methods.elr import ELR

METHODS: dict[str, Callable[[], Method]] = {
    "ce": ce.plugin,  # type: ignore[attr-defined]
    "elr": ELR,
    "co-teaching": CoTeaching,
    "dividemix": DivideMix,
}
NETWORK_SHARE_BAR = 0.85
BARS = {("small-cnn", "ce"): 3.0, ("preact-resnet18", "ce"): 3.0}
OTHERS_BAR = 2.5
PRODUCT, PRODUCTS = 2048, 10
"""Rows of a square matrix that is multiplied with another, and how many times that is timed."""


@dataclass(frozen=True)
class Size:
    """How much is trained between two looks at the clock.

    Attributes:
        batch: images; half as many in each part of DivideMix, as its authors have it.
        steps: batches; of DivideMix, as many as fill the trusted half.
        matched: steps of DivideMix for each network.
        repeats: times that each loop is timed.
    """

    batch: int
    steps: int
    matched: int
    repeats: int


CPU_SIZES = {
    "small-cnn": Size(128, 8, 2, 5),
    "preact-resnet18": Size(16, 4, 1, 5),
    "resnet34": Size(16, 1, 1, 3),
}
GPU_SIZE = Size(128, 60, 15, 5)


def measures(
    backbones: list[str], methods: list[str], device: torch.device, repeats: int | None
) -> Iterator[Measure]:
    """One ratio for each network and method, and what the network alone would give."""
    for backbone in backbones:
        size = GPU_SIZE if device.type == "cuda" else CPU_SIZES[backbone]
        for method in methods:
            yield from compared(backbone, method, size, device, repeats or size.repeats)


def compared(
    backbone: str, method: str, size: Size, device: torch.device, repeats: int
) -> Iterator[Measure]:
    """Our loop and the field's in turn; for cross entropy the bare network as well."""
    split_in_half = method == "dividemix"
    batch = size.batch // 2 if split_in_half else size.batch
    n = 2 * batch * size.matched if split_in_half else batch * size.steps
    data = random_images(n)
    ours = session(METHODS[method](), backbone, data, batch, device)
    field = FieldLoop(
        method, float32_networks(backbone, len(ours.networks), device), data, batch, device
    )
    runs = {
        "field": Watched(field, device),
        "ours": Watched(lambda: our_epoch(ours), device),
    }
    if method == "ce":
        runs["bare"] = Watched(BareNetwork(ours), device)
    found = interleaved(runs, repeats)  # the first, which is not timed, starts the workers
    rates = {name: [n / seconds for seconds in times] for name, times in found.items()}
    bar, has_bar = BARS.get((backbone, method), OTHERS_BAR), ours.precision == "bf16"
    yield Measure(
        f"{backbone}, `{method}`: our images/s over the field's loop",
        ratio(found, "field", "ours"),
        "x",
        at_least=bar if has_bar else None,
        peak_mib=runs["ours"].peak_mib,
        note=f"{spread(rates['ours'])} against {spread(rates['field'])} images/s; batches of "
        f"{batch}, {n} images, {repeats} times, {ours.precision}; the field's "
        f"{runs['field'].peak_mib:,.0f} MiB and {field.workers} workers a loader"
        + ("" if has_bar else f"; with bfloat16 the bar would be {bar} x"),
    )
    if method == "ce":
        yield Measure(
            f"{backbone}, `ce`: the same, did our loop cost nothing beside its network",
            ratio(found, "field", "bare"),
            "x",
            peak_mib=runs["bare"].peak_mib,
            note=f"{statistics.median(rates['bare']):.4g} images/s of forward, backward and "
            f"optimiser step alone, {ours.precision}, channels last",
        )
        operations, speed = flops_an_image(ours), matrix_product_flops(ours.precision, device)
        yield Measure(
            f"{backbone}, `ce`: the same, did nothing take time but its multiplications",
            speed / operations / statistics.median(rates["field"]),
            "x",
            note=f"{operations / 1e6:.4g} MFLOP an image, at the {speed / 1e9:,.0f} GFLOP/s of a "
            f"product of {PRODUCT:,} x {PRODUCT:,} matrices, {ours.precision}",
        )
        yield Measure(
            f"{backbone}, `ce`: our images/s over those of its network alone",
            ratio(found, "bare", "ours"),
            "x",
            at_least=NETWORK_SHARE_BAR,
            note=f"{spread(rates['ours'])} images/s",
        )


def flops_an_image(ours: Session) -> float:
    """Operations of a forward and backward pass, a multiplication and an addition being two."""
    batch = next(iter(ours.run.batches(EPOCH)))
    network = copy.deepcopy(ours.networks[0]).train()
    with FlopCounterMode(display=False) as counted:
        F.cross_entropy(network(batch.x), batch.y).backward()
    return counted.get_total_flops() / len(batch.x)


def matrix_product_flops(precision: str, device: torch.device) -> float:
    """Operations a second of a large product, the best of some."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.rand(PRODUCT, PRODUCT, device=device).to(dtype) for _ in range(2))
    product = Watched(lambda: a @ b, device)
    return 2 * PRODUCT**3 / min(interleaved({"product": product}, PRODUCTS)["product"])


def float32_networks(backbone: str, count: int, device: torch.device) -> list[torch.nn.Module]:
    """The same architecture as ours in float32."""
    networks: list[torch.nn.Module] = []
    for _ in range(count):
        body, n_features = BACKBONES[backbone]().build(SHAPE)
        networks.append(ClassifierNetwork(body, n_features, N_CLASSES, "fp32").to(device))
    return networks


def trust_the_first_half() -> None:
    """Let DivideMix fit its mixture as ever, and then trust half of the samples.

    What random images make of a mixture would decide how many steps there are.
    """
    fitted = dividemix_module.clean_probability

    def half(losses: torch.Tensor) -> torch.Tensor:
        clean = fitted(losses)
        return (torch.arange(len(clean), device=clean.device) < len(clean) // 2).to(clean) * 0.9

    dividemix_module.clean_probability = half


def main() -> int:
    """Print a row a measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backbones", default=",".join(BACKBONES))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--repeats", type=int, help="times that each loop is timed")
    wanted = parser.parse_args()
    device = prepared(wanted.device)
    trust_the_first_half()
    chosen = wanted.backbones.split(","), wanted.methods.split(",")
    return report(measures(*chosen, device, wanted.repeats))


if __name__ == "__main__":
    sys.exit(main())

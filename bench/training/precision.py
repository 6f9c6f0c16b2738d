"""Which arithmetic a training uses: declared by the protocol, resolved on the machine.

Whatever is declared, weights, their gradients and optimiser, running statistics, heads and losses
are float32, and the Gram matrices of refiners float64: only what is inside the body is reduced.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

AMPERE = (8, 0)
"""The first compute capability whose tensor cores multiply bfloat16 and TensorFloat-32."""


def resolve(precision: str, device: torch.device) -> str:
    """``fp32``, ``tf32`` or ``bf16``: what ``precision`` of a protocol means on a device.

    ``auto`` takes bfloat16 where the hardware multiplies it natively, ``tf32`` is float32 where
    there is no such thing; ``bf16`` is taken literally, and emulated where it must be.
    """
    return RESOLVED[precision](device)


def settle(resolved: str, device: torch.device) -> None:
    """Let this process's convolutions on CUDA use TensorFloat-32, or not.

    torch does by default, which would make ``fp32`` a word for something else. Products of matrices
    stay float32 (torch's default): they are those of heads, losses and refiners.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = resolved == "tf32"


def same_bits_twice() -> None:
    """Let this process use only algorithms that give the same bits twice, where torch has such.

    Where it has none it warns. Memory that nobody has written to is not filled first, as torch
    would: nothing here reads such memory, and each fill is one more kernel.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _fastest(device: torch.device) -> str:
    return "bf16" if _native_bf16(device) else "fp32"


def _tf32(device: torch.device) -> str:
    return "tf32" if _tensor_cores(device) else "fp32"


RESOLVED: dict[str, Callable[[torch.device], str]] = {
    "auto": _fastest,
    "fp32": lambda device: "fp32",
    "tf32": _tf32,
    "bf16": lambda device: "bf16",
}
"""By the names in ``bench.protocol.Protocol.precision``."""


def _tensor_cores(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE


def _native_bf16(device: torch.device) -> bool:
    if device.type == "cpu":
        checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, check, bool)() for check in checks)
    return _tensor_cores(device)

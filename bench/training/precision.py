"""Which arithmetic a training uses: declared by the protocol, resolved on the machine."""

from __future__ import annotations

import torch


def resolve(precision: str, device: torch.device) -> str:
    """``fp32`` or ``bf16``. ``auto`` takes bfloat16 where the hardware multiplies it natively."""
    if precision != "auto":
        return precision
    return "bf16" if _native_bf16(device) else "fp32"


def _native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, check, bool)() for check in checks)
    return False

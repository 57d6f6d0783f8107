"""Where tensors live and in which precision convolutions train."""

from contextlib import AbstractContextManager

import torch


def best_device() -> torch.device:
    """The first CUDA device where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which a training computes its estimates.

    With `precision` "mixed" it is bfloat16 autocast on processors and GPUs that compute with bfloat16 natively; else
    float32. Prediction never uses it, so that a model gives the same points everywhere, up to rounding.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device) and precision == "mixed")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; without them it is slower than float32, up to 30 times."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

"""What the processor or the graphics card can do."""

import torch

BF16_UNITS = ("amx_bf16", "avx512_bf16")
"""Names, as PyTorch reports them, of processor instructions that multiply bfloat16 numbers."""


def why_no_bf16(device: str) -> str:
    """Why bfloat16 is no faster than float32 on ``device``; empty where it is."""
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return ""
        return "this graphics card has no bfloat16 arithmetic"
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is None:
        return "this PyTorch cannot tell whether the processor has bfloat16 arithmetic"
    if any(capabilities().get(unit, False) for unit in BF16_UNITS):
        return ""
    return f"this processor has no bfloat16 arithmetic ({' or '.join(BF16_UNITS)})"

"""What this machine has, as rows of name and value."""

import os
import platform
from importlib import metadata

_PACKAGES = (
    "fine-grained-image-retrieval",
    "torch",
    "torchvision",
    "timm",
    "pytorch-metric-learning",
    "faiss-cpu",
    "faiss-gpu",
    "openvino",
    "numpy",
    "pillow",
)


def versions() -> list[tuple[str, str]]:
    """Python and the packages that matter; those that are missing too."""
    return [("python", platform.python_version()), *((name, _version(name)) for name in _PACKAGES)]


def devices() -> list[tuple[str, str]]:
    """Processor, memory and graphics cards, and what FAISS can use."""
    import torch

    from retrieval.provenance import hardware

    found = hardware()
    return [
        ("system", f"{platform.system()} {platform.machine()}"),
        ("processor", str(found.get("processor"))),
        ("memory", f"{found.get('memory_gib', '?')} GiB"),
        ("cores", f"{os.cpu_count()}; PyTorch uses {torch.get_num_threads()}"),
        ("vector instructions", torch.backends.cpu.get_cpu_capability()),
        ("CUDA", str(found.get("graphics", "none: everything runs on the CPU"))),
        ("FAISS", _faiss()),
    ]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _faiss() -> str:
    if "not installed" not in (_version("faiss-cpu"), _version("faiss-gpu")):
        return (
            "faiss-cpu and faiss-gpu are both installed and share one folder: uninstall both, "
            "then install one"
        )
    from indexer.backends.faiss_flat import gpu_count

    count = gpu_count()
    return f"{count} GPUs" if count else "CPU"

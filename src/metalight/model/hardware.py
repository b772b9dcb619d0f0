"""Which processor computes, and with numbers of which precision."""

from pathlib import Path
from typing import Literal

import torch

from metalight.devices import check_device_name
from metalight.errors import ModelError

Precision = Literal["float32", "bf16"]


def choose_device(name: str = "auto") -> torch.device:
    """The processor of that name; `auto` takes a GPU where there is one.

    Raises:
        ModelError: The name is unknown, or this machine has no such processor.
    """
    check_device_name(name)
    kind, _, index = name.partition(":")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise ModelError("--device cuda needs an NVIDIA GPU, and PyTorch finds none here; use --device cpu.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ModelError("--device mps needs an Apple GPU, and PyTorch finds none here; use --device cpu.")
    if index and int(index) >= torch.cuda.device_count():
        raise ModelError(f"--device {name}: there are {torch.cuda.device_count()} GPUs, counted from 0.")
    return torch.device(kind, int(index)) if index else torch.device(kind)


def choose_precision(wanted: Literal["auto", "float32", "bf16"], device: torch.device) -> Precision:
    """The precision to compute with; `auto` takes bf16 only where the hardware multiplies it faster than float32."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        # Older GPUs emulate bf16, at a loss.
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu":
        abilities = torch.cpu.get_capabilities()
        return "bf16" if abilities.get("avx512_bf16") or abilities.get("amx_bf16") else "float32"
    return "float32"


def measure_free_memory(device: torch.device) -> int | None:
    """Bytes that a processor could still take for computing; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return _read_available_memory() if device.type == "cpu" else None


def _read_available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return sizes.get("MemAvailable")


def name_device(device: torch.device) -> str:
    """A name for people and for records: the GPU's own, or the number of threads of the CPU."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)

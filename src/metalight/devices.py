"""Names of processors: which `--device` accepts. Whether there is such a one, PyTorch knows."""

import re

from metalight.errors import ModelError

DEVICES = ("auto", "cpu", "cuda", "mps")
"""Names that `--device` accepts; `cuda:1` names the second of several."""


def check_device_name(name: str) -> None:
    """Refuse a name that no processor has.

    Raises:
        ModelError: It is unknown.
    """
    if name not in DEVICES and not re.fullmatch(r"cuda:[0-9]+", name):
        raise ModelError(f"--device {name} is unknown; accepted are {', '.join(DEVICES)}, and cuda:N.")

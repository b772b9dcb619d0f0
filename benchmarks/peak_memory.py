"""Peak memory of one training step of the recipes `paper` and `paper-code`, at full scale.

    python benchmarks/peak_memory.py

Each step runs in a process of its own, through the same code as a run: all layers learning, 128 × 128 pixels, random
weights (the weights' values do not matter). On a CPU, what is counted is the largest resident memory less that before
the fit; on a GPU, what torch allocated there at most.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

CASES = [(recipe, precision) for recipe in ("paper", "paper-code") for precision in ("float32", "bf16")]
GIB = 2**30


def measure_step(name: str, precision: str) -> tuple[float, float]:
    """Peak memory of the step in GiB, and seconds of the whole fit of one step."""
    import numpy as np

    from metalight.model import choose_device
    from metalight.recipe import load_recipe
    from metalight.training import TrainingData, fit_network

    one_step = ("frozen_epochs=0", "constant_epochs=1", "cycles=0", f"precision={precision}")
    changes = [f"training.{setting}" for setting in one_step]
    recipe = load_recipe(name, [*changes, "model.weights=none", "model.target_scaling=standard"])
    num_galaxies = recipe.training.batch_size
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (num_galaxies, 128, 128, 3), dtype=np.uint8)
    rows = np.arange(num_galaxies)
    data = TrainingData(rows, generator.normal(8.9, 0.2, (num_galaxies, 1)), pixels, rows)
    device = choose_device("auto")
    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    started = time.monotonic()
    fit_network(data, None, recipe.model, recipe.training, device=device)
    seconds = time.monotonic() - started
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / GIB, seconds
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / GIB, seconds


def main() -> None:
    """Measure every case, and print a table."""
    if len(sys.argv) == 3:
        print(*measure_step(*sys.argv[1:]))
        return
    print(f"{'recipe':<12}{'precision':<11}{'peak memory':>12}{'one step':>11}")
    for name, precision in CASES:
        arguments = [sys.executable, __file__, name, precision]
        ended = subprocess.run(arguments, capture_output=True, text=True, check=True)
        gib, seconds = map(float, ended.stdout.split())
        print(f"{name:<12}{precision:<11}{gib:>8.1f} GiB{seconds:>9.1f} s", flush=True)


if __name__ == "__main__":
    main()

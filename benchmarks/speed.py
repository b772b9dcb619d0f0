"""Speed of training, prediction and decoding, against plain PyTorch, fastai and Pillow.

    pip install -e '.[benchmarks]'
    python benchmarks/speed.py [--rounds 7] [--only training] [-o benchmarks/speed.json]

Every contestant is a process of its own with the same network, galaxies and batches (`speed_contestants.py`). After a
round that is not counted they take turns, one round each, so that what else the machine does falls on all of them. A
ratio is the median over the rounds of the ratios within a round; behind it stand the smallest and the largest. Peak
memory is the largest resident memory of the process, with all that it imported.
"""

import argparse
import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median

from speed_contestants import CONTESTS

_LIBRARIES = ("torch", "timm", "lightning", "fastai", "pillow", "simplejpeg")


@dataclass
class Result:
    """What one contestant did."""

    name: str
    rates: list[float] = field(default_factory=list)
    """Images a second, by round."""
    peak_mib: float = 0.0


class _Contestant:
    def __init__(self, task: str, name: str) -> None:
        self.result = Result(name)
        program = [sys.executable, str(Path(__file__).with_name("speed_contestants.py")), task, name]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do_round(self, *, is_counted: bool = True) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"'{self.result.name}' ended early; its error stands above.")
        rate, self.result.peak_mib = map(float, line.split())
        if is_counted:
            self.result.rates.append(rate)

    def end(self) -> None:
        self._process.communicate()


def run_contest(task: str, num_rounds: int) -> list[Result]:
    """Let the contestants of a task take turns."""
    contestants = []
    for name in CONTESTS[task]:
        contestants.append(_Contestant(task, name))
        contestants[-1].do_round(is_counted=False)
    for _ in range(num_rounds):
        for contestant in contestants:
            contestant.do_round()
    for contestant in contestants:
        contestant.end()
    return [contestant.result for contestant in contestants]


def format_contest(task: str, results: list[Result]) -> str:
    """A table of one task."""
    lines = [f"{task:<28}{'images/s':>9}{'ours is':>9}{'from':>7}{'to':>7}{'memory':>12}"]
    ours = results[0]
    for result in results:
        ratios = [own / other for own, other in zip(ours.rates, result.rates, strict=True)]
        compared = f"{median(ratios):>8.2f}×{min(ratios):>7.2f}{max(ratios):>7.2f}" if result is not ours else " " * 23
        lines.append(f"  {result.name:<26}{median(result.rates):>9.1f}{compared}{result.peak_mib:>8.0f} MiB")
    return "\n".join(lines)


def describe_machine() -> dict[str, object]:
    """What the figures depend on, beside the code."""
    import torch

    abilities = torch.cpu.get_capabilities()
    return {
        "processor": f"{abilities.get('cpu_name', platform.machine())}, {torch.get_num_threads()} threads",
        "instructions": [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16") if abilities.get(name)],
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
    }


def main() -> None:
    """Measure every task, and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=list(CONTESTS), action="append")
    parser.add_argument("-o", "--output", type=Path, help="JSON of all rounds")
    arguments = parser.parse_args()
    machine = describe_machine()
    print(f"{machine['processor']}, {' '.join(machine['instructions'])}\n")  # type: ignore[arg-type]
    contests = {}
    for task in arguments.only or CONTESTS:
        results = run_contest(task, arguments.rounds)
        contests[task] = [asdict(result) for result in results]
        print(f"{format_contest(task, results)}\n", flush=True)
        if arguments.output is not None:
            arguments.output.write_text(json.dumps({"machine": machine, "contests": contests}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Soak: the same numbers with the kernels of OpenBLAS for other processors, and with other numbers of threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

_TESTS = Path(__file__).parent
_REPEATED = [
    "test_same_numbers.py",
    "test_aperture_numbers.py",
    "test_baselines_stage.py::test_measuring_goes_on_part_by_part",
]

_LIST_KERNELS = """
import json, numpy, scipy.linalg
from threadpoolctl import threadpool_info
print(json.dumps(sorted({each["architecture"] for each in threadpool_info() if each["internal_api"] == "openblas"})))
"""


def set_up(kernel: str, num_threads: int) -> dict[str, str]:
    """The environment of a process that asks for a kernel; OpenBLAS may run another one."""
    threads = {name: str(num_threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {**os.environ, **threads, "OPENBLAS_CORETYPE": kernel}


def require_kernel(environment: dict[str, str]) -> None:
    """Skip a test unless the processor runs the kernel that the environment asks for."""
    kernel = environment["OPENBLAS_CORETYPE"]
    ran = subprocess.run([sys.executable, "-c", _LIST_KERNELS], env=environment, capture_output=True, text=True)
    if ran.returncode < 0:
        pytest.skip(f"this processor lacks instructions of the kernel {kernel}: signal {-ran.returncode}")
    kernels = json.loads(ran.stdout)
    if kernels != [kernel]:
        pytest.skip(f"asked for the kernel {kernel}, OpenBLAS runs {' and '.join(kernels) or 'none'} here")


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("kernel", ["Haswell", "SkylakeX", "Zen"])
def test_numbers_do_not_depend_on_their_parts_with_any_kernel(kernel: str, num_threads: int) -> None:
    environment = set_up(kernel, num_threads)
    require_kernel(environment)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *_REPEATED]
    ran = subprocess.run(words, cwd=_TESTS, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]

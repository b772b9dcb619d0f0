"""Whether cutouts are fetched at the polite rate, and in how much memory.

    python benchmarks/download.py [--few 1000] [--many 5000] [--paced 300]

A server on loopback gives simulated cutouts at the address of SkyServer's ImgCutout, and notes when each is asked for.
First, galaxies are fetched at the default of 10 requests a second: printed are the rate and the most in any second, by
the server's clock. Then few and many are fetched without a limit, each in a process of its own: printed are the peaks
of memory, and the rate, which shows what the client could do. No service allows that.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metalight.cutouts import SkyServer, download_cutouts
from metalight.recipe import NetworkSettings
from metalight.simulation import SurveyDesign, simulate_survey

SIDE = 128
_DRAWN = 50


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: Any

    def do_GET(self) -> None:
        self.server.times.append(time.monotonic())
        picture = self.server.pictures[len(self.server.times) % _DRAWN]
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(picture)))
        self.end_headers()
        self.wfile.write(picture)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serve_pictures(folder: Path) -> Iterator[tuple[str, list[float]]]:
    """The base address of a server of simulated cutouts, and the times at which it is asked, seconds."""
    simulate_survey(_DRAWN, folder / "survey", SurveyDesign(seed=9, side=SIDE))
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.times = []
    server.pictures = [path.read_bytes() for path in sorted((folder / "survey" / "images").glob("*.jpg"))]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.times
    finally:
        server.shutdown()
        server.server_close()


def fetch(num_galaxies: int, url: str, folder: Path, network: NetworkSettings) -> float:
    """Seconds in which so many are fetched, checked and stored."""
    ra = np.linspace(10, 350, num_galaxies)
    object_ids = np.arange(num_galaxies) + 1_237_648_720_000_000_000
    galaxies = pd.DataFrame({"object_id": object_ids, "ra": ra, "dec": 0.0, "frame_arcsec": 25.6})
    began = time.perf_counter()
    report = download_cutouts(galaxies, SkyServer(SIDE, base_url=url), folder, network)
    if len(report.fetched) != num_galaxies:
        sys.exit(f"{len(report.refused)} galaxies were refused: {report.refused['reason'].iloc[0]}")
    return time.perf_counter() - began


def fetch_and_tell(num_galaxies: int, url: str) -> None:
    """Fetch without a limit; print the peak of memory in MiB, and the galaxies a second."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = fetch(num_galaxies, url, Path(folder), NetworkSettings(requests_per_second=0))
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    peak_mib = int(peak[1]) / 1024 if peak else float("nan")
    rate = num_galaxies / seconds
    print(f"{num_galaxies:,} galaxies without a limit: at most {peak_mib:.0f} MiB, {rate:.0f} a second")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=5000)
    parser.add_argument("--paced", type=int, default=300)
    parser.add_argument("--of-process", nargs=2, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.of_process:
        fetch_and_tell(int(options.of_process[0]), options.of_process[1])
        return
    with tempfile.TemporaryDirectory() as temporary, serve_pictures(Path(temporary)) as (url, times):
        fetch(options.paced, url, Path(temporary) / "paced", NetworkSettings())
        asked = np.sort(times)
        most = int(np.max(np.searchsorted(asked, asked + 1.0) - np.arange(len(asked))))
        rate = (len(asked) - 1) / np.ptp(asked)
        print(f"at the default pace: {rate:.2f} requests a second, at most {most} in any second", flush=True)
        for number in (options.few, options.many):
            subprocess.run([sys.executable, __file__, "--of-process", str(number), url], check=True)


if __name__ == "__main__":
    main()

"""How fast cutouts are fetched, checked, hashed and stored: against curl, which only writes the same files to disk.

    python benchmarks/download.py [--galaxies 40000] [--connections 8] [--rounds 5] [--paced 200] [--folder FOLDER]

nginx (`apt-get install nginx-light`) serves simulated cutouts from files on loopback, at the addresses of SkyServer's
ImgCutout. In each round curl and metalight fetch the same addresses with as many connections, one after the other, in
turn first, after one round that does not count; told are the ratio of their rates, with its range over the rounds, and
what two curls reach together, which shows whether the server is the limit. Then what an image costs is told piece by
piece, in time of one core, and so many galaxies are fetched at the default of 10 a second, where the rate at which
requests begin is told by the server's log.

curl makes a file for each image, at a price that depends on the disk, and on what was written to it lately: of a few
thousand files it varies fourfold. `--folder /dev/shm` takes the disk out of it.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.cutouts import SkyServer, download_cutouts
from metalight.cutouts.checks import GOOD
from metalight.cutouts.wanted import list_wanted
from metalight.recipe import NetworkSettings
from metalight.simulate import SurveyDesign, simulate_survey
from metalight.store import AskedCutout, CutoutFile, CutoutStore
from metalight.web import Errand, Request, WebClient, join_query

Rates = npt.NDArray[np.float64]

SIDE = 128
_DRAWN = 500
_CONFIGURATION = """
worker_processes 1; daemon on; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  log_format times '$msec'; access_log {folder}/access.log times buffer=64k flush=1s;
  sendfile on; tcp_nodelay on; keepalive_requests 10000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}; root {folder}/files;
    location ~* getjpeg$ {{ default_type image/jpeg; rewrite ^ /$arg_ra.jpg break; }}
  }}
}}
"""


@contextlib.contextmanager
def serve_files(folder: Path, port: int) -> Iterator[str]:
    """The base address of an nginx that serves `folder`/files by right ascension."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port))
    command = [program, "-p", str(folder), "-c", str(configuration)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        subprocess.run([*command, "-s", "stop"], check=True, capture_output=True)


def make_files(folder: Path, num_galaxies: int) -> pd.DataFrame:
    """Galaxies of a catalogue, and for each a file named by its right ascension as it is asked for."""
    simulate_survey(_DRAWN, folder / "survey", SurveyDesign(seed=9, side=SIDE))
    images = sorted((folder / "survey" / "images").glob("*.jpg"))
    (folder / "files").mkdir()
    ra = np.round(np.linspace(10, 350, num_galaxies), 6)
    for number, degrees in enumerate(ra):
        shutil.copy(images[number % len(images)], folder / "files" / f"{degrees:.9f}.jpg")
    numbers = np.arange(num_galaxies) + 1_237_648_720_000_000_000
    return pd.DataFrame({"object_id": numbers, "ra": ra, "dec": 0.0, "frame_arcsec": 25.6})


def list_addresses(galaxies: pd.DataFrame, url: str, output: Path) -> str:
    """What curl reads: the very addresses that metalight asks for, and a file for each."""
    path = f"{url}/dr18/SkyServerWS/ImgCutout/getjpeg"
    lines = []
    for object_id, ra in zip(galaxies["object_id"], galaxies["ra"], strict=True):
        query = f"ra={ra:.9f}&dec=0.000000000&scale=0.20000000&width={SIDE}&height={SIDE}&opt="
        lines.append(f'url = "{path}?{query}"\noutput = "{output}/{object_id}.jpg"\n')
    return "".join(lines)


def time_curl(galaxies: pd.DataFrame, url: str, folder: Path, connections: int, *, num_curls: int = 1) -> float:
    """Files a second that so many curls fetch together."""
    command = ["curl", "--silent", "--parallel", "--parallel-max", str(connections), "--parallel-immediate", "-K"]
    lists = []
    for number, part in enumerate(np.array_split(np.arange(len(galaxies)), num_curls)):
        output = folder / f"curl-{number}"
        output.mkdir()
        lists.append(folder / f"curl-{number}.txt")
        lists[-1].write_text(list_addresses(galaxies.iloc[part], url, output))
    started = time.perf_counter()
    running = [
        subprocess.Popen([*command, str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for file in lists
    ]
    if any(process.wait() for process in running):
        sys.exit("curl failed")
    seconds = time.perf_counter() - started
    num_files = 0
    for number in range(num_curls):
        num_files += len(list((folder / f"curl-{number}").iterdir()))
        shutil.rmtree(folder / f"curl-{number}")
    if num_files != len(galaxies):
        sys.exit(f"curl fetched {num_files} files of {len(galaxies)}")
    return len(galaxies) / seconds


def time_metalight(galaxies: pd.DataFrame, url: str, folder: Path, network: NetworkSettings) -> float:
    """Images a second that are fetched, checked, hashed and stored."""
    started = time.perf_counter()
    report = download_cutouts(galaxies, SkyServer(SIDE, base_url=url), folder / "store", network)
    seconds = time.perf_counter() - started
    if len(report.fetched) != len(galaxies):
        sys.exit(f"{len(report.refused)} galaxies were refused: {report.refused['reason'].iloc[0]}")
    shutil.rmtree(folder / "store")
    return len(galaxies) / seconds


def measure_pieces(galaxies: pd.DataFrame, url: str, folder: Path, network: NetworkSettings) -> dict[str, float]:
    """What each piece of the work costs, in microseconds of one core for an image; that of the server is its own."""
    service = SkyServer(SIDE, base_url=url)
    wanted = list_wanted(galaxies, service)
    columns = (wanted[name].tolist() for name in AskedCutout.__slots__)
    asked = [AskedCutout(*row) for row in zip(*columns, strict=True)]
    requests = [service.build_requests(one)[0] for one in asked]
    before, began = measure_server(folder), time.process_time()
    with WebClient(network) as client:
        errands = [
            Errand([Request(join_query(request.url, request.parameters), lambda answer: GOOD, 10**6, 60.0)])
            for request in requests
        ]
        answers = [errand.outcomes[0].answer for ended in client.fetch_each(errands) for errand in ended]
    pieces = {"asking and reading the answer": time.process_time() - began}
    server_s = measure_server(folder) - before
    answers = [answer for answer in answers if answer is not None]
    store = CutoutStore(folder / "pieces")
    with pieces_of(pieces, "checking"):
        for one, answer in zip(asked, answers, strict=True):
            service.judge(answer, one)
    with pieces_of(pieces, "hashing"):
        digests = [hashlib.sha256(answer.body).hexdigest() for answer in answers]
    now = datetime.now(UTC)
    files = [
        CutoutFile(one, answer.body, digest, answer.url, now)
        for one, answer, digest in zip(asked, answers, digests, strict=True)
    ]
    with pieces_of(pieces, "storing"):
        for first in range(0, len(files), 512):
            store.add_files(files[first : first + 512])
    with pieces_of(pieces, "looking through the store in the end"):
        store.find_files(wanted)
    shutil.rmtree(folder / "pieces")
    began = time.process_time()
    time_metalight(galaxies, url, folder, network)
    pieces["all of it"] = time.process_time() - began
    pieces["the server, beside it"] = server_s
    return {name: 1e6 * seconds / len(galaxies) for name, seconds in pieces.items()}


@contextlib.contextmanager
def pieces_of(pieces: dict[str, float], name: str) -> Iterator[None]:
    """A block whose processor time, in seconds, is noted under a name."""
    began = time.process_time()
    yield
    pieces[name] = time.process_time() - began


def measure_server(folder: Path) -> float:
    """Processor time of nginx so far, seconds."""
    first = int((folder / "nginx.pid").read_text())
    seconds = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == first:
                seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def measure_pace(galaxies: pd.DataFrame, url: str, folder: Path) -> float:
    """Requests a second at the default settings, by the server's clock."""
    time.sleep(2)  # what is left of the rounds before is written to the log
    (folder / "access.log").write_text("")
    time_metalight(galaxies, url, folder, NetworkSettings())
    time.sleep(2)
    times = np.array((folder / "access.log").read_text().split(), dtype=float)
    return float((len(times) - 1) / np.ptp(times))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=40_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--paced", type=int, default=200)
    parser.add_argument("--port", type=int, default=8471)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    network = NetworkSettings(requests_per_second=0.0, connections=options.connections)
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)  # nginx may work as another user
        galaxies = make_files(folder, options.galaxies)
        with serve_files(folder, options.port) as url:
            ours, curl, two = [], [], []
            for number in range(options.rounds + 1):
                for is_ours in (True, False) if number % 2 else (False, True):
                    if is_ours:
                        ours.append(time_metalight(galaxies, url, folder, network))
                    else:
                        curl.append(time_curl(galaxies, url, folder, options.connections))
                two.append(time_curl(galaxies, url, folder, options.connections, num_curls=2))
            tell_rates(*(np.array(rates[1:]) for rates in (ours, curl, two)))
            print("an image costs, in microseconds of one core:")
            for name, microseconds in measure_pieces(galaxies, url, folder, network).items():
                print(f"  {name:<38}{microseconds:6.1f}")
            if options.paced:
                paced = measure_pace(galaxies[: options.paced], url, folder)
                print(f"{'at the default pace':<28}{paced:8.2f} requests a second")


def tell_rates(ours: Rates, curl: Rates, two: Rates) -> None:
    """Print rates of the rounds, and their ratios."""
    ratios, twos = ours / curl, two / curl
    for name, rates, words in (
        ("curl --parallel", curl, "files a second"),
        ("two curls together", two, f"files a second, {np.median(twos):.2f} times one"),
        ("metalight", ours, "images a second, fetched, checked, hashed and stored"),
    ):
        print(f"{name:<20}{np.median(rates):8.0f} ({rates.min():.0f}–{rates.max():.0f}) {words}")
    print(f"{'ratio to one curl':<20}{np.median(ratios):8.2f} ({ratios.min():.2f}–{ratios.max():.2f})")


if __name__ == "__main__":
    main()

"""Promises of the way from a query to cutouts on disk, against the stand-in: nothing is lost, whatever goes wrong."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import simplejpeg

from call import succeed
from make import FIRST_ID, make_blobs
from metalight.stand_in import FAULTS, LASTING, OF_QUERIES, Faults, StandIn, serve
from metalight.store import FileReader

SIDE = 64
_IMAGES_AT_A_TIME = 500

_RECIPE = f"""
preset = "demo"
cutouts.side = {SIDE}
cutouts.source = "sdss"
network.first_wait_s = 0.01
"""


def make_sky(folder: Path, num_galaxies: int) -> set[int]:
    """A folder that the stand-in serves, in which no image is like another; the galaxies' identifiers."""
    object_ids = FIRST_ID + np.arange(num_galaxies)
    (folder / "images").mkdir(parents=True)
    metallicities = []
    for first in range(0, num_galaxies, _IMAGES_AT_A_TIME):
        some = object_ids[first : first + _IMAGES_AT_A_TIME]
        images, metallicity = make_blobs(len(some), SIDE, seed=first)
        metallicities.append(metallicity)
        for object_id, image in zip(some.tolist(), images, strict=True):
            (folder / "images" / f"{object_id}.jpg").write_bytes(simplejpeg.encode_jpeg(image, quality=90))
    # Values of SDSS that are made up may fail a cut; these do not.
    columns = {"objID": object_ids, "oh_p50": np.concatenate(metallicities), "rChi2": 1.0, "modelMagErr_r": 0.01}
    pd.DataFrame(columns).to_csv(folder / "catalog.csv", index=False)
    return set(object_ids.tolist())


LASTING_SHARES = dict.fromkeys(LASTING, 0.01)
PASSING = [kind for kind in FAULTS if kind not in (*LASTING, *OF_QUERIES)]
PASSING_SHARES = {kind: 0.3 / len(PASSING) for kind in PASSING}
"""30 % of the answers."""


def list_arguments(sky: Path, server: StandIn, run_dir: Path, stage: str, num_galaxies: int) -> list[object]:
    settings = {
        "skyserver.base_url": server.url,
        "skyserver.page_size": max(20, num_galaxies // 20),
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return ["run", sky / "recipe.toml", "--run-dir", run_dir, "--only", stage, *words]


def run_killed(server: StandIn, arguments: list[object], moments: list[int]) -> None:
    """Give a command again and again, killed when the server has answered so many times, and once more to its end.

    Args:
        server: That the command asks.
        arguments: The command.
        moments: Numbers of answers, ascending, at most as many as the command needs.
    """
    before = sum(server.counts.values())
    for moment in moments:
        with start(arguments) as process:
            while sum(server.counts.values()) < before + moment:
                assert process.poll() is None, process.communicate()
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert process.returncode == -signal.SIGKILL
    with start(arguments) as process:
        output, _ = process.communicate()
        assert process.returncode == 0, output


def start(arguments: list[object]) -> "subprocess.Popen[str]":
    """The command line with small parts, in a process of its own."""
    program = [sys.executable, str(Path(__file__).with_name("kill_at.py")), "never"]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([*program, *map(str, arguments)], text=True, **pipes)


def read_images(run_dir: Path) -> dict[int, bytes]:
    reader, fetched = FileReader(run_dir / "cutouts"), pd.read_parquet(run_dir / "cutouts.parquet")
    rows = zip(fetched["object_id"].tolist(), fetched["path"].tolist(), strict=True)
    return {object_id: reader.read(path) for object_id, path in rows}


def list_stored(run_dir: Path, kind: str) -> list[int]:
    """Every row of the store, also those that no table names."""
    paths = (run_dir / "cutouts").glob(f"{kind}-*.parquet")
    return sorted(pd.concat([pd.read_parquet(path, columns=["object_id"]) for path in paths])["object_id"].tolist())


@pytest.mark.parametrize(
    ("num_galaxies", "num_kills"), [(500, 3), pytest.param(20_000, 10, marks=pytest.mark.soak, id="20,000-10")]
)
def test_killed_at_random_among_faults_of_every_kind_the_whole_way_ends_as_a_clean_one(
    tmp_path: Path, num_galaxies: int, num_kills: int
) -> None:
    sky, clean, killed = (tmp_path / name for name in ("sky", "clean", "killed"))
    object_ids = make_sky(sky, num_galaxies)
    (sky / "recipe.toml").write_text(_RECIPE)
    with serve(sky, faults=Faults(LASTING_SHARES)) as server:
        for stage in ("catalog", "cutouts"):
            succeed(*list_arguments(sky, server, clean, stage, num_galaxies))

    generator = random.Random(num_galaxies)
    faults = Faults(LASTING_SHARES | PASSING_SHARES, retry_after_s=0, drip_s=0.05)
    started = time.monotonic()
    with serve(sky, faults=faults) as server:
        num_in_catalog = max(1, num_kills // 5)
        for stage, most, number in (
            ("catalog", 20, num_in_catalog),
            ("cutouts", num_galaxies, num_kills - num_in_catalog),
        ):
            moments = sorted(generator.sample(range(1, most), number))
            run_killed(server, list_arguments(sky, server, killed, stage, num_galaxies), moments)
        counts = server.counts
    num_wrong = sum(counts[kind] for kind in PASSING_SHARES)
    print(
        f"{time.monotonic() - started:.0f} s, {sum(counts.values()):,} answers, of which {num_wrong:,} wrong: {counts}"
    )
    assert {*PASSING, *LASTING} <= set(counts)
    assert 0.25 < num_wrong / sum(counts.values()) < 0.35

    for name in ("catalog.parquet", "cuts.csv", "refused/catalog.csv", "refused/cutouts.csv"):
        assert (killed / name).read_bytes() == (clean / name).read_bytes(), name
    tables = [pd.read_parquet(run_dir / "cutouts.parquet") for run_dir in (killed, clean)]
    # Which part an image is in depends on when it came.
    assert tables[0].drop(columns="path").equals(tables[1].drop(columns="path"))
    images = read_images(killed)
    assert images == read_images(clean)
    assert images == {object_id: (sky / f"images/{object_id}.jpg").read_bytes() for object_id in images}

    refused = pd.read_csv(killed / "refused/cutouts.csv")
    assert set(refused["kind"]) == {"outside_footprint", "invalid_image"}
    assert refused["reason"].str.contains("footprint|exactly black").all()
    selected = pd.read_parquet(killed / "catalog.parquet")["object_id"].tolist()
    assert set(selected) == object_ids
    assert sorted([*images, *refused["object_id"]]) == sorted(selected)
    assert list_stored(killed, "part") == sorted(images)
    assert list_stored(killed, "refused") == sorted(refused["object_id"])


_FEW, _MANY = 10_000, 100_000
_MOST_BYTES_A_GALAXY = 1000
"""By which memory may grow: what is asked for and what came of it are tables, of about 700 bytes a galaxy as they are
put together at the end. An image has four times as many, so that none can be kept."""

_TELLS_ITS_PEAK = """
import re
from pathlib import Path
from metalight.cli import main
try:
    main()
finally:
    print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def make_sky_of_few_images(folder: Path, num_galaxies: int) -> None:
    """A folder that the stand-in serves, where files of many galaxies are links to the same few images."""
    object_ids = FIRST_ID + np.arange(num_galaxies)
    (folder / "images").mkdir(parents=True)
    images, _ = make_blobs(20, 128)
    for number, image in enumerate(images):
        (folder / f"{number}.jpg").write_bytes(simplejpeg.encode_jpeg(image, quality=92))
    for place, object_id in enumerate(object_ids.tolist()):
        os.link(folder / f"{place % len(images)}.jpg", folder / "images" / f"{object_id}.jpg")
    generator = np.random.default_rng(0)
    columns = {
        "objID": object_ids,
        "oh_p50": generator.uniform(8.3, 9.2, num_galaxies).round(4),
        "ra": generator.uniform(120, 240, num_galaxies).round(8),
        "dec": generator.uniform(0, 60, num_galaxies).round(8),
        "petroR90_r": 5.0,
    }
    pd.DataFrame(columns).to_csv(folder / "catalog.csv", index=False)


@pytest.mark.soak
def test_the_peak_of_memory_hardly_grows_with_the_number_of_galaxies(tmp_path: Path) -> None:
    sky = tmp_path / "sky"
    make_sky_of_few_images(sky, _MANY)
    assert (sky / "0.jpg").stat().st_size > 2.5 * _MOST_BYTES_A_GALAXY
    peaks: dict[int, int] = {}
    with serve(sky) as server:
        (tmp_path / "recipe.toml").write_text(
            f"""
            preset = "demo"
            catalog.path = "{sky}/catalog.csv"
            skyserver.base_url = "{server.url}"
            cutouts.side = 128
            """
        )
        for num_galaxies in (_FEW, _MANY):
            started = time.monotonic()
            for stage in ("catalog", "cutouts"):
                words = ["run", tmp_path / "recipe.toml", "--run-dir", tmp_path / f"run-{num_galaxies}"]
                words += ["--only", stage, "--limit", num_galaxies]
                command = [sys.executable, "-c", _TELLS_ITS_PEAK, *map(str, words)]
                output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            assert f"{num_galaxies:,} fetched now with {num_galaxies:,} requests" in output
            peaks[num_galaxies] = 1024 * int(output.splitlines()[-1])
            print(
                f"{num_galaxies:,}: {time.monotonic() - started:.0f} s, at most {peaks[num_galaxies] / 2**20:.0f} MiB"
            )
    growth = (peaks[_MANY] - peaks[_FEW]) / (_MANY - _FEW)
    print(f"{growth:.0f} bytes a galaxy more")
    assert growth < _MOST_BYTES_A_GALAXY
    # pytest keeps what tests leave; these would be hundreds of thousands of files.
    shutil.rmtree(tmp_path)

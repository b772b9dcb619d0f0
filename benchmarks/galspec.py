"""Time and memory of the selection from galSpec files of full size.

    python benchmarks/galspec.py [--rows 1843200] [--folder FOLDER] [--rounds 3]

Written are the four files with as many rows, and as many bytes a row, as those of DR8 (4.3 GB), specObj (400 bytes a
row, a guess) and a Parquet table of photometry with a row for each spectrum that has a result. What the columns hold is
made up; what is not needed is padding.

The selection is all of `select_galspec`. Beside it stands the time that astropy needs for no more than reading the
columns used from the five files, each copied: `numpy.array(fits.open(path, memmap=True)[1].data[name])`. Each is
measured in a process of its own, one after the other, on files that have just been read; the best of the rounds counts.
Peak memory is the largest resident size of the process, with Python and the libraries, and with the pages of the file
where it is mapped.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

FULL_ROWS = 1_843_200
ROLES = ("info", "extra", "line", "indx", "spec_obj")


def write_files(folder: Path, num_rows: int) -> None:
    """All files, in pieces."""
    from make_galspec import FILES, Writer, make_pieces, write_photometry

    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                Writer(folder / f"{FILES.get(role, 'specObj')}-dr8.fits", role, num_rows, is_padded=True)
            )
            for role in ROLES
        ]
        for piece in make_pieces(num_rows):
            for writer in writers:
                writer.write(piece)
    write_photometry(folder / "photometry.parquet", make_pieces(num_rows))


def run_selection(folder: Path) -> str:
    """Select, and say of how many what was found."""
    from metalight.catalog import compute_label_noise
    from metalight.catalog.galspec import select_galspec

    started = time.monotonic()
    found = select_galspec(folder, folder / "photometry.parquet")
    seconds = time.monotonic() - started
    noise = compute_label_noise(found.repeats, num_bootstrap=200)
    print(f"{len(found.table.frame)} galaxies, label noise {noise.plain_dex.value:.4f} dex", file=sys.stderr)
    return f"{seconds}"


def run_astropy(folder: Path) -> str:
    """Read the columns used."""
    import numpy as np
    from astropy.io import fits

    from make_galspec import FILES
    from metalight.catalog.galspec.columns import FILE_COLUMNS

    keys = {"info": ["SPECOBJID", "PLATEID", "MJD", "FIBERID", "RA", "DEC"]}
    keys["spec_obj"] = ["SPECOBJID", "PLATE", "MJD", "FIBERID", "SCIENCEPRIMARY", "BESTOBJID"]
    kept = []
    started = time.monotonic()
    for role in ROLES:
        with fits.open(folder / f"{FILES.get(role, 'specObj')}-dr8.fits", memmap=True) as units:
            data = units[1].data
            kept += [np.array(data[name]) for name in [*keys.get(role, ["SPECOBJID"]), *FILE_COLUMNS[role]]]
            del data
    return f"{time.monotonic() - started}"


def measure(what: str, folder: Path) -> tuple[float, float]:
    """Seconds and GiB of a process of its own."""
    arguments = [sys.executable, __file__, "--only", what, "--folder", str(folder)]
    ended = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
    seconds, gib = map(float, ended.stdout.split())
    return seconds, gib


def compare(folder: Path, num_rows: int, rounds: int) -> None:
    """Write, measure both in turn, and print a table."""
    started = time.monotonic()
    write_files(folder, num_rows)
    gib = sum(path.stat().st_size for path in folder.iterdir()) / 2**30
    print(f"{num_rows:,} rows, {gib:.1f} GiB, written in {time.monotonic() - started:.0f} s", flush=True)
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass
    measured = [(measure("astropy", folder), measure("selection", folder)) for _ in range(rounds)]
    print(f"{'':<12}{'seconds':>9}{'peak memory':>14}")
    best = []
    for name, results in zip(("astropy", "selection"), zip(*measured, strict=True), strict=True):
        seconds, peak = min(result[0] for result in results), max(result[1] for result in results)
        best.append(seconds)
        print(f"{name:<12}{seconds:>9.1f}{peak:>10.2f} GiB")
    ratios = ", ".join(f"{selection[0] / astropy[0]:.2f}" for astropy, selection in measured)
    print(f"selection / astropy: {best[1] / best[0]:.2f} (round by round: {ratios})")


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=FULL_ROWS)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where there is room")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("selection", "astropy"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        seconds = (run_selection if chosen.only == "selection" else run_astropy)(chosen.folder)
        # Not ru_maxrss, which a process inherits from the one that started it.
        status = Path("/proc/self/status").read_text().split()
        print(seconds, int(status[status.index("VmHWM:") + 1]) / 2**20)
        return
    folder = Path(tempfile.mkdtemp(prefix="galspec-", dir=chosen.folder))
    try:
        compare(folder, chosen.rows, chosen.rounds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

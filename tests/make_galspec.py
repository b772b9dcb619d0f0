"""galSpec files, specObj and a photometry table as SDSS and its users write them, of spectra whose truth is known.

Spectra are made in pieces, each from the seed and its own number, so that files of any length take no memory. Repeats
are of a galaxy of the same piece.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits

FILES = {"info": "galSpecInfo", "extra": "galSpecExtra", "line": "galSpecLine", "indx": "galSpecIndx"}
ROW_BYTES = {"info": 197, "extra": 184, "line": 922, "indx": 1031, "spec_obj": 400}
"""Of the four files of DR8: their sizes, 364 MB, 339 MB, 1.7 GB and 1.9 GB, over 1,843,200 rows."""

ROWS_AT_ONCE = 25_600
LABEL_NOISE_DEX = 0.05

_PERCENTILES = ("P2P5", "P16", "P50", "P84", "P97P5")
_LINES = ("H_ALPHA", "H_BETA", "NII_6584", "OIII_5007", "H_DELTA")
_LINE_COLUMNS = tuple(f"{line}_FLUX{error}" for line in _LINES for error in ("", "_ERR"))
_KEYS = {"PLATEID": "I", "MJD": "J", "FIBERID": "I"}
COLUMNS: dict[str, dict[str, str]] = {
    "info": {
        **{"SPECOBJID": "22A", **_KEYS, "RA": "E", "DEC": "E", "TARGETTYPE": "19A", "SPECTROTYPE": "6A"},
        **{"SUBCLASS": "21A", "Z": "E", "Z_ERR": "E", "Z_WARNING": "J", "V_DISP": "E", "V_DISP_ERR": "E"},
        **{"SN_MEDIAN": "E", "E_BV_SFD": "E", "RELIABLE": "I"},
    },
    "extra": {
        **{"SPECOBJID": "22A", "BPTCLASS": "J"},
        **{f"OH_{name}": "E" for name in _PERCENTILES},
        **{f"{stem}_{name}": "E" for stem in ("LGM_TOT", "SFR_TOT", "LGM_FIB", "SFR_FIB") for name in _PERCENTILES},
    },
    "line": {"SPECOBJID": "22A", **dict.fromkeys(_LINE_COLUMNS, "E")},
    "indx": {"SPECOBJID": "22A", "D4000_N": "E", "D4000_N_ERR": "E"},
    "spec_obj": {
        **{"SPECOBJID": "22A", "BESTOBJID": "19A", "PLATE": "J", "MJD": "J", "FIBERID": "J", "CLASS": "6A"},
        **{"SUBCLASS": "21A", "SCIENCEPRIMARY": "I", "RCHI2": "E", "PLUG_RA": "D", "PLUG_DEC": "D"},
    },
}
"""By role of the file: its columns and their formats, apart from the padding up to `ROW_BYTES`."""


def make_spectra(num_rows: int, seed: int = 0, *, repeated: float = 0.1) -> pd.DataFrame:
    """All spectra at once: the columns of all files, and the truth in columns of small letters."""
    return pd.concat(list(make_pieces(num_rows, seed, repeated=repeated)), ignore_index=True)


def make_pieces(num_rows: int, seed: int = 0, *, repeated: float = 0.1) -> Iterator[pd.DataFrame]:
    for number, first in enumerate(range(0, num_rows, ROWS_AT_ONCE)):
        yield _make_piece(first, min(ROWS_AT_ONCE, num_rows - first), np.random.default_rng([seed, number]), repeated)


def _make_piece(first: int, num_rows: int, generator: np.random.Generator, repeated: float) -> pd.DataFrame:
    row = np.arange(first, first + num_rows)
    plate, fibre = 266 + row // 640, row % 640 + 1
    mjd = 51_602 + plate % 1000
    # The galaxy of each spectrum is its own row, or that of an earlier spectrum.
    local = np.arange(num_rows)
    is_again = generator.random(num_rows) < repeated
    is_again[0] = False
    galaxy = np.where(is_again, generator.integers(0, np.maximum(local, 1)), local)
    galaxy = np.where(is_again[galaxy], galaxy[galaxy], galaxy)
    is_again = galaxy != local
    ra = generator.uniform(0, 360, num_rows)[galaxy]
    dec = np.degrees(np.arcsin(generator.uniform(-1, 1, num_rows)))[galaxy]
    signal = generator.lognormal(2.5, 0.5, num_rows).astype(np.float32)
    # The first spectrum of a galaxy need not be the best one.
    best = pd.Series(signal).groupby(galaxy).transform("max").to_numpy()
    has_result = generator.random(num_rows) > 0.2
    is_star_forming = (generator.random(num_rows) < 0.25)[galaxy]
    metallicity = generator.normal(8.9, 0.2, num_rows)[galaxy]
    label = np.where(is_star_forming, metallicity + generator.normal(0, LABEL_NOISE_DEX, num_rows), -9999)
    spectrum_id = plate.astype(np.int64) << 50 | fibre.astype(np.int64) << 38 | (mjd - 50_000).astype(np.int64) << 24
    object_id = np.int64(1237648720693755918) + (first + galaxy)
    redshift = generator.uniform(0.02, 0.3, num_rows)[galaxy] + generator.normal(0, 3e-5, num_rows)
    columns: dict[str, Any] = {
        "spectrum_id": spectrum_id,
        "object_id": object_id,
        "ra": ra,
        "dec": dec,
        "galaxy": first + galaxy,
        "SPECOBJID": np.where(has_result, spectrum_id.astype("S22"), b""),
        "BESTOBJID": object_id.astype("S19"),
        **{"PLATEID": plate, "PLATE": plate, "MJD": mjd, "FIBERID": fibre},
        # Where the fibre is, a little beside the galaxy, in 32 bits.
        "RA": (ra + generator.normal(0, 0.2, num_rows) / 3600) % 360,
        "DEC": np.clip(dec + generator.normal(0, 0.2, num_rows) / 3600, -90, 90),
        **{"TARGETTYPE": b"GALAXY", "SPECTROTYPE": b"GALAXY", "CLASS": b"GALAXY"},
        "SUBCLASS": np.where(is_star_forming, b"STARFORMING", b""),
        "Z": redshift,
        "Z_ERR": generator.uniform(1e-5, 1e-4, num_rows),
        "Z_WARNING": generator.choice([0, 4], num_rows, p=[0.98, 0.02]),
        **{"V_DISP": generator.uniform(70, 300, num_rows), "V_DISP_ERR": 10.0, "SN_MEDIAN": signal},
        "E_BV_SFD": generator.uniform(0, 0.1, num_rows),
        "RELIABLE": (generator.random(num_rows) < 0.7).astype(int),
        "BPTCLASS": np.where(is_star_forming, 1, -1),
        **{
            f"OH_{name}": np.where(label > 0, label + 0.02 * (place - 2), -9999)
            for place, name in enumerate(_PERCENTILES)
        },
        "RCHI2": generator.uniform(0.8, 2.2, num_rows),
        "SCIENCEPRIMARY": ((signal == best) & has_result).astype(int),
        "PLUG_RA": ra,
        "PLUG_DEC": dec,
    }
    for name in [name for role in COLUMNS for name in COLUMNS[role] if name not in columns]:
        columns[name] = generator.normal(1, 0.3, num_rows).astype(np.float32)
    return pd.DataFrame(columns)


def write_folder(folder: Path, pieces: list[pd.DataFrame], *, spec_obj: bool = True, **changes: Any) -> Path:
    """The four files, and specObj if it is asked for; `changes` are keyword arguments of `Writer`."""
    folder.mkdir(parents=True, exist_ok=True)
    num_rows = sum(len(piece) for piece in pieces)
    for role in COLUMNS if spec_obj else FILES:
        with Writer(folder / f"{FILES.get(role, 'specObj')}-dr8.fits", role, num_rows, **changes) as writer:
            for piece in pieces:
                writer.write(piece)
    return folder


class Writer:
    """A FITS file of one role, written in pieces."""

    def __init__(self, path: Path, role: str, num_rows: int, *, is_padded: bool = False, **formats: str) -> None:
        columns = {**COLUMNS[role], **{name: kind for name, kind in formats.items() if name in COLUMNS[role]}}
        if is_padded:
            width = self._build_header(columns).columns.dtype.itemsize
            columns["PADDING"] = f"{ROW_BYTES[role] - width}A"
        unit = self._build_header(columns)
        self._dtype = unit.columns.dtype.newbyteorder(">")
        unit.header["NAXIS2"] = num_rows
        self._file = path.open("wb")
        self._num_bytes = num_rows * self._dtype.itemsize
        self._file.write(fits.PrimaryHDU().header.tostring().encode())
        self._file.write(unit.header.tostring().encode())

    @staticmethod
    def _build_header(columns: dict[str, str]) -> Any:
        return fits.BinTableHDU.from_columns([fits.Column(name, kind) for name, kind in columns.items()], nrows=0)

    def write(self, piece: pd.DataFrame) -> None:
        rows = np.zeros(len(piece), dtype=self._dtype)
        for name in self._dtype.names or ():
            if name == "PADDING":
                continue
            values: npt.NDArray[Any] = piece[name].to_numpy()
            if self._dtype[name].kind == "S":
                width = self._dtype[name].itemsize
                # As SDSS pads text: with blanks.
                values = np.char.ljust(values.astype(bytes), width)
            rows[name] = values
        self._file.write(rows.tobytes())

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.write(b"\0" * (-self._num_bytes % 2880))
        self._file.close()


def make_photometry(spectra: pd.DataFrame, *, is_primary_only: bool = False) -> pd.DataFrame:
    """A row for each spectrum that has a result, or for the primary ones, as SkyServer answers."""
    has_result = spectra["SPECOBJID"] != b""
    rows = spectra[(spectra["SCIENCEPRIMARY"] == 1) if is_primary_only else has_result].reset_index(drop=True)
    generator = np.random.default_rng(len(rows))
    columns: dict[str, Any] = {"objID": rows["object_id"], "specObjID": rows["spectrum_id"]}
    columns |= {"ra": rows["ra"], "dec": rows["dec"], "clean": 1, "run": 752, "camcol": 3, "field": 100}
    names = [f"{kind}_{band}" for kind in ("modelMag", "modelMagErr", "extinction") for band in "ugriz"]
    names += ["petroMag_r", "fiberMag_r", "petroR50_r", "petroR90_r", "expAB_r", "deVAB_r"]
    columns |= {name: generator.uniform(14, 18, len(rows)).astype(np.float32) for name in names}
    return pd.DataFrame(columns)


def write_photometry(path: Path, pieces: Iterator[pd.DataFrame], *, is_primary_only: bool = False) -> Path:
    """A Parquet file, written in pieces."""
    writer: Any = None
    for piece in pieces:
        rows = pa.Table.from_pandas(make_photometry(piece, is_primary_only=is_primary_only), preserve_index=False)
        writer = pq.ParquetWriter(path, rows.schema) if writer is None else writer
        writer.write_table(rows)
    writer.close()
    return path

"""Cutouts on disk: image files exactly as a service gave them, in Parquet parts, written atomically, read in streams.

A folder of:

- `part-NNNNN.parquet`: one row a file. What was asked for: object_id (int64), source, ra_deg, dec_deg,
  pixel_scale_arcsec, width, height; what came: jpeg (the bytes as served, also of FITS), band (of a
  FITS file, several of a cube; empty for a picture), num_bytes, sha256, url, fetched_at.
- `refused-NNNNN.parquet`: one row a galaxy that has no image: what was asked for, kind, reason, num_tries, url,
  fetched_at.

Parts are only added. A galaxy counts as there if it was asked for at the same place, scale and size of the same
source; if it is there, what was once said against it is past; and of several refusals the last one holds.

A row is named as a file is, `part-00003.parquet/17.jpg`, so that a table of images has one path a galaxy in every case.
"""

import contextlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from metalight.atomic import replace_file
from metalight.errors import ImageError, quote_flaw
from metalight.locks import hold_lock

RefusalKind = Literal["outside_footprint", "service_error", "invalid_image", "no_size", "bad_position", "no_image"]

_ASKED = [
    ("object_id", pa.int64()),
    ("source", pa.string()),
    ("ra_deg", pa.float64()),
    ("dec_deg", pa.float64()),
    ("pixel_scale_arcsec", pa.float64()),
    ("width", pa.int32()),
    ("height", pa.int32()),
]
_CAME = [("url", pa.string()), ("fetched_at", pa.timestamp("us", tz="UTC"))]
_PART = pa.schema(
    [*_ASKED, ("band", pa.string()), ("num_bytes", pa.int64()), ("sha256", pa.string()), *_CAME, ("jpeg", pa.binary())]
)
_REFUSED = pa.schema([*_ASKED, ("kind", pa.string()), ("reason", pa.string()), ("num_tries", pa.int32()), *_CAME])

_ROWS_A_GROUP = 64
"""That are read together: in order, each group once; in any order, at little cost."""

_GROUPS_IN_MEMORY = 16
_BYTES_IN_MEMORY = 128_000_000
"""Of groups beyond two: FITS files are a hundred times larger than pictures."""

_LOCK = "download.lock"
_STORED = re.compile(r"(part-\d{5,}\.parquet)/(\d+)\.(?:jpg|fits)")
_NUMBERED = re.compile(r"(part|refused)-(\d{5,})\.parquet")


@dataclass(frozen=True, slots=True)
class AskedCutout:
    """What is asked for: so much of the sky around a galaxy, in so many pixels."""

    object_id: int
    source: str
    """The survey and service, by which images of different origins are told apart."""

    ra_deg: float
    dec_deg: float
    pixel_scale_arcsec: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class CutoutFile:
    """A file that came."""

    asked: AskedCutout
    data: bytes
    """Exactly as served."""

    sha256: str
    url: str
    fetched_at: datetime
    """With time zone."""

    band: str = ""
    """Of FITS, of a cube several; empty for a picture."""


@dataclass(frozen=True, slots=True)
class RefusedCutout:
    """A galaxy without an image, and why."""

    asked: AskedCutout
    kind: RefusalKind
    reason: str
    num_tries: int
    """Requests made for it; 0 if it could not be asked for."""

    url: str
    """Empty if it could not be asked for."""

    fetched_at: datetime


class CutoutStore:
    """The parts in a folder, which need not be there yet."""

    def __init__(self, folder: Path) -> None:
        """A store; nothing is read or made."""
        self.folder = folder

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """A block in which no other process writes to the store; its folder is made if need be.

        Raises:
            InUseError: Another process writes to it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with hold_lock(self.folder / _LOCK, place=self.folder, way_out="wait until it has ended"):
            yield

    def add_files(self, files: Sequence[CutoutFile]) -> None:
        """Write one part more; nothing if there are no files. The files of a galaxy must stand together."""
        if not files:
            return
        columns = _list_asked([file.asked for file in files])
        columns["band"] = [file.band for file in files]
        columns["num_bytes"] = [len(file.data) for file in files]
        columns["jpeg"] = [file.data for file in files]
        columns |= {name: [getattr(file, name) for file in files] for name in ("sha256", "url", "fetched_at")}
        self._add("part", pa.table(columns, schema=_PART))

    def add_refused(self, refused: Sequence[RefusedCutout]) -> None:
        """Write one part of refusals more; nothing if there are none."""
        if not refused:
            return
        columns = _list_asked([one.asked for one in refused])
        for name in ("kind", "reason", "num_tries", "url", "fetched_at"):
            columns[name] = [getattr(one, name) for one in refused]
        self._add("refused", pa.table(columns, schema=_REFUSED))

    def find_files(self, wanted: pd.DataFrame, *, bands: Sequence[str] = ("",)) -> pd.DataFrame:
        """The files of the galaxies that are there whole, in the order of `wanted`, and of `bands` for each.

        Args:
            wanted: What is asked for, with the columns of `AskedCutout`; each galaxy once.
            bands: Those that a galaxy must have.

        Returns:
            Columns place (the row of `wanted`), path (as `FileReader` takes it), band, num_bytes, sha256.

        Raises:
            ImageError: A part is damaged.
        """
        names, frame = self._read_all("part", ["band", "num_bytes", "sha256"])
        place = match_asked(wanted, frame)
        files = frame[["band", "num_bytes", "sha256"]].assign(place=place, row=frame["row"], part=frame["part"])
        files = files[(place >= 0) & frame["band"].isin(bands).to_numpy()]
        if len(bands) > 1:
            files["order"] = files["band"].map({band: number for number, band in enumerate(bands)})
            files = files.drop_duplicates(["place", "band"]).sort_values(["place", "order"], kind="stable")
            files = files[(files.groupby("place")["band"].transform("size") == len(bands)).to_numpy()]
        else:
            files = files.drop_duplicates("place").sort_values("place", kind="stable")
        where = zip(*(files[name].to_numpy().tolist() for name in ("part", "row", "band")), strict=True)
        files["path"] = [f"{names[part]}/{row}.{'fits' if band else 'jpg'}" for part, row, band in where]
        return files[["place", "path", "band", "num_bytes", "sha256"]].reset_index(drop=True)

    def find_refused(self, wanted: pd.DataFrame) -> pd.DataFrame:
        """What was last said against galaxies, whether or not they have come meanwhile; in the order of `wanted`.

        Args:
            wanted: What is asked for, with the columns of `AskedCutout`; each galaxy once.

        Returns:
            Columns place (the row of `wanted`), kind, reason, num_tries, url.

        Raises:
            ImageError: A part is damaged.
        """
        columns = ["kind", "reason", "num_tries", "url"]
        _, frame = self._read_all("refused", columns)
        refused = frame[columns].assign(place=match_asked(wanted, frame))[["place", *columns]]
        refused = refused[refused["place"] >= 0].drop_duplicates("place", keep="last")
        return refused.sort_values("place", kind="stable").reset_index(drop=True)

    def _read_all(self, kind: str, columns: list[str]) -> tuple[list[str], pd.DataFrame]:
        """The parts' names, and what was asked for, these columns, `part` (the place of its name) and `row` of all."""
        names, tables = [], [(_PART if kind == "part" else _REFUSED).empty_table()]
        read = [*(name for name, _ in _ASKED), *columns]
        for name, table in self._read(kind, read):
            names.append(name)
            tables.append(table)
        frame = pa.concat_tables([table.select(read) for table in tables]).to_pandas()
        lengths = [len(table) for table in tables[1:]]
        frame["part"] = np.repeat(np.arange(len(names)), lengths)
        frame["row"] = np.concatenate([np.arange(length) for length in [0, *lengths]])
        return names, frame

    def _read(self, kind: str, columns: list[str]) -> Iterator[tuple[str, pa.Table]]:
        """Each part's name and these of its columns, in the order in which they were written."""
        for number, path in list_parts(self.folder, kind):
            try:
                with pq.ParquetFile(path, page_checksum_verification=True) as part:
                    table = part.read(columns=columns)
            except (pa.ArrowException, ValueError) as error:
                raise ImageError(
                    f"{path} is damaged: {quote_flaw(error)}. Move it away, and its galaxies are fetched again."
                ) from error
            yield name_part(kind, number), table

    def _add(self, kind: str, table: pa.Table) -> None:
        numbers = [number for number, _ in list_parts(self.folder, kind)]
        path = self.folder / name_part(kind, max(numbers, default=-1) + 1)
        # Images are compressed already.
        compression = {name: "none" if name == "jpeg" else "zstd" for name in table.column_names}
        with replace_file(path) as temporary:
            pq.write_table(
                table,
                temporary,
                row_group_size=_ROWS_A_GROUP,
                use_dictionary=["source", "band"] if kind == "part" else True,
                compression=compression,
                write_page_checksum=True,
            )


class FileReader:
    """Reads the image files of a folder: plain ones, and those in parts. May be shared by threads."""

    def __init__(self, folder: Path) -> None:
        """A reader of a folder; nothing is read yet."""
        self._folder = folder
        self._groups: OrderedDict[tuple[str, int], pa.ChunkedArray] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Args:
            path: Relative to the folder: of a file, or of a row of a part.

        Raises:
            OSError: It cannot be read.
        """
        stored = _STORED.fullmatch(path)
        if stored is None:
            return (self._folder / path).read_bytes()
        group, row = divmod(int(stored[2]), _ROWS_A_GROUP)
        with self._lock:
            files = self._load_group(stored[1], group)
        if row >= len(files):
            raise OSError(f"{stored[1]} has fewer rows")
        data: bytes = files[row].as_py()
        return data

    def _load_group(self, name: str, group: int) -> pa.ChunkedArray:
        if (name, group) in self._groups:
            self._groups.move_to_end((name, group))
            return self._groups[name, group]
        try:
            with pq.ParquetFile(self._folder / name, page_checksum_verification=True) as part:
                if group >= part.num_row_groups:
                    raise OSError(f"{name} has fewer rows")
                files = part.read_row_group(group, columns=["jpeg"])["jpeg"]
        except (pa.ArrowException, ValueError) as error:
            raise OSError(f"{name} is damaged") from error
        self._groups[name, group] = files
        num_bytes = sum(group.nbytes for group in self._groups.values())
        while len(self._groups) > _GROUPS_IN_MEMORY or (len(self._groups) > 2 and num_bytes > _BYTES_IN_MEMORY):
            num_bytes -= self._groups.popitem(last=False)[1].nbytes
        return files


def is_part(name: str) -> bool:
    """Whether a file of that name is a part of a store, of files or of refusals."""
    return bool(_NUMBERED.fullmatch(name))


def gather_parts(folders: Sequence[Path]) -> dict[str, Path]:
    """The parts of several stores as one would have them: names, and where each is, once however often it was shared.

    Those of the first store keep their names, by which its rows are known.
    """
    gathered: dict[str, Path] = {}
    known = set[tuple[str, int, int]]()
    for folder in folders:
        for kind in ("part", "refused"):
            for number, path in list_parts(folder, kind):
                if (identity := (kind, *_identify(path))) in known:
                    continue
                known.add(identity)
                while (name := name_part(kind, number)) in gathered:
                    number += 1
                gathered[name] = path
    return gathered


def has_parts_of(folder: Path, other: Path) -> bool:
    """Whether a store has each part with files of another one, under the same name."""
    named = ((folder / path.name, path) for _, path in list_parts(other, "part"))
    return all(own.is_file() and _identify(own) == _identify(path) for own, path in named)


def list_parts(folder: Path, kind: str) -> list[tuple[int, Path]]:
    """Number and place of the parts in a folder, which need not be there, in the order in which they were written."""
    if not folder.is_dir():
        return []
    names = ((_NUMBERED.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return sorted((int(match[2]), entry) for match, entry in names if match and match[1] == kind)


def name_part(kind: str, number: int) -> str:
    """The file name of a part."""
    return f"{kind}-{number:05}.parquet"


def _identify(path: Path) -> tuple[int, int]:
    """Size and time of a part: the same of links and copies, and parts are never written to again."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def match_asked(wanted: pd.DataFrame, stored: pd.DataFrame) -> npt.NDArray[np.intp]:
    """For each row of `stored`, the row of `wanted` that asks for the same; −1 where none does.

    Args:
        wanted: The columns of `AskedCutout`; each galaxy once.
        stored: The same columns.
    """
    places = pd.Index(wanted["object_id"], dtype="int64").get_indexer(pd.Index(stored["object_id"], dtype="int64"))
    asked = wanted.take(np.maximum(places, 0)) if len(wanted) else stored
    is_same = places >= 0
    for name in ("source", "width", "height"):
        is_same &= asked[name].to_numpy() == stored[name].to_numpy()
    for name in ("ra_deg", "dec_deg", "pixel_scale_arcsec"):
        # NaN asks for the same as NaN: a galaxy without a size is refused once.
        is_same &= np.isclose(asked[name].to_numpy(), stored[name].to_numpy(), rtol=1e-9, atol=1e-9, equal_nan=True)
    return np.where(is_same, places, -1)


def _list_asked(asked: Sequence[AskedCutout]) -> dict[str, list[Any]]:
    return {name: [getattr(one, name) for one in asked] for name, _ in _ASKED}

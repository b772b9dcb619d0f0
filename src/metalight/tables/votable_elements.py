"""The elements of a VOTable: its fields and rows, read as a stream from XML that is not trusted."""

import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.parsers import expat

import pyarrow as pa
import pyarrow.compute as pc

from metalight.errors import quote_flaw, shorten
from metalight.tables.arrow import blank_out_missing
from metalight.tables.columns import choose_table, has_columns
from metalight.tables.described import parse_info
from metalight.tables.missing import MISSING_WORDS
from metalight.tables.table import ColumnInfo
from metalight.tables.usable import MOST_COLUMNS
from metalight.tables.votable_binary import read_rows

INFO_NAME = "metalight"
"""Name of the INFO that keeps what a FIELD cannot hold."""

LARGE_INTEGERS = "uint64"
"""The `xtype` of text that spells unsigned 64-bit integers."""

_AT_ONCE = 1 << 20
_LARGEST_TAG = 1 << 22
_MOST_LEVELS = 100
_ROWS_AT_ONCE = 65536
_KINDS = {
    **dict.fromkeys(("boolean", "bit"), pa.bool_()),  # astropy writes booleans as bits
    **dict.fromkeys(("unsignedByte", "short", "int", "long"), pa.int64()),
    "float": pa.float32(),
    "double": pa.float64(),
    **dict.fromkeys(("char", "unicodeChar"), pa.string()),
}
_OTHER_TYPES = ("floatComplex", "doubleComplex")
_SERIALISATIONS = ("TABLEDATA", "BINARY", "BINARY2", "FITS")
_BOOLEANS = {**dict.fromkeys("tT1", True), **dict.fromkeys("fF0", False), "true": True, "false": False} | {
    "True": True,
    "False": False,
    "TRUE": True,
    "FALSE": False,
}


@dataclass(eq=False)
class Field:
    """A column, as the file describes it, and its values."""

    name: str
    datatype: str
    arraysize: str
    xtype: str
    unit: str
    null: str = ""
    """The integer that stands for missing, as the file spells it."""
    description: str = ""
    chunks: list[pa.Array] = field(default_factory=list)
    """Its values, of the type `kind`, in batches of rows."""
    flaw: str = ""
    """Why the column cannot be used; empty if it can."""

    def __post_init__(self) -> None:
        """Look at the type."""
        if self.datatype in _OTHER_TYPES:
            self.flaw = "holds complex numbers"
        elif self.datatype not in _KINDS:
            self.flaw = f"is of the type '{shorten(self.datatype)}', which VOTable does not have"
        elif ("x" in self.arraysize) if self.is_text() else (self.arraysize not in ("", "1")):
            self.flaw = f"holds several values a row ({shorten(self.arraysize)})"

    @property
    def kind(self) -> pa.DataType:
        """Type in Arrow of the values."""
        if self.datatype not in _KINDS:
            return pa.string()
        return pa.uint64() if self.xtype == LARGE_INTEGERS and self.is_text() else _KINDS[self.datatype]

    def is_text(self) -> bool:
        """Whether the file keeps the values as text."""
        return self.datatype in ("char", "unicodeChar")

    def add(self, cells: list[Any]) -> None:
        """Take the next values: text, or None where one is missing, or what BINARY holds; another type is a flaw."""
        if self.flaw:
            return
        try:
            self.chunks.append(self._convert(cells))
        except (pa.ArrowException, KeyError, OverflowError) as error:
            self.flaw = f"does not hold {self.datatype} only: {quote_flaw(error)}"
            self.chunks.clear()

    def _convert(self, cells: list[Any]) -> pa.Array:
        if pa.types.is_boolean(self.kind):
            known = [
                None if cell is None or cell == "?" or cell.lower() in MISSING_WORDS else _BOOLEANS[cell]
                for cell in map(_trim, cells)
            ]
            return pa.array(known, pa.bool_())
        if not all(cell is None or isinstance(cell, str) for cell in cells):
            return pa.array(cells, self.kind)
        texts = pa.array(cells, pa.string())
        if pa.types.is_string(self.kind):
            return texts
        digits = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"^\+", "")
        return blank_out_missing(digits).cast(self.kind)


@dataclass(eq=False)
class FoundTable:
    """The first table of a file."""

    fields: list[Field] = field(default_factory=list)
    info: dict[str, ColumnInfo] = field(default_factory=dict)
    """What is kept of columns because XML cannot hold it."""
    place: int = 0
    """Which of the tables of the file it is, from 0."""
    tables: list[str] = field(default_factory=list)
    """Names of all tables of the file."""


def read_elements(file: BinaryIO, wanted: Sequence[str] = ()) -> FoundTable:
    """The first table of a VOTable that has the wanted columns, or else the one that has the most of them.

    Raises:
        ValueError: The XML is damaged, declares entities, asks for memory as no table does, or is not a VOTable; rows
            do not fit the fields, or are kept in another file or in another way than TABLEDATA, BINARY and BINARY2.
    """
    reader = _Reader(lambda place, names: has_columns(names, wanted))
    _parse(file, reader)
    if not reader.is_found and reader.columns:
        best = choose_table(reader.columns, wanted)
        file.seek(0)
        reader = _Reader(lambda place, names: place == best)
        _parse(file, reader)
    reader.found.tables = reader.tables
    return reader.found


def _parse(file: BinaryIO, reader: "_Reader") -> None:
    num_bytes = 0
    try:
        while chunk := file.read(_AT_ONCE):
            reader.parser.Parse(chunk, False)
            num_bytes += len(chunk)
            # Until a tag ends, it is kept whole, and its attributes take twenty times what they take in the file.
            if num_bytes - reader.parser.CurrentByteIndex > _LARGEST_TAG:
                raise ValueError(f"it has a tag of more than {_LARGEST_TAG} bytes")
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError) as error:
        raise ValueError(str(error)) from error


class _Reader:
    """Takes the wanted table from the stream of elements."""

    def __init__(self, is_wanted: Callable[[int, list[str]], bool]) -> None:
        """Nothing yet.

        Args:
            is_wanted: Whether a table is, by its place in the file and the names of its columns.
        """
        self.found = FoundTable()
        self.is_found = False
        self.tables: list[str] = []
        self.columns: list[list[str]] = []
        """Names of the columns of each table, as far as the reader looked at it."""
        self._is_wanted = is_wanted
        self._is_open = False
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._take_text
        self.parser.EntityDeclHandler = _refuse_entity
        self.parser.SkippedEntityHandler = _refuse_entity
        self._path: list[str] = []
        self._serialisation = ""
        self._text: list[str] | None = None
        self._row: list[str | None] = []
        self._columns: list[list[str | None]] = []
        self._num_rows = 0

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if not self._path and name != "VOTABLE":
            raise ValueError(f"its first element is '{name[:60]}', not VOTABLE")
        if len(self._path) == _MOST_LEVELS:
            raise ValueError(f"its elements are nested more than {_MOST_LEVELS} deep")
        self._path.append(name)
        if name == "TABLE":
            self._begin_table(attributes)
        if not self._is_open:
            return
        if name == "DATA":
            self._choose()
            return
        if name == "FIELD" and self._path[-2] == "TABLE":
            self._add_field(attributes)
        elif name == "VALUES" and self._path[-2] == "FIELD":
            self.found.fields[-1].null = attributes.get("null", "").strip()
        elif name == "INFO" and attributes.get("name") == INFO_NAME:
            column, info = parse_info(attributes.get("value", ""))
            self.found.info[column] = info
        elif name in _SERIALISATIONS:
            self._begin_rows(name)
        elif name == "STREAM" and ("href" in attributes or attributes.get("encoding", "base64") != "base64"):
            raise ValueError("its rows are in another file, or not in base64; save it with the rows in TABLEDATA")
        elif name == "TR":
            self._row = []
        if name in ("TD", "STREAM") or (name == "DESCRIPTION" and self._path[-2] == "FIELD"):
            self._text = []

    def _end(self, tag: str) -> None:
        name = self._path.pop()
        if not self._is_open:
            return
        if name == "TABLE":
            self._choose()
            self._is_open = False
            return
        text = "".join(self._text or ())
        if name == "TD":
            self._row.append(text or None)
            if len(self._row) > MOST_COLUMNS:
                self._add_row()  # which refuses it, before memory is full of it
        elif name == "DESCRIPTION" and self._path[-1] == "FIELD":
            self.found.fields[-1].description = text
        elif name == "TR":
            self._add_row()
        elif name == "STREAM":
            self._decode(text)
        elif name == "TABLEDATA":
            self._hand_over()
        if name in ("TD", "STREAM", "DESCRIPTION"):
            self._text = None

    def _take_text(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _begin_table(self, attributes: dict[str, str]) -> None:
        if self._is_open:
            raise ValueError("it has a table within a table")
        if len(self.tables) == MOST_COLUMNS:
            raise ValueError(f"it has more than {MOST_COLUMNS} tables")
        self.tables.append(attributes.get("name") or attributes.get("ID") or f"table {len(self.tables) + 1}")
        self._is_open = not self.is_found
        if self._is_open:
            self.found, self._serialisation = FoundTable(place=len(self.tables) - 1), ""

    def _choose(self) -> None:
        """Tell whether the table is the wanted one, now that its fields are known."""
        if self.is_found:
            return
        names = [of_table.name for of_table in self.found.fields]
        self.columns.append(names)
        self.is_found = self._is_open = self._is_wanted(self.found.place, names)

    def _add_field(self, attributes: dict[str, str]) -> None:
        name = (attributes.get("name") or attributes.get("ID", "")).strip()
        datatype = attributes.get("datatype", "")
        if self._serialisation:
            raise ValueError(f"its column '{name[:60]}' stands after the rows")
        if len(self.found.fields) == MOST_COLUMNS:
            raise ValueError(f"it has more than {MOST_COLUMNS} columns")
        arraysize, xtype = attributes.get("arraysize", "").strip(), attributes.get("xtype", "")
        name = name or f"unnamed_{len(self.found.fields) + 1}"
        self.found.fields.append(Field(name, datatype, arraysize, xtype, attributes.get("unit", "").strip()))

    def _begin_rows(self, name: str) -> None:
        if self._serialisation:
            raise ValueError("its table has rows in two places")
        if name == "FITS":
            raise ValueError("its rows are a FITS file inside the XML; save it with the rows in TABLEDATA")
        self._serialisation = name
        self._columns = [[] for _ in self.found.fields]

    def _add_row(self) -> None:
        self._num_rows += 1
        if len(self._row) != len(self._columns):
            raise ValueError(f"row {self._num_rows} has {len(self._row)} values for {len(self._columns)} columns")
        for column, cell in zip(self._columns, self._row, strict=True):
            column.append(cell)
        if self._num_rows % _ROWS_AT_ONCE == 0:
            self._hand_over()

    def _hand_over(self) -> None:
        """Turn the text of rows into values, so that no more than a batch is kept as text."""
        for of_table, column in zip(self.found.fields, self._columns, strict=True):
            of_table.add(column)
            column.clear()

    def _decode(self, text: str) -> None:
        if not self._serialisation.startswith("BINARY"):
            raise ValueError("it has a STREAM outside of BINARY")
        try:
            # Line breaks are allowed; what else is not base64 would be passed over if it were not looked for.
            content = binascii.a2b_base64("".join(text.split()), strict_mode=True)
        except binascii.Error as error:
            raise ValueError(f"its rows are not base64: {error}") from error
        layout = [(of_table.datatype, of_table.arraysize) for of_table in self.found.fields]
        columns = read_rows(content, layout, has_masks=self._serialisation == "BINARY2")
        for of_table, column in zip(self.found.fields, columns, strict=True):
            of_table.add(column)


def _refuse_entity(*_: object) -> None:
    raise ValueError(
        "it declares or uses entities of its own, which may hide what it holds; write it without a DOCTYPE"
    )


def _trim(cell: Any) -> Any:
    return cell.strip() if isinstance(cell, str) else cell

"""The files of a tar (also .gz, .bz2, .xz) or zip archive, read in order and without unpacking it to disk.

An archive is a stranger's: nothing that it says of itself may take much memory. Links, devices and folders are passed
over, and names are only looked at.
"""

import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from metalight.errors import ImageError, quote_flaw

_LARGEST_HEADER = 1_000_000
"""Bytes that a tar may say about one of its files, such as its path."""

_LARGEST_DIRECTORY = 100_000_000
"""Bytes of the list of files of a zip: about a million of them, in ten times as much memory."""

_MOST_UNPACKED = 100
"""Times its own size that an archive of pictures may have unpacked, beyond the first GB: they hardly shrink."""

_FIRST_UNPACKED = 10**9
_MOST_WORDS = 1000
_ZIP_BEGINS = b"PK"
_ZIP_ENDS, _ZIP64_ENDS = b"PK\x05\x06", b"PK\x06\x06"
_LONGEST_ZIP_END = 66_000
_TAR_WORDS = frozenset(
    [
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    ]
)
_FLAWS = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError),
)
"""Errors that the libraries raise for archives that are damaged, cut short, encrypted or made to do harm."""


@dataclass(frozen=True)
class Member:
    """A file of an archive."""

    archive: Path
    name: str
    """Its path in the archive."""

    open: Callable[[], IO[bytes] | None]

    is_link: bool = False
    """It has no content of its own."""

    def read(self, num_bytes: int) -> bytes:
        """At most so many bytes from its beginning.

        Raises:
            ImageError: The archive is damaged.
        """
        with _explaining(self.archive), self.open() or io.BytesIO() as stream:
            return stream.read(num_bytes)


@contextmanager
def open_archive(archive: Path) -> Iterator[Iterator[Member]]:
    """A block with the files of an archive in order, each to be read before the next one is asked for.

    Raises:
        ImageError: It is no such archive, is damaged or cut short, or would take too much memory.
    """
    with ExitStack() as stack:
        with _explaining(archive):
            if _is_zip(archive):
                members = _list_zip(stack.enter_context(zipfile.ZipFile(archive)), archive)
            else:
                stream = stack.enter_context(tarfile.open(archive, "r|*", tarinfo=_BoundedTarInfo))
                members = _list_tar(stream, archive)
        yield _explain_each(members, archive)


def find_archive_flaw(archive: Path) -> str:
    """Why an archive is not whole, as a clause; empty if it opens to its end."""
    try:
        with open_archive(archive) as members:
            for _ in members:
                pass
    except ImageError as error:
        return f"it cannot be read to its end as a tar or zip archive ({quote_flaw(error.__cause__ or error)})"
    return ""


def _list_zip(file: zipfile.ZipFile, archive: Path) -> Iterator[Member]:
    for entry in file.infolist():
        if not entry.is_dir():
            yield Member(archive, entry.filename, partial(file.open, entry))


def _list_tar(stream: tarfile.TarFile, archive: Path) -> Iterator[Member]:
    most = _FIRST_UNPACKED + _MOST_UNPACKED * archive.stat().st_size
    while (entry := stream.next()) is not None:
        stream.members.clear()  # type: ignore[attr-defined] # else it keeps them all
        if entry.offset_data + entry.size > most:
            raise tarfile.ReadError(f"it unpacks to more than {_MOST_UNPACKED} times its size")
        if len(stream.pax_headers) > _MOST_WORDS:
            raise tarfile.ReadError(f"it says more than {_MOST_WORDS} things of all its files")
        if entry.isfile() or entry.islnk() or entry.issym():
            yield Member(archive, entry.name, partial(stream.extractfile, entry), is_link=not entry.isfile())


class _BoundedTarInfo(tarfile.TarInfo):
    """The head of a file of a tar, stricter than `tarfile`.

    That would read what is said about a file into memory, however long it is, and would take damage for the end.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_BoundedTarInfo":
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # a block of zeros, with which a tar ends
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"it is damaged or cut short: {error}") from error

    def _proc_member(self, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _TAR_WORDS and self.size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"it has a header of {self.size:,} bytes, more than {_LARGEST_HEADER:,}")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("it has a sparse file")
        return super()._proc_member(tarfile_)  # type: ignore[misc, no-any-return]


def _explain_each(members: Iterator[Member], archive: Path) -> Iterator[Member]:
    while True:
        with _explaining(archive):
            member = next(members, None)
        if member is None:
            return
        yield member


@contextmanager
def _explaining(archive: Path) -> Iterator[None]:
    try:
        yield
    except _FLAWS as error:
        raise ImageError(
            f"{archive} cannot be read as a tar or zip archive: {quote_flaw(error)}. Fetch it again, or check its path."
        ) from error


def _is_zip(archive: Path) -> bool:
    """Whether a file is a zip.

    Raises:
        zipfile.BadZipFile: It is one, whose list of files is too long.
    """
    with archive.open("rb") as file:
        if file.read(len(_ZIP_BEGINS)) != _ZIP_BEGINS:
            return False
        file.seek(max(0, archive.stat().st_size - _LONGEST_ZIP_END))
        end = file.read()
    sizes = [
        struct.unpack_from(form, end, place + offset)[0]
        for signature, form, offset in ((_ZIP_ENDS, "<L", 12), (_ZIP64_ENDS, "<Q", 40))
        if (place := end.rfind(signature)) >= 0 and place + offset + struct.calcsize(form) <= len(end)
    ]
    if any(_LARGEST_DIRECTORY < size != 0xFFFFFFFF for size in sizes):
        raise zipfile.BadZipFile(f"its list of files is longer than {_LARGEST_DIRECTORY:,} bytes")
    return True

"""Tables under gzip: read as a stream up to a bound, and written so that the same table is the same file."""

import contextlib
import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from metalight.errors import TableError, quote_flaw

SUFFIX = ".gz"
SIGNATURE = b"\x1f\x8b"
_ALWAYS_READ = 1 << 28
_LARGEST_RATIO = 100  # tables shrink 2- to 30-fold, a file of zeros 1000-fold
_AT_ONCE = 1 << 20


@contextlib.contextmanager
def open_compressed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """The content of a gzip file, as a file on disk that is gone when the block ends.

    Memory does not grow with the content, and the disk holds at most 256 MiB, or 100 times what the file takes.

    Args:
        file: The open gzip file.
        path: Where it lies, for the messages.

    Raises:
        TableError: The file is damaged or cut short, or its content is suspiciously large.
    """
    largest = max(_ALWAYS_READ, _LARGEST_RATIO * path.stat().st_size)
    with tempfile.NamedTemporaryFile() as content:
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                while chunk := stream.read(_AT_ONCE):
                    content.write(chunk)
                    if content.tell() > largest:
                        raise TableError(
                            f"{path} unpacks to more than {_LARGEST_RATIO} times its size, as no table does; unpack it "
                            "yourself if you trust it."
                        )
        except EOFError:
            raise TableError(f"{path} is cut short; copy or download it again.") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise TableError(f"{path} cannot be unpacked: {quote_flaw(error)}. Copy or download it again.") from error
        content.flush()
        # Reopened, as astropy refuses to read a file that may be written.
        with Path(content.name).open("rb") as unpacked:
            yield unpacked


def write_compressed(content: BinaryIO, file: BinaryIO) -> None:
    """Write what another file holds, from its start, as gzip without a name and a time."""
    content.seek(0)
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as stream:
        shutil.copyfileobj(content, stream, _AT_ONCE)

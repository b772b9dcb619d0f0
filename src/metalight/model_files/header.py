"""The tensors that a safetensors file lists; none is read, and no memory is allocated on the file's word."""

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from metalight.errors import ModelError, explain_system, shorten
from metalight.small_files import require_regular

MAX_HEADER_BYTES = 16_000_000
"""A header of this size describes some hundred thousand tensors; a longer one is refused unread."""

_SIZE_BYTES = 8  # a safetensors file begins with the length of its header, little-endian

# The first bytes of files that are often taken for weights.
_ZIP, _PICKLE = b"PK\x03\x04", tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_HDF5, _LFS_POINTER = b"\x89HDF", b"version https://git-lfs"


@dataclass(frozen=True)
class TensorForm:
    """One tensor of a file."""

    shape: tuple[int, ...]
    dtype: str
    """In safetensors' words, such as `F32`."""


def read_header(path: Path) -> dict[str, TensorForm]:
    """The form of every tensor of a safetensors file, by name; the file is as long as its header says.

    Raises:
        ModelError: With a short reason, to be read after the file's name, such as "is cut short".
    """
    try:
        start = _read_start(path)
    except OSError as error:
        raise ModelError(_explain_unread(path, error)) from error
    if flaw := _find_other_kind(start):
        raise ModelError(flaw)
    num_bytes, header_bytes = path.stat().st_size, int.from_bytes(start[:_SIZE_BYTES], "little")
    if header_bytes > max(num_bytes, MAX_HEADER_BYTES):
        raise ModelError("is not a safetensors file")
    if num_bytes < _SIZE_BYTES + header_bytes:
        raise ModelError("is cut short: not even its header is whole")
    if header_bytes > MAX_HEADER_BYTES:
        raise ModelError(f"has a header of {header_bytes:,} bytes, more than any model needs")
    try:
        # "numpy" only says that torch is not needed: no tensor is asked for.
        with safe_open(path, framework="numpy") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
            return {name: TensorForm(tuple(of.get_shape()), of.get_dtype()) for name, of in slices.items()}
    except (OSError, SafetensorError) as error:
        raise ModelError(_explain_flawed(error)) from error


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, as PyTorch saves it: opening one may run whatever code its author put there."""
    try:
        return _read_start(path).startswith((_ZIP, *_PICKLE))
    except OSError:
        return False


def _read_start(path: Path) -> bytes:
    require_regular(path)
    with path.open("rb") as file:
        return file.read(64)


def _find_other_kind(start: bytes) -> str:
    if not start:
        return "is an empty file"
    if start.startswith((_ZIP, *_PICKLE)):
        return "is a pickle, which may run code when it is opened, and not a safetensors file"
    if start.startswith(_HDF5):
        return "is an HDF5 file, not a safetensors file"
    if start.startswith(_LFS_POINTER):
        return "is the pointer that Git LFS leaves in place of a file; fetch the file itself with `git lfs pull`"
    return ""


def _explain_unread(path: Path, error: OSError) -> str:
    if path.is_dir():
        return "is a folder, not a file"
    return "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {explain_system(error)}"


def _explain_flawed(error: Exception) -> str:
    detail = shorten(str(error).removeprefix("Error while deserializing header: "), most=200).rstrip(".")
    if "not fully covered" in detail:
        return "is cut short or damaged: its length is not what its header says"
    return f"is not a whole safetensors file ({detail})"

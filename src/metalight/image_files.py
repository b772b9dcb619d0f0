"""Names of image files: their kinds by suffix, and the several files of one galaxy written as one path.

Where each band of a galaxy is a FITS file of its own, the differing parts stand in braces, in the order of the bands:
`5_{i,r,g}.fits` is `5_i.fits`, `5_r.fits` and `5_g.fits`. So a table of images has one path a galaxy in every case.
"""

import os
import re
from collections.abc import Iterable, Sequence

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")
"""Files whose levels are meant for the eye."""

FITS_SUFFIXES = tuple(plain + packed for plain in (".fits", ".fit", ".fts") for packed in ("", ".gz", ".fz"))
"""Files of fluxes; plain, gzipped, or with compressed images inside."""

IMAGE_SUFFIXES = (*PICTURE_SUFFIXES, *FITS_SUFFIXES)
"""Suffixes of image files, in any case."""

OTHER_SUFFIXES = (
    *(".apng", ".avif", ".heic", ".heif", ".j2k", ".jp2", ".jpx", ".jxl", ".jxr", ".pbm", ".pgm", ".pnm", ".ppm"),
    *(".dng", ".exr", ".ico", ".pcx", ".psd", ".qoi", ".tga", ".xcf"),
    *(".asdf", ".h5", ".hdf5", ".npy", ".npz"),
    *(plain + packed for plain in (".fits", ".fit", ".fts") for packed in (".bz2", ".xz", ".z", ".zip", ".zst")),
)
"""Suffixes of images that are not read, so that nobody wonders where they are."""

_ALL_SUFFIXES = frozenset((*IMAGE_SUFFIXES, *OTHER_SUFFIXES))
_JOINED = re.compile(r"(.*)\{(.*)\}(.*)", re.DOTALL)


def is_fits(path: str) -> bool:
    """Whether a path, also one of several files, names FITS."""
    return path.lower().removesuffix("}").endswith(FITS_SUFFIXES)


def has_fits(paths: Iterable[str]) -> bool:
    """Whether any of the paths names FITS."""
    return any(map(is_fits, paths))


def cut_suffix(name: str) -> str:
    """A name without the suffix of an image file, read or not; `5.fits.gz` loses both of its parts."""
    for num_parts in (2, 1):
        parts = name.rsplit(".", num_parts)
        if len(parts) == num_parts + 1 and "".join(f".{part.lower()}" for part in parts[1:]) in _ALL_SUFFIXES:
            return parts[0]
    return name


def find_other_suffix(name: str) -> str:
    """The suffix of an image that is not read, in small letters; empty for other names."""
    folded = name.lower()
    if not folded.endswith(OTHER_SUFFIXES):
        return ""
    return max((suffix for suffix in OTHER_SUFFIXES if folded.endswith(suffix)), key=len)


def has_marks(path: str) -> bool:
    """Whether a path has a sign that stands for something else where paths are joined."""
    return any(mark in path for mark in "{,}")


def join_paths(paths: Sequence[str]) -> str:
    """One path for the files of a galaxy; a single one is left as it is.

    Args:
        paths: All different; none with `{`, `,` or `}` if there are several.
    """
    if len(paths) == 1:
        return paths[0]
    # The suffixes stay whole, so that the joined path ends with one.
    start = _find_common_start([cut_suffix(path) for path in paths])
    rests = [path[len(start) :] for path in paths]
    end = _find_common_start([rest[::-1] for rest in rests])[::-1]
    return f"{start}{{{','.join(rest[: len(rest) - len(end)] for rest in rests)}}}{end}"


def split_path(path: str) -> list[str]:
    """The files that a path stands for, in the order of the bands: what `join_paths` was given."""
    joined = _JOINED.fullmatch(path) if is_fits(path) else None
    if joined is None or "," not in joined[2]:
        return [path]
    return [f"{joined[1]}{middle}{joined[3]}" for middle in joined[2].split(",")]


def _find_common_start(texts: Sequence[str]) -> str:
    return os.path.commonprefix(list(texts))  # noqa: RUF071 (letter by letter is meant)

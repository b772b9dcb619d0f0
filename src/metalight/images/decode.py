"""The bytes of a picture to an array of levels: JPEG, PNG, TIFF, WebP, BMP or GIF, whatever its name says.

What an image becomes is fixed by these rules, so that training and prediction see the same numbers:

- Grey images get three equal channels; palettes are looked up.
- An alpha channel is dropped, not composited: the colours below it are the data, and any background is a guess.
- Images of 16 bits are refused: which of their levels stand for which light is not known, and a guess would pass
  unseen.
- The orientation of EXIF is not applied: rows and columns stay as stored, as the survey's pixel grid has them. A TIFF
  that is stored rotated is refused, as Pillow would turn it.
- Colour profiles are not applied; CMYK and other colours are refused.
- A file of several pictures is refused, an animation or an MPO: which of them shows the galaxy is not known.

Whole JPEG files in colour or grey are decoded by simplejpeg, which gives the very pixels of Pillow in half the time;
whatever it does not take without a complaint, Pillow decodes or says what is wrong with it.
"""

import io
import re
import threading
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from metalight.errors import ImageError
from metalight.images.quality import is_grey
from metalight.jpeg_file import MOST_SCANS, has_too_many_scans

MAX_PIXELS = 100_000_000
"""Images with more pixels are refused: no cutout is so large, and decoding one could take all memory."""

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF")
"""Those that are read, by Pillow's names."""

_IS_TOO_LARGE = f"is too large: more than {MAX_PIXELS // 1_000_000} million pixels"

_IS_OF_16_BITS = (
    "has more than 8 bits a channel; save it with 8, stretched as the images that the model has seen, or as FITS"
)

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_INDEX_OF_PICTURES = re.compile(rb"\xff\xe2..MPF\x00", re.DOTALL)
"""A segment that a JPEG of a single picture does not have; within compressed data, no 0xE2 follows 0xFF."""

_PLAIN_COLOURS = ("YCbCr", "Gray")

_BITS, _COMPRESSION, _ORIENTATION, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 259, 274, 338, 339
"""Tags of TIFF."""

# `warnings.catch_warnings` changes state of the whole process; threads that decode must take turns at it.
_opening = threading.Lock()


def decode_image(data: bytes) -> npt.NDArray[np.uint8]:
    """The image as an array (height, width, 3) in the file's channel order, red, green, blue, which are i, r, g.

    Args:
        data: A whole file.

    Raises:
        ImageError: With a short reason, to be read after the file's name, such as "is an empty file".
    """
    if not data:
        raise ImageError("is an empty file")
    if data.startswith(_JPEG_SIGNATURE) and has_too_many_scans(data):
        raise ImageError(f"is a JPEG of more than {MOST_SCANS} scans, which takes too long to decode; save it again")
    pixels = _decode_plain_jpeg(data)
    if pixels is not None:
        return pixels
    try:
        image = _open(data)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(_IS_TOO_LARGE)
        _refuse_ambiguous(data, image)
        _load(image)
        return _as_rgb(image)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"is not a picture that can be read ({', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise ImageError(_IS_TOO_LARGE) from error
    except Exception as error:  # Pillow has no common error for broken files: SyntaxError, struct.error and more.
        if "truncated" in str(error):
            raise ImageError("is cut short: it does not decode whole") from error
        if "too large" in str(error) or "Too much memory" in str(error):
            raise ImageError("has a text or profile that unpacks to many megabytes; save it without") from error
        raise ImageError("is damaged: it does not decode") from error


def take_channels(
    pixels: npt.NDArray[np.uint8], bands: Sequence[str], picture_bands: Sequence[str] = ()
) -> npt.NDArray[np.uint8]:
    """The channels of an image (height, width, 3) that are wanted: (height, width, band).

    Args:
        pixels: The image in colour, or grey with three equal channels.
        bands: Those to take. Without `picture_bands` they are all that the image has: three in colour or one in grey.
        picture_bands: What red, green and blue are; `bands` are among them.

    Raises:
        ImageError: It has other channels; with a short reason, to be read after the file's name.
    """
    if picture_bands:
        # A grey one stays with its galaxy, as it does where all bands are taken, and is counted as such.
        return pixels[:, :, [picture_bands.index(band) for band in bands]]
    if len(bands) == pixels.shape[2]:
        return pixels
    if len(bands) != 1:
        raise ImageError(f"has no {len(bands)} channels: pictures have one or three")
    if not is_grey(pixels):
        raise ImageError("is in colour, where one band is wanted")
    return pixels[:, :, :1]


def _decode_plain_jpeg(data: bytes) -> npt.NDArray[np.uint8] | None:
    """A JPEG image without any flaw, in colour or grey; None for all else."""
    if not data.startswith(_JPEG_SIGNATURE) or _INDEX_OF_PICTURES.search(data):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in _PLAIN_COLOURS or height * width > MAX_PIXELS:
            return None
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError:
        return None
    return pixels


def _open(data: bytes) -> Image.Image:
    with _opening, warnings.catch_warnings():
        # What Pillow warns of here (odd metadata, large images) is of no consequence or is refused by us.
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data), formats=FORMATS)


def _load(image: Image.Image) -> None:
    if image.format != "TIFF":
        image.load()
        return
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above: of metadata, which Pillow reads here once more
        image.load()


def _refuse_ambiguous(data: bytes, image: Image.Image) -> None:
    """Refuse an image whose levels or whose picture would have to be guessed; Pillow would guess in silence."""
    # The third field of the first chunk, IHDR: Pillow reduces colours of 16 bits to 8 without a trace.
    if image.format == "PNG" and data[24:25] == b"\x10":
        raise ImageError(_IS_OF_16_BITS)
    if image.format == "TIFF":
        _refuse_odd_tiff(image)
    # Counting the pictures of some formats would take a look at each.
    if getattr(image, "is_animated", False):
        raise ImageError("is a file of several pictures; save the one that shows the galaxy")


def _refuse_odd_tiff(image: Image.Image) -> None:
    tags = image.tag_v2  # type: ignore[attr-defined]
    if max(tags.get(_BITS, (1,))) > 8 or any(kind != 1 for kind in tags.get(_SAMPLE_FORMAT, ())):
        raise ImageError(_IS_OF_16_BITS)
    if tags.get(_COMPRESSION, 1) != 1:
        # libtiff would decode it: it writes to the terminal, and has had many holes.
        raise ImageError("is a compressed TIFF, which is not read; save it uncompressed, or as PNG")
    if tags.get(_ORIENTATION, 1) != 1:
        raise ImageError("is a TIFF that is stored rotated or mirrored; save it upright")
    if 1 in tags.get(_EXTRA_SAMPLES, ()):
        raise ImageError("is a TIFF whose colours are multiplied by its transparency; save it without transparency")


def _as_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    mode = image.mode
    if mode == "RGB":
        return np.asarray(image)
    if mode in ("P", "PA"):
        # Through RGBA: a palette with a transparency for each colour cannot go to RGB in one step without a warning.
        return np.asarray(image.convert("RGBA"))[:, :, :3].copy()
    if mode in ("1", "L", "LA", "RGBA"):
        image.info.pop("transparency", None)  # Pillow would carry the transparent colour over, and may warn.
        return np.asarray(image.convert("RGB"))
    raise ImageError(f"has the colours {mode}, not RGB or grey")

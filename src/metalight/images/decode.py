"""JPEG and PNG bytes to arrays of one size.

What an image becomes is fixed by these rules, so that training and prediction see the same numbers:

- Grey images get three equal channels; palettes are looked up.
- An alpha channel is dropped, not composited: the colours below it are the data, and any background is a guess.
- Images of 16 bits keep their higher byte, in grey as in colour.
- The orientation of EXIF is not applied: rows and columns stay as stored, as the survey's pixel grid has them.
- Colour profiles are not applied; CMYK and other colours are refused.
- Of an animation, the first picture counts.
"""

import io
import threading
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from metalight.errors import ImageError
from metalight.images.quality import is_grey

MAX_PIXELS = 100_000_000
"""Images with more pixels are refused: no cutout is so large, and decoding one could take all memory."""

_IS_TOO_LARGE = f"is too large: more than {MAX_PIXELS // 1_000_000} million pixels"

# `warnings.catch_warnings` changes state of the whole process; threads that decode must take turns at it.
_opening = threading.Lock()


def decode_image(data: bytes) -> npt.NDArray[np.uint8]:
    """The image as an array (height, width, 3) in the file's channel order, red, green, blue, which are i, r, g.

    Args:
        data: A whole JPEG or PNG file.

    Raises:
        ImageError: With a short reason, to be read after the file's name, such as "is not a JPEG or PNG image".
    """
    if not data:
        raise ImageError("is an empty file")
    try:
        image = _open(data)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(_IS_TOO_LARGE)
        image.load()
        return _as_rgb(image)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise ImageError("is not a JPEG or PNG image") from error
    except Image.DecompressionBombError as error:
        raise ImageError(_IS_TOO_LARGE) from error
    except Exception as error:  # Pillow has no common error for broken files: SyntaxError, struct.error and more.
        if "truncated" in str(error):
            raise ImageError("is cut short: it does not decode whole") from error
        raise ImageError("is damaged: it does not decode") from error


def take_channels(pixels: npt.NDArray[np.uint8], num_channels: int) -> npt.NDArray[np.uint8]:
    """An image (height, width, 3) as one of so many channels, as a view; one channel is kept of a grey image.

    Raises:
        ImageError: It has another number of channels; with a short reason, to be read after the file's name.
    """
    if num_channels == pixels.shape[2]:
        return pixels
    if num_channels != 1:
        raise ImageError(f"has no {num_channels} channels: JPEG and PNG images have one or three")
    if not is_grey(pixels):
        raise ImageError("is in colour, where one band is wanted")
    return pixels[:, :, :1]


def crop_square(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The largest central square of an image (height, width, channel), as a view.

    A cutout is centred on its galaxy. Where the margins differ by an odd number, the square lies half a pixel nearer
    to the first row or column.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def resize_area(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """The central square of an image, resampled by area to (side, side, channel).

    Each new pixel is the mean of the area it covers, weighted by overlap and rounded once to whole levels: the light
    of a galaxy is kept. Enlarging by a whole factor repeats pixels. An image of the right size is returned unchanged.

    Args:
        pixels: (height, width, channel).
        side: New height and width in pixels.
    """
    if side < 1:
        raise ValueError(f"side must be at least 1, not {side}")
    square = crop_square(pixels)
    if square.shape[0] == side:
        return square
    if square.shape[0] % side == 0:
        # The common case, and the fast one: the means of whole blocks. Pillow's are off by a level now and then.
        factor = square.shape[0] // side
        sums = square.reshape(side, factor, side, factor, -1).sum(axis=(1, 3), dtype=np.uint32)
        block_means: npt.NDArray[np.uint8] = ((2 * sums + factor**2) // (2 * factor**2)).astype(np.uint8)
        return block_means
    # Pillow's box filter takes whole pixels by their centres: for other factors it is no mean over areas.
    weights = _compute_overlap(square.shape[0], side)
    resized = np.empty((side, side, square.shape[2]), dtype=np.uint8)
    for channel in range(square.shape[2]):
        means = weights @ square[:, :, channel].astype(np.float32) @ weights.T
        resized[:, :, channel] = np.floor(means + 0.5).clip(0, 255)
    return resized


def _compute_overlap(num_old: int, num_new: int) -> npt.NDArray[np.float32]:
    """The part of each new pixel that each old one covers along one axis, (num_new, num_old); rows add up to 1."""
    # Edges in units in which both kinds of pixel have whole widths, so that no overlap is a rounding error.
    old, new = np.arange(num_old + 1) * num_new, np.arange(num_new + 1) * num_old
    ends = np.minimum(new[1:, np.newaxis], old[np.newaxis, 1:])
    starts = np.maximum(new[:-1, np.newaxis], old[np.newaxis, :-1])
    return ((ends - starts).clip(min=0) / num_old).astype(np.float32)


def _open(data: bytes) -> Image.Image:
    with _opening, warnings.catch_warnings():
        # What Pillow warns of here (odd metadata, large images) is of no consequence or is refused by us.
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))


def _as_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    mode = image.mode
    if mode == "RGB":
        return np.asarray(image)
    if mode in ("I", "I;16", "I;16B", "I;16L"):
        high_byte = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(high_byte[:, :, np.newaxis], 3, axis=2)
    if mode in ("P", "PA"):
        # Through RGBA: a palette with a transparency for each colour cannot go to RGB in one step without a warning.
        return np.asarray(image.convert("RGBA"))[:, :, :3].copy()
    if mode in ("1", "L", "LA", "RGBA"):
        image.info.pop("transparency", None)  # Pillow would carry the transparent colour over, and may warn.
        return np.asarray(image.convert("RGB"))
    raise ImageError(f"has the colours {mode}, not RGB or grey")

"""Images: decoded, checked, brought to one size, and kept memory-mapped for training and prediction."""

from metalight.images.decode import crop_square, decode_image, resize_area
from metalight.images.identical import SMALLEST_SIDE, label_identical
from metalight.images.pixels import Pixels, PixelsReport, build_pixels, load_pixels
from metalight.images.quality import find_flaw, is_grey

__all__ = [
    "SMALLEST_SIDE",
    "Pixels",
    "PixelsReport",
    "build_pixels",
    "crop_square",
    "decode_image",
    "find_flaw",
    "is_grey",
    "label_identical",
    "load_pixels",
    "resize_area",
]

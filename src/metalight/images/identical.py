"""Images that are the same, pixel for pixel, whatever their files.

Files that are the same byte for byte never come so far: they are refused when they are read, as nobody can say which
galaxy they show. Images that match here were saved again, or differ by less than resizing removes; they are
reported, not refused.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.progress import Progress, no_progress

SMALLEST_SIDE_TO_COMPARE = 8
"""Images of fewer pixels a side may be the same although they show different galaxies."""

_ROWS_AT_ONCE = 256


def label_identical(images: npt.NDArray[Any], *, progress: Progress = no_progress) -> npt.NDArray[np.int64]:
    """A number for each image, the same for images whose pixels are all the same.

    Args:
        images: (galaxy, ...), memory-mapped or not; read a few hundred at a time.
        progress: Shows how many images are read.
    """
    digests = np.empty(len(images), dtype=np.uint64)
    with progress("Comparing images", len(images)) as advance:
        for first in range(0, len(images), _ROWS_AT_ONCE):
            rows = np.ascontiguousarray(images[first : first + _ROWS_AT_ONCE])
            for place, image in enumerate(rows, start=first):
                # Of millions of images, no two different ones are likely to share 64 bits: one in ten million.
                digests[place] = int.from_bytes(hashlib.sha256(image).digest()[:8], "big")
            advance(len(rows))
    return np.unique(digests, return_inverse=True)[1].astype(np.int64)

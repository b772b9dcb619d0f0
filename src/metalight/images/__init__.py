"""Images: decoded, checked, brought to one size, and kept memory-mapped for training and prediction."""

from metalight.images.aperture_numbers import (
    APERTURES_VERSION,
    SMALLEST_SIDE_FOR_APERTURES,
    measure_apertures,
    measure_mean_levels,
    name_apertures,
)
from metalight.images.decode import decode_image
from metalight.images.display import make_display
from metalight.images.fits_planes import open_planes
from metalight.images.identical import SMALLEST_SIDE_TO_COMPARE, label_identical
from metalight.images.kinds import DECODING_VERSION, ImageKind, find_kind
from metalight.images.petrosian_radius import PICTURE_CURVES, PetrosianRadius, measure_petrosian
from metalight.images.pixel_statistics import measure_statistics, name_statistics
from metalight.images.pixels import (
    CONTENT_FILE,
    INDEX_FILE,
    Pixels,
    PixelsReport,
    build_pixels,
    can_read_more,
    is_whole,
    list_cache_files,
    load_file_sides,
    load_pixels,
)
from metalight.images.quality import find_flaw, is_grey
from metalight.images.reading import (
    ReadImages,
    check_any_usable,
    divide_into_parts,
    read_images,
    refuse_duplicates,
)
from metalight.images.resample import crop_square, resize_area
from metalight.images.stretch import stretch_lupton, unstretch_lupton

"""ImgCutout/getjpeg: the picture of a place on the sky, as SkyServer answers for it.

What is known of the service is from the SDSS documentation and source, as collected: width and height are clipped to
64 to 2048 pixels without a word, a scale outside 0.015 to 60 arcsec/px is rejected, and a place outside the footprint
gives a black JPEG with a text, of status 404 now and of 200 in older releases.
"""

import math
import threading
from collections.abc import Mapping

import numpy as np

from metalight.simulation import (
    INSTRUMENTS,
    MAX_GALAXIES,
    Galaxy,
    SurveyDesign,
    draw_cutout,
    draw_population,
    iterate_galaxies,
)
from metalight.stand_in.answer import JPEG, Answer, build_notice, build_page, encode_jpeg, resize_jpeg
from metalight.stand_in.faults import OUTSIDE, Faults, build_lasting
from metalight.stand_in.sky import Sky

DEFAULT_SCALE_ARCSEC, DEFAULT_SIZE = 0.396127, 128
SMALLEST_SCALE_ARCSEC, LARGEST_SCALE_ARCSEC = 0.015, 60.0
SMALLEST_SIZE, LARGEST_SIZE = 64, 2048

_NEAR_ARCSEC = 2.0
_SAME_FRAME = 1e-3
"""Part by which a frame may differ from that of a file, for the rounding of what is asked."""

_WIDEST_DRAWN_ARCSEC = 900.0
"""A wider frame shows no galaxy: drawing so many of the survey's own pixels would take too long."""

_MOST_DRAWN_AT_ONCE = 2
"""The largest picture takes 700 MB to draw."""

_UNSEEN_MAGNITUDE = 60.0
_GALAXIES_AT_A_TIME = 64


class ImgCutout:
    """Answers for pictures; may be shared by threads."""

    def __init__(self, sky: Sky, faults: Faults, *, is_old_release: bool = False) -> None:
        self._sky = sky
        self._faults = faults
        self._is_old_release = is_old_release
        self._lock = threading.Lock()
        self._drawing = threading.Semaphore(_MOST_DRAWN_AT_ONCE)
        self._drawn: dict[int, list[Galaxy]] = {}

    def answer(self, parameters: Mapping[str, str]) -> Answer:
        """The answer to a request.

        Args:
            parameters: Of the query, names in small letters. Unknown ones are passed over, as by the service.
        """
        try:
            ra_deg = _read_number(parameters, "ra", None)
            dec_deg = _read_number(parameters, "dec", None)
            scale = _read_number(parameters, "scale", DEFAULT_SCALE_ARCSEC)
            width, height = (_read_size(parameters, name) for name in ("width", "height"))
            if not -90 <= dec_deg <= 90:
                raise ValueError("dec must be between -90 and 90.")
            if not SMALLEST_SCALE_ARCSEC <= scale <= LARGEST_SCALE_ARCSEC:
                raise ValueError(f"scale must be between {SMALLEST_SCALE_ARCSEC:g} and {LARGEST_SCALE_ARCSEC:g}.")
        except ValueError as error:
            status = 200 if self._is_old_release else 500
            return build_page("bad request", status, "Invalid arguments", str(error))
        if not self._sky.has_images_at(ra_deg, dec_deg) or self._faults.is_in_gap(ra_deg, dec_deg):
            if self._is_old_release:
                return build_notice("outside", 200, OUTSIDE, width, height)
            return build_notice("outside", 404, OUTSIDE, width, height, reason=f"NOT FOUND. {OUTSIDE}")
        row = self._sky.find_nearest(ra_deg, dec_deg, _NEAR_ARCSEC)
        if row is None:
            return self._draw_empty_sky(ra_deg, dec_deg, scale, width, height)
        lasting = self._faults.find_lasting(int(self._sky.object_ids[row]))
        if lasting:
            return build_lasting(lasting, width, height)
        return self._show(row, scale, width, height)

    def _show(self, row: int, scale: float, width: int, height: int) -> Answer:
        """The galaxy of a row: its file where that is what is asked for."""
        stored = self._load_stored(row)
        if (
            stored is not None
            and self._is_frame_of_file(row, scale * width)
            and _read_jpeg_size(stored)
            == (
                width,
                height,
            )
        ):
            return Answer("stored", 200, JPEG, stored)
        if self._sky.design is not None:
            galaxy = self._make_galaxy(row, self._sky.design)
            return Answer("drawn", 200, JPEG, self._draw(galaxy, self._sky.design, scale, width, height))
        if stored is not None:
            return Answer("drawn", 200, JPEG, resize_jpeg(stored, width, height))
        return self._draw_empty_sky(float(self._sky.ra_deg[row]), float(self._sky.dec_deg[row]), scale, width, height)

    def _load_stored(self, row: int) -> bytes | None:
        path = self._sky.images.get(row)
        if path is None:
            return None
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time of Path.read_bytes
                return file.read()
        except FileNotFoundError:
            return None

    def _is_frame_of_file(self, row: int, frame_arcsec: float) -> bool:
        frames = [frames[row] for frames in self._sky.frames_arcsec]
        return not frames or any(abs(frame_arcsec - frame) <= _SAME_FRAME * frame for frame in frames)

    def _make_galaxy(self, row: int, design: SurveyDesign) -> Galaxy:
        """The galaxy as the survey drew it; the table of truths is rounded."""
        galaxy = self._draw_galaxy(int(self._sky.originals[row]), design)
        return galaxy._replace(object_id=int(self._sky.object_ids[row]))

    def _draw_galaxy(self, number: int, design: SurveyDesign) -> Galaxy:
        """A galaxy of the survey by its number; drawn with its neighbours, for one alone takes nearly as long."""
        block, place = divmod(number, _GALAXIES_AT_A_TIME)
        with self._lock:
            if block not in self._drawn:
                first = design.first + block * _GALAXIES_AT_A_TIME
                num_galaxies = min(_GALAXIES_AT_A_TIME, MAX_GALAXIES - first)
                population = draw_population(num_galaxies, design.seed, design.universe, first=first)
                self._drawn[block] = list(iterate_galaxies(population))
            return self._drawn[block][place]

    def _draw(self, galaxy: Galaxy, design: SurveyDesign, scale: float, width: int, height: int) -> bytes:
        side = max(width, height)
        frame_arcsec = scale * side
        if frame_arcsec > _WIDEST_DRAWN_ARCSEC:
            galaxy, frame_arcsec = _hide(galaxy), _WIDEST_DRAWN_ARCSEC
        with self._drawing:
            jpeg = draw_cutout(
                galaxy,
                frame_arcsec=frame_arcsec,
                side=side,
                seed=design.seed,
                instrument=INSTRUMENTS[design.instrument],
                universe=design.universe,
            )
        return jpeg if width == height else _crop_middle(jpeg, width, height)

    def _draw_empty_sky(self, ra_deg: float, dec_deg: float, scale: float, width: int, height: int) -> Answer:
        """Noise and neighbours: a galaxy too faint to be seen, of a place's own."""
        design = self._sky.design or SurveyDesign()
        # Of a place of half an arcsec: the same request gives the same sky.
        place = round((dec_deg + 90) * 7200) * 2_592_000 + round(ra_deg % 360 * 7200)
        galaxy = _hide(self._draw_galaxy(0, design))._replace(object_id=place)
        return Answer("empty sky", 200, JPEG, self._draw(galaxy, design, scale, width, height))


def _read_number(parameters: Mapping[str, str], name: str, default: float | None) -> float:
    text = parameters.get(name, "")
    if not text and default is not None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"The parameter {name} is missing or is not a number.")
    return number


def _read_size(parameters: Mapping[str, str], name: str) -> int:
    text = parameters.get(name, "")
    try:
        size = int(text) if text else DEFAULT_SIZE
    except ValueError:
        raise ValueError(f"The parameter {name} is not an integer.") from None
    return min(max(size, SMALLEST_SIZE), LARGEST_SIZE)


def _read_jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG file states; None if it is none."""
    import simplejpeg

    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError:
        return None
    return width, height


def _hide(galaxy: Galaxy) -> Galaxy:
    return galaxy._replace(
        kind="quiescent",
        u_magnitude=_UNSEEN_MAGNITUDE,
        g_magnitude=_UNSEEN_MAGNITUDE,
        r_magnitude=_UNSEEN_MAGNITUDE,
        i_magnitude=_UNSEEN_MAGNITUDE,
        z_magnitude=_UNSEEN_MAGNITUDE,
    )


def _crop_middle(jpeg: bytes, width: int, height: int) -> bytes:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as picture:
        left, top = (np.array(picture.size) - (width, height)) // 2
        return encode_jpeg(picture.crop((left, top, left + width, top + height)))

"""From the light on a survey's pixels to the cutout that its server hands out.

As in the sky: colour tiles of the survey's own pixels, stretched and kept as JPEG; a cutout is resampled from such a
tile to the frame asked for, and is JPEG again. So noise is as coarse as the frame is fine.
"""

import io

import numpy as np
from PIL import Image

from metalight.images import stretch_lupton
from metalight.simulation.instrument import Instrument
from metalight.simulation.population import Galaxy
from metalight.simulation.scene import render_scene
from metalight.simulation.universe import Universe

_MARGIN = 8
"""Pixels of a tile around the frame: what is just outside shines into it."""


def draw_cutout(
    galaxy: Galaxy, *, frame_arcsec: float, side: int, seed: int, instrument: Instrument, universe: Universe
) -> bytes:
    """The JPEG file of a galaxy's cutout.

    Args:
        galaxy: What to draw.
        frame_arcsec: Side of the frame on the sky.
        side: Pixels on a side.
        seed: Seed of the survey. The image depends on it and on the galaxy's identifier, and on nothing else.
        instrument: What sees it.
        universe: Its laws.
    """
    generator = np.random.default_rng([seed, galaxy.object_id])
    num_native = int(np.ceil(frame_arcsec / instrument.pixel_arcsec)) + 2 * _MARGIN
    light = render_scene(galaxy, instrument, universe, num_native, generator)
    levels = stretch_lupton(np.moveaxis(light, 0, -1), instrument.lupton)
    tile = Image.open(io.BytesIO(_encode(Image.fromarray(levels), instrument.tile_quality)))
    middle, half = num_native / 2, frame_arcsec / instrument.pixel_arcsec / 2
    box = (middle - half, middle - half, middle + half, middle + half)
    frame = tile.convert("RGB").resize((side, side), Image.Resampling.BILINEAR, box=box)
    return _encode(frame, instrument.cutout_quality)


def _encode(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()

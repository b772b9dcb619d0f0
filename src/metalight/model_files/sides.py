"""The sides in pixels that a backbone is tried with, where it may take no images as small as those at hand."""

SMALL_SIDE_PX = 64
"""From this side on every backbone has maps of features left to pool, unless it is made for certain sides."""

SIDE_STEP_PX = 32
"""Pixels of the image for each pixel of a backbone's last maps; some backbones take only multiples of it."""


def list_sides(side: int) -> list[int]:
    """Sides to try: the images' own; doubled while small, so that all pixels are repeated alike; the next multiple."""
    sides = [side]
    while sides[-1] < SMALL_SIDE_PX:
        sides.append(2 * sides[-1])
    return [*sides, -(-side // SIDE_STEP_PX) * SIDE_STEP_PX]

"""Small skies that several tests need, and distances on them by another formula than the code's."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sky:
    object_ids: npt.NDArray[np.int64]
    ra_deg: Floats
    dec_deg: Floats
    frame_arcsec: Floats

    def take(self, rows: npt.NDArray[np.intp]) -> "Sky":
        return Sky(self.object_ids[rows], self.ra_deg[rows], self.dec_deg[rows], self.frame_arcsec[rows])


def measure_separations(sky: Sky) -> Floats:
    """Between all galaxies, arcsec, by the haversine formula."""
    ra, dec = np.deg2rad(sky.ra_deg), np.deg2rad(sky.dec_deg)
    haversine = np.sin((dec[:, None] - dec) / 2) ** 2
    haversine += np.cos(dec[:, None]) * np.cos(dec) * np.sin((ra[:, None] - ra) / 2) ** 2
    separations: Floats = np.rad2deg(2 * np.arcsin(np.sqrt(np.minimum(haversine, 1)))) * 3600
    return separations


def compute_links(sky: Sky, link_arcsec: float) -> Floats:
    """How far apart each two galaxies may be to be linked, arcsec."""
    half_diagonals = sky.frame_arcsec / 2 * np.sqrt(2)
    links: Floats = np.maximum(link_arcsec, half_diagonals[:, None] + half_diagonals)
    return links


def join_by_hand(object_ids: npt.NDArray[np.int64], is_linked: npt.NDArray[np.bool_]) -> list[int]:
    """The smallest identifier of each galaxy's component, by walking from galaxy to galaxy."""
    groups = [-1] * len(object_ids)
    for start in np.argsort(object_ids).tolist():
        waiting = [start] if groups[start] < 0 else []
        while waiting:
            row = waiting.pop()
            if groups[row] < 0:
                groups[row] = int(object_ids[start])
                waiting += np.flatnonzero(is_linked[row]).tolist()
    return groups


_CENTRES = [(0.0, 0.0), (359.9999, 45.0), (123.0, -60.0), (10.0, 89.995), (200.0, 90.0), (80.0, -89.999)]


@st.composite
def skies(draw: st.DrawFn, max_size: int = 30) -> Sky:
    """Some clumps and chains within a few arcmin, about the poles and on both sides of right ascension 0 too."""
    num = draw(st.integers(1, max_size))
    seed = draw(st.integers(0, 2**32))
    spread_arcsec = draw(st.sampled_from([0.0, 5.0, 40.0, 90.0, 300.0]))
    largest_frame = draw(st.sampled_from([0.0, 30.0, 80.0, 300.0]))
    generator = np.random.default_rng(seed)
    centres = np.array(_CENTRES)[generator.integers(0, len(_CENTRES), num)]
    return scatter(generator, centres, spread_arcsec, largest_frame)


def scatter(generator: np.random.Generator, centres: Floats, spread_arcsec: float, largest_frame: float) -> Sky:
    """Galaxies about centres (ra, dec; degrees), also across the pole."""
    num = len(centres)
    offsets = generator.normal(0, 1, (num, 2)) * spread_arcsec / 3600
    ra0, dec0 = np.deg2rad(centres).T
    # On the plane that touches the sphere at the centre, and back.
    x, y = np.deg2rad(offsets).T
    point = np.stack(
        [
            np.cos(dec0) * np.cos(ra0) - x * np.sin(ra0) - y * np.sin(dec0) * np.cos(ra0),
            np.cos(dec0) * np.sin(ra0) + x * np.cos(ra0) - y * np.sin(dec0) * np.sin(ra0),
            np.sin(dec0) + y * np.cos(dec0),
        ]
    )
    dec = np.arctan2(point[2], np.hypot(point[0], point[1]))
    ra = np.rad2deg(np.arctan2(point[1], point[0])) % 360
    object_ids = generator.permutation(10 * num)[:num].astype(np.int64) + 1237648720693755918
    return Sky(object_ids, ra, np.rad2deg(dec), generator.uniform(0, largest_frame, num))


def turn(sky: Sky, seed: int) -> Sky:
    """The same galaxies on a sky that is turned at random, in all three directions."""
    ra, dec = np.deg2rad(sky.ra_deg), np.deg2rad(sky.dec_deg)
    points = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    axes, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    x, y, z = axes @ points
    turned_dec = np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    return Sky(sky.object_ids, np.rad2deg(np.arctan2(y, x)) % 360, turned_dec, sky.frame_arcsec)

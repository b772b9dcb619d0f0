"""Numbers that baselines see of a galaxy, in sets, and why a set is not available."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_COLOURS = ("u_g", "g_r", "r_i", "i_z")


@dataclass(frozen=True)
class FeatureSet:
    """Numbers that a baseline learns from."""

    words: str
    """Description for a table."""

    properties: tuple[str, ...] = ()
    """Names of `metalight.catalog.PROPERTIES`, where they come from the catalogue."""

    image: Literal["", "apertures", "levels"] = ""
    """Which numbers, where they are measured on the images."""


FEATURE_SETS = {
    "nothing": FeatureSet("nothing"),
    "gri": FeatureSet("magnitudes g, r, i", ("magnitude_g", "magnitude_r", "magnitude_i")),
    "ugriz": FeatureSet("magnitudes u, g, r, i, z", tuple(f"magnitude_{band}" for band in "ugriz")),
    "colours": FeatureSet("u−g, g−r, r−i, i−z", _COLOURS),
    "colours_r": FeatureSet("the colours, magnitude r", (*_COLOURS, "magnitude_r")),
    "pixel": FeatureSet("image of one pixel", image="levels"),
    "apertures": FeatureSet("rings, shape in the image", image="apertures"),
    "mass": FeatureSet("stellar mass", ("log_mass",)),
}
"""By name."""


@dataclass(frozen=True, eq=False)
class Galaxies:
    """Some galaxies, and all that a baseline may see of them; every array has one row a galaxy, in the same order."""

    object_ids: npt.NDArray[np.int64]

    properties: Mapping[str, FloatArray]
    """Those of the catalogue by the names of `metalight.catalog.PROPERTIES`, NaN where a galaxy lacks one."""

    images: Mapping[str, FloatArray]
    """(galaxy, number) of the images: `apertures`, `levels`; those that were measured."""

    why_not: Mapping[str, str]
    """Of numbers of images that could not be measured, why: words that stand after a name."""


def find_lack(wanted: FeatureSet, galaxies: Galaxies) -> str:
    """Why numbers cannot be had of any galaxy: words that stand after a name; empty if they can."""
    lacking = [name for name in wanted.properties if name not in galaxies.properties]
    if lacking:
        return f"the catalogue has no {', '.join(_name_columns(lacking, galaxies))}"
    if wanted.image and wanted.image not in galaxies.images:
        return galaxies.why_not.get(wanted.image, "not measured")
    return ""


def _name_columns(lacking: list[str], galaxies: Galaxies) -> list[str]:
    """What to add to a catalogue: of colours the magnitudes that they follow from, if those are not there."""
    wanted: list[str] = []
    for name in lacking:
        magnitudes = [f"magnitude_{band}" for band in name.split("_")] if name in _COLOURS else []
        wanted += [each for each in magnitudes if each not in galaxies.properties] or [name]
    return sorted(set(wanted), key=lambda name: [*FEATURE_SETS["ugriz"].properties, *wanted].index(name))


def build_features(wanted: FeatureSet, galaxies: Galaxies) -> FloatArray:
    """The numbers (galaxy, number), NaN where a galaxy lacks one.

    Raises:
        KeyError: They cannot be had: `find_lack` says so.
    """
    columns = [galaxies.properties[name][:, None] for name in wanted.properties]
    columns += [galaxies.images[wanted.image]] if wanted.image else []
    empty = np.empty((len(galaxies.object_ids), 0))
    return np.concatenate([empty, *columns], axis=1).astype(np.float64)

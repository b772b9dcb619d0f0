"""The cutout to request for each galaxy, and why some cannot be requested."""

import numpy as np
import pandas as pd

from metalight.cutouts.services import CutoutService


def list_wanted(galaxies: pd.DataFrame, service: CutoutService) -> pd.DataFrame:
    """The columns of `store.AskedCutout`, and of galaxies that cannot be asked for the kind of refusal and the flaw.

    Args:
        galaxies: Columns object_id (int64, each once), ra, dec (degrees), frame_arcsec (side of the image on the sky;
            NaN where it is not known).
        service: Where to ask.

    Raises:
        ValueError: A galaxy is there twice, or its identifier is not an integer.
    """
    if galaxies["object_id"].dtype != np.int64 or galaxies["object_id"].duplicated().any():
        raise ValueError("object_id must be int64, and each of them once")
    ra, dec, frame = (galaxies[name].to_numpy(dtype=np.float64) for name in ("ra", "dec", "frame_arcsec"))
    scale = frame / service.side
    kinds, flaws = (np.full(len(galaxies), "", dtype=object) for _ in range(2))
    smallest, largest = service.scale_limits_arcsec
    # The last one that fits is told: a place comes before a size.
    for is_flawed, kind, flaw in (
        (scale > largest, "no_size", f"its image would have more than {largest:g} arcsec a pixel, the most that "),
        (scale < smallest, "no_size", f"its image would have less than {smallest:g} arcsec a pixel, the least that "),
    ):
        kinds[is_flawed], flaws[is_flawed] = kind, f"{flaw}{service.name} gives"
    for is_flawed, kind, flaw in (
        (~(frame > 0), "no_size", "has no size on the sky, such as petroR90_r, that tells how much to show"),
        (~((dec >= -90) & (dec <= 90)), "bad_position", "has no declination from -90 to 90 degrees"),
        (~((ra >= 0) & (ra <= 360)), "bad_position", "has no right ascension from 0 to 360 degrees"),
    ):
        kinds[is_flawed], flaws[is_flawed] = kind, flaw
    return pd.DataFrame(
        {
            "object_id": galaxies["object_id"].to_numpy(),
            "source": _name_origin(service),
            # 360 degrees are 0: not every service knows.
            "ra_deg": np.where(ra == 360, 0.0, ra),
            "dec_deg": dec,
            "pixel_scale_arcsec": scale,
            "width": service.side,
            "height": service.side,
            "kind": kinds,
            "flaw": flaws,
        }
    )


def _name_origin(service: CutoutService) -> str:
    """What a store knows the service's images by.

    A user may call the images of any service alike, and what one gave must not be taken for what another would give.
    """
    if service.source == service.usual_source:
        return service.source
    return f"{service.source} ({service.usual_source})"

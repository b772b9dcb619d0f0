"""What the authors published of scatter against image size, on their 20,466 test galaxies, in dex.

Read from the vector figure 4 of the paper (Wu & Boada 2019); the forests from the authors' notebooks.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scatter:
    """RMSE and NMAD of the residuals, dex."""

    rmse: float
    nmad: float


BY_SIDE = {
    128: Scatter(0.0851, 0.0668),
    64: Scatter(0.0893, 0.0703),
    32: Scatter(0.0928, 0.0715),
    16: Scatter(0.1053, 0.0815),
    8: Scatter(0.1125, 0.0870),
    4: Scatter(0.1290, 0.1022),
    2: Scatter(0.1587, 0.1198),
    1: Scatter(0.1610, 0.1251),
}
"""By the side of the images in pixels."""

PREDICT_THE_MEAN = Scatter(0.2002, 0.1709)
"""Its RMSE is σ, the spread of the truth."""

FOREST = Scatter(0.1296, 0.1059)
"""Of the magnitudes g, r and i, with 40 trees of leaves of at least 8 galaxies, the settings of Acquaviva (2016);
as drawn in the figure, with 10 trees: 0.1380 and 0.1162."""

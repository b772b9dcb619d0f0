"""What the paper and its draft state, to set ours beside: Wu & Boada 2019 (MNRAS 484, 4683), in dex unless told.

Values of figures are read from the vector figures of the authors' repository, good to about 0.002 dex. They are of the
authors' 20,466 test galaxies, whose metallicities spread by 0.2002 dex: of another sample, compare RMSE / σ.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scatter:
    """RMSE and NMAD of residuals, dex."""

    rmse: float
    nmad: float


SIGMA = 0.2002
"""Standard deviation of the metallicities of the test galaxies, which is the RMSE of predicting their mean."""

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
"""Of metallicity, by the side of the images in pixels; figure 4."""

PREDICT_THE_MEAN = Scatter(SIGMA, 0.1709)
"""Figure 4."""

FORESTS = {"forest_gri": Scatter(0.1296, 0.1059), "forest_10_gri": Scatter(0.1380, 0.1162)}
"""Random forests on magnitudes in g, r and i: with 40 trees of leaves of at least 8 galaxies, the settings of Acquaviva
(2016), which is the abstract's 0.130; and with the 10 trees that figure 4 draws; the authors' notebooks."""

BY_BANDS = {"r": 0.138, "gr": 0.0915, "gri": 0.0851}
"""RMSE by the bands of the images, as a later work quotes the paper."""

STELLAR_MASS = Scatter(0.2229, 0.1985)
"""Of predicted stellar mass; figure 5. The draft, section 5, calls 0.22 its NMAD, which is its RMSE."""

ROUTES = {
    "direct": BY_SIDE[128],
    "predicted about Tremonti 2004 at measured mass": Scatter(0.0997, 0.0802),
    "measured mass through Tremonti 2004": Scatter(0.1175, 0.0989),
    "predicted mass through Tremonti 2004": Scatter(0.1208, 0.1008),
}
"""Of metallicity by the way it is told, of up to 20,409 galaxies with masses; figures 5 and 6 and the abstract."""

SCATTER_RATIOS = {
    "predicted metallicity": (0.821, 0.077),
    "predicted metallicity, measured one from 8.25 to 9.15": (0.836, 0.103),
    "predicted mass": (0.811, 0.057),
}
"""Weighted mean and error of NMAD(predicted) / NMAD(measured) of metallicities at a mass, by what is predicted: the
draft, section 5, and the authors' notebook 11."""

NUM_SELECTED, NUM_WITH_IMAGE = 142_186, 116_429
"""Galaxies that pass the cuts, of which the draft has 142,176, and of them those with an image."""

NUM_BY_SET = {"train": 76_772, "validation": 19_192, "test": 20_466}

METALLICITY = {
    "r2": 0.819,
    "median_bias": -0.0060,
    "predicted_min": 8.1297,
    "predicted_max": 9.1999,
    "nmad_over_rmse": 0.785,
    "rmse_over_sigma": 0.425,
}
"""Of predicted metallicity, by the names of `metalight.metrics.compute_metrics` where they have one; figure 2."""

DRAFT_FRACTION_OUTSIDE = 0.20
"""Of the test galaxies, that with predictions below 8.5 or above 9.1; the draft, section 4. The predictions that the
authors published have 0.109."""

DRAFT_BINNED_NMAD = 0.05
"""Weighted average of the NMAD in bins of truth; the draft, section 4. Its own figure 2 gives 0.0624."""

BINS_OF_TRUTH = {
    8.2: (8.3397, 0.1900, 0.0988),
    8.3: (8.4377, 0.1838, 0.1067),
    8.4: (8.5156, 0.1622, 0.1070),
    8.5: (8.5806, 0.1559, 0.1163),
    8.6: (8.6396, 0.1267, 0.1051),
    8.7: (8.7448, 0.1055, 0.0864),
    8.8: (8.8260, 0.0853, 0.0761),
    8.9: (8.9126, 0.0702, 0.0657),
    9.0: (8.9976, 0.0564, 0.0512),
    9.1: (9.0597, 0.0588, 0.0380),
    9.2: (9.1030, 0.0930, 0.0390),
    9.3: (9.1189, 0.1834, 0.0398),
}
"""Median prediction, RMSE and NMAD by the centre of the bin of the true value; figure 2."""

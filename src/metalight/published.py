"""Values of the paper and its draft, to compare ours with: Wu & Boada 2019 (MNRAS 484, 4683), in dex unless told.

Values of figures are read from the vector figures of the authors' repository, good to about 0.002 dex. They are of the
authors' 20,466 test galaxies, whose metallicities spread by 0.2002 dex: of another sample, compare RMSE / σ.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scatter:
    """RMSE and NMAD of residuals, dex."""

    rmse: float
    nmad: float
    source: str = ""
    """Where the paper, its draft or its authors have it."""


SIGMA = 0.2002
"""Standard deviation of the metallicities of the test galaxies, which is the RMSE of predicting their mean."""

BY_SIDE = {
    128: Scatter(0.0851, 0.0668, "figure 4"),
    64: Scatter(0.0893, 0.0703, "figure 4"),
    32: Scatter(0.0928, 0.0715, "figure 4"),
    16: Scatter(0.1053, 0.0815, "figure 4"),
    8: Scatter(0.1125, 0.0870, "figure 4"),
    4: Scatter(0.1290, 0.1022, "figure 4"),
    2: Scatter(0.1587, 0.1198, "figure 4"),
    1: Scatter(0.1610, 0.1251, "figure 4"),
}
"""Of metallicity, by the side of the images in pixels."""

PREDICT_THE_MEAN = Scatter(SIGMA, 0.1709, "figure 4")

FORESTS = {
    "forest_gri": Scatter(0.1296, 0.1059, "the authors' notebooks"),
    "forest_10_gri": Scatter(0.1380, 0.1162, "figure 4"),
}
"""Random forests on magnitudes in g, r and i: with 40 trees of leaves of at least 8 galaxies, the settings of Acquaviva
(2016), which is the abstract's 0.130; and with the 10 trees that figure 4 draws."""

BY_BANDS = {"r": 0.138, "gr": 0.0915, "gri": 0.0851}
"""RMSE by the bands of the images, as a later work quotes the paper."""

STELLAR_MASS = Scatter(0.2229, 0.1985, "figure 5")
"""Of predicted stellar mass. The draft, section 5, calls 0.22 its NMAD, which is its RMSE."""

ROUTES = {
    "direct": Scatter(0.0849, 0.0666, "the authors' notebooks"),
    "predicted about Tremonti 2004 at measured mass": Scatter(0.0997, 0.0802, "figure 6"),
    "measured mass through Tremonti 2004": Scatter(0.1175, 0.0989, "the authors' notebooks"),
    "predicted mass through Tremonti 2004": Scatter(0.1208, 0.1008, "figure 5"),
}
"""Of metallicity by the way it is told, of up to 20,409 galaxies with masses, of which the direct way has those above
8.5: like is compared with like. The abstract rounds that about Tremonti et al. to 0.10."""


@dataclass(frozen=True)
class Ratio:
    """A ratio with its error."""

    value: float
    error: float
    source: str


SCATTER_RATIOS = {
    "predicted metallicity": Ratio(0.821, 0.077, "the draft, section 5"),
    "predicted metallicity, measured one from 8.25 to 9.15": Ratio(0.836, 0.103, "the authors' notebooks"),
    "predicted mass": Ratio(0.811, 0.057, "the draft, section 5"),
}
"""Weighted mean and error of NMAD(predicted) / NMAD(measured) of metallicities at a mass, by what is predicted."""

NUM_SELECTED, NUM_WITH_IMAGE = 142_186, 116_429
"""Galaxies that pass the cuts, of which the draft has 142,176, and of them those with an image."""

NUM_BY_SET = {"train": 76_772, "validation": 19_192, "test": 20_466}

METALLICITY = {
    "r2": 0.819,
    "median_bias": -0.0060,
    "predicted_std": 0.1748,
    "predicted_min": 8.1297,
    "predicted_max": 9.1999,
    "nmad_over_rmse": 0.785,
    "rmse_over_sigma": 0.425,
}
"""Of predicted metallicity, by the names of `metalight.metrics.compute_metrics` where they have one; figure 2."""

DRAFT_FRACTION_OUTSIDE = 0.20
"""Of the test galaxies, that with predictions below 8.5 or above 9.1; the draft, section 4. The predictions that the
authors published have 0.109."""

BINNED_NMAD = 0.0624
"""Average of the NMAD in bins of truth, weighted by their galaxies: what the points of figure 2 give."""

DRAFT_BINNED_NMAD = 0.05
"""Weighted average of the NMAD in bins of truth; the draft, section 4. It is the one by inverse variance, N / NMAD²: of
the points of figure 2 that is 0.0500."""

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

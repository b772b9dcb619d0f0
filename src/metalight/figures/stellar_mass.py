"""Predicted stellar masses, and the metallicities that follow from them: the paper's figure 5, the draft's figure 4."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from metalight.figures.prediction_summary import PredictionSummary, compute_summary, draw_summary
from metalight.figures.style import make_figure, save_figure, save_numbers, use_style
from metalight.scaling_relations import TREMONTI_2004

MASS_NAME = r"$\log_{10}(M_\star/M_\odot)$"
METALLICITY_NAME = "12 + log(O/H)"

MASS_BINS = (np.round(np.arange(8.4, 11.3, 0.2), 1), 0.1)
"""Centres and half width of the bins of mass in the paper's figure 5, in dex."""

_DPI = 150


def draw_stellar_mass(
    true_log_mass: npt.ArrayLike,
    predicted_log_mass: npt.ArrayLike,
    true_metallicity: npt.ArrayLike,
    *,
    path_stem: Path,
) -> list[Path]:
    """Draw and save two panels like the paper's figure 2, as PNG and PDF, and their bins as CSV.

    To the left predicted against true mass. To the right the metallicity of the relation of Tremonti et al. (2004) at
    the predicted mass against the true metallicity, where that mass is within the relation's range.

    Args:
        true_log_mass: log10(M*/Msun) with the initial mass function of Kroupa, shape (galaxies,).
        predicted_log_mass: Likewise.
        true_metallicity: 12 + log10(O/H) on the scale of Tremonti et al. (2004).
        path_stem: Where to write, without a suffix.

    Returns:
        The paths written; `_through_relation.csv` has the bins of the right panel. None if fewer than 2 galaxies have
        both masses, or both metallicities.
    """
    by_mass = compute_metallicity_by_mass(predicted_log_mass)
    for both in ((true_log_mass, predicted_log_mass), (true_metallicity, by_mass)):
        if np.sum(np.all([np.isfinite(np.asarray(each, dtype=np.float64)) for each in both], axis=0)) < 2:
            return []
    masses = compute_summary(true_log_mass, predicted_log_mass, bins=MASS_BINS)
    metallicities = compute_summary(true_metallicity, by_mass)
    with use_style():
        paths = save_figure(build_figure(masses, metallicities), path_stem, dpi=_DPI)
    for summary, ending in ((masses, ""), (metallicities, "_through_relation")):
        bins: pd.DataFrame = summary.bins.assign(rmse_of_all=summary.rmse, nmad_of_all=summary.nmad)
        paths.append(save_numbers(bins, path_stem, ending))
    return paths


def compute_metallicity_by_mass(log_mass: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """12 + log10(O/H) of Tremonti et al. (2004), eq. 3, at masses for the same initial mass function; NaN beyond."""
    return TREMONTI_2004.predict(log_mass, imf=TREMONTI_2004.imf, scale=TREMONTI_2004.scale)


def build_figure(masses: PredictionSummary, metallicities: PredictionSummary) -> Figure:
    """The figure of two panels of 7 × 7 inches."""
    figure = make_figure(14, 7)
    grid = figure.add_gridspec(1, 2, wspace=0)
    left, right = (figure.add_subfigure(grid[column]) for column in range(2))
    draw_summary(left, masses, (f"True {MASS_NAME}", f"Predicted {MASS_NAME}"), "dex")
    by_mass = f"{METALLICITY_NAME} by predicted mass"
    draw_summary(right, metallicities, (f"True {METALLICITY_NAME}", by_mass), "dex")
    return figure

"""How true and predicted values are distributed: the paper's figure 3."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalight.evaluation import find_scorable
from metalight.figures.prediction_summary import format_scatter
from metalight.figures.style import BLACK, RMSE_RED, escape_math, make_figure, save_figure, save_numbers, use_style

_NUM_BINS, _FEWEST_BINS = 40, 8
_DPI = 150


def draw_value_distributions(
    truth: npt.ArrayLike, predicted: npt.ArrayLike, *, path_stem: Path, name: str = "12 + log(O/H)", unit: str = "dex"
) -> list[Path]:
    """Draw and save histograms of true and predicted values over the same bins, as PNG and PDF, and them as CSV.

    Predictions spread less than the truth: what an image does not tell is not predicted (the paper, section 4).

    Args:
        truth: True values, shape (galaxies,); galaxies without a true value or a prediction are left out.
        predicted: Predictions, shape (galaxies,).
        path_stem: Where to write, without a suffix.
        name: What is predicted, for the axis.
        unit: Its unit; empty if it has none.

    Returns:
        The paths written.

    Raises:
        EvaluationError: Fewer than 2 galaxies have both values.
    """
    truth, predicted = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    is_scorable = find_scorable(truth, predicted)
    truth, predicted = truth[is_scorable], predicted[is_scorable]
    histograms = compute_histograms_of_both(truth, predicted)
    spreads = float(np.std(truth)), float(np.std(predicted))
    with use_style():
        paths = save_figure(build_figure(histograms, spreads, name, unit), path_stem, dpi=_DPI)
    return [*paths, save_numbers(histograms, path_stem)]


def compute_histograms_of_both(truth: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Columns low, high, num_true, num_predicted: 40 bins of the same width over all values, fewer for few galaxies."""
    low, high = (float(edge) for edge in (min(truth.min(), predicted.min()), max(truth.max(), predicted.max())))
    if low == high:
        low, high = low - 0.5, high + 0.5
    num_bins = min(_NUM_BINS, max(_FEWEST_BINS, round(2 * len(truth) ** 0.5)))
    edges = np.linspace(low, high, num_bins + 1)
    num_true, num_predicted = (np.histogram(values, bins=edges)[0] for values in (truth, predicted))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "num_true": num_true, "num_predicted": num_predicted})


def build_figure(histograms: pd.DataFrame, spreads: tuple[float, float], name: str, unit: str) -> Figure:
    """The figure: true values in black, predictions in red and thicker, so that both are told apart without colour."""
    figure = make_figure(6, 4.6)
    axes = figure.add_axes((0.155, 0.155, 0.81, 0.81))
    name, unit = escape_math(name), escape_math(unit)
    edges = np.append(histograms["low"].to_numpy(), histograms["high"].iloc[-1])
    told = f" {unit}" if unit else ""
    for column, label, spread, colour, width in (
        ("num_true", "true", spreads[0], BLACK, 1.5),
        ("num_predicted", "predicted", spreads[1], RMSE_RED, 2.8),
    ):
        # The spread is part of the figure's message: that of the predictions is the smaller one.
        label = f"{label}, σ = {format_scatter(spread)}{told}"
        axes.stairs(histograms[column].to_numpy(), edges, color=colour, lw=width, label=label)
    margin = 0.02 * (edges[-1] - edges[0])  # a bar at an end must not lie on the frame
    axes.set_xlim(edges[0] - margin, edges[-1] + margin)
    axes.set_ylim(0, 1.25 * max(1, int(histograms[["num_true", "num_predicted"]].to_numpy().max())))
    axes.set_xlabel(name if unit in ("", "dex") else f"{name} [{unit}]")
    axes.set_ylabel("Galaxies")
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.legend(loc="upper left")
    return figure

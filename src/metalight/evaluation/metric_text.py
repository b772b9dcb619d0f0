"""How metrics and their values are written for people: names, decimals, intervals, columns of a table."""

import math
from collections.abc import Sequence

from metalight.intervals import Interval

_LABELS = {
    "rmse": ("RMSE", True),
    "nmad": ("NMAD", True),
    "mean_bias": ("mean residual", True),
    "median_bias": ("median residual", True),
    "mae": ("mean |residual|", True),
    "r2": ("R²", False),
    "fraction_over_3_nmad": ("fraction |residual| > 3 NMAD", False),
    "fraction_over_5_nmad": ("fraction |residual| > 5 NMAD", False),
    "fraction_over_0.2": ("fraction |residual| > 0.2", True),
    "fraction_over_0.3": ("fraction |residual| > 0.3", True),
    "std": ("std of residuals", True),
    "fraction_within_0.1": ("fraction |residual| < 0.1", True),
    "max_abs_residual": ("largest |residual|", True),
    "nmad_over_rmse": ("NMAD / RMSE", False),
    "rmse_over_sigma": ("RMSE / σ(truth)", False),
    "pearson_r": ("Pearson's r", False),
    "slope_predicted_on_true": ("slope, predicted on true", False),
    "intercept_predicted_on_true": ("intercept, predicted on true", True),
    "slope_true_on_predicted": ("slope, true on predicted", False),
    "intercept_true_on_predicted": ("intercept, true on predicted", True),
    "rmse_calibrated": ("RMSE after linear calibration", True),
    "predicted_std": ("std of predictions", True),
    "predicted_min": ("lowest prediction", True),
    "predicted_max": ("highest prediction", True),
}
"""How the table names each metric, and whether the unit of the target belongs there."""

SHOWN = (
    *("rmse", "nmad", "mean_bias", "median_bias", "mae", "r2"),
    *("fraction_over_3_nmad", "fraction_over_5_nmad", "fraction_over_0.2", "fraction_over_0.3"),
)
"""The metrics that a printed table of scores shows; metrics.json has all."""

COMPARED = (*SHOWN, "std", "fraction_within_0.1", "pearson_r", "slope_true_on_predicted")
"""Those that a printed comparison shows; comparison.json has all."""


_MOST_DECIMALS = 9
_LARGEST_PLAIN = 1e7
"""Beyond either a number is written with a power of ten."""


def format_label(name: str, unit: str) -> str:
    """The metric's name in a table, with the unit of the target where it has one."""
    label, has_unit = _LABELS.get(name, (name, False))
    if not (has_unit and unit):
        return label
    return f"{label} {unit}" if name.startswith("fraction") else f"{label} ({unit})"


def has_unit(name: str) -> bool:
    """Whether the values of the metric are in the unit of the target; a fraction of the galaxies never is."""
    return _LABELS.get(name, (name, False))[1] and not name.startswith("fraction")


def choose_decimals(rmse: float) -> int:
    """Four, as suits dex; more of residuals that are so small that four would hide them, and fewer of large ones."""
    power = 0 if rmse == 0 else math.floor(math.log10(rmse))
    return max(4, 2 - power) if power < 1 else max(0, 4 - power)


def choose_decimals_of(name: str, decimals: int) -> int:
    """Those of a metric in a table in which `decimals` suit the unit of the target."""
    return decimals if has_unit(name) else 4


def format_number(value: float, decimals: int, *, sign: str = "") -> str:
    """The rounded value, or a dash if it is not defined; `sign` is `+` for a difference, which shows both signs.

    Values that would fill a line, as those of a flux or of a mass in suns, are written with a power of ten.
    """
    if math.isfinite(value) and (decimals > _MOST_DECIMALS or abs(value) >= _LARGEST_PLAIN):
        return f"{value:{sign}.4g}"
    # Adding 0 turns the −0 of a rounded residual into 0.
    return f"{round(value, decimals) + 0:{sign},.{decimals}f}" if math.isfinite(value) else "–"


def format_percentage(fraction: float) -> str:
    """`0.49 %`, `20 %`: two digits, and all of those before the point."""
    percent = 100 * fraction
    return f"{percent:.0f} %" if percent >= 99.5 else f"{percent:.2g} %"


def format_interval(metric: Interval, decimals: int, *, sign: str = "") -> str:
    """`0.0841 to 0.0858`, or a dash if it is not defined."""
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return "–"
    return f"{format_number(metric.low, decimals, sign=sign)} to {format_number(metric.high, decimals, sign=sign)}"


def align_rows(rows: Sequence[Sequence[str]], *, num_left: int = 1) -> list[str]:
    """Lines of a plain-text table, a rule below the first; all but the first `num_left` columns end flush right."""
    padded = pad_columns(rows, [column < num_left for column in range(len(rows[0]))])
    padded.insert(1, ["─" * len(cell) for cell in padded[0]])
    return ["  ".join(row).rstrip() for row in padded]


def pad_columns(rows: Sequence[Sequence[str]], is_left: Sequence[bool]) -> list[list[str]]:
    """The same cells, those of a column equally wide: words of the columns that `is_left` are on the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, is_left, strict=True)
        ]
        for row in rows
    ]

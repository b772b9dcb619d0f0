"""How the training went: loss, validation error and learning rates, mini-batch by mini-batch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from metalight.figures.style import (
    FAINT_GREY,
    GROUP_COLOURS,
    LOSS_COLOUR,
    VALIDATION_COLOUR,
    escape_math,
    make_figure,
    save_figure,
    save_numbers,
    use_style,
)

_DPI = 150
_FEW_STEPS = 30
# Where the groups share one rate, as in the paper's code, every line must show through the ones above it.
_GROUP_LINES = {"early": (4.5, "-"), "late": (2.5, "-"), "head": (1.3, "--")}

FloatArray = npt.NDArray[np.float64]


def draw_training_history(history: pd.DataFrame, *, path_stem: Path, name: str, unit: str) -> list[Path]:
    """Draw and save loss and learning rates of a training, as PNG and PDF, and the numbers as CSV.

    The CSV is the history with one column more, train_loss_smoothed: the bold line.

    Args:
        history: One row a mini-batch, in order: phase, epoch (from 0 on over all phases), step (global), train_loss (of
            scaled targets), validation_rmse (of one target, in its unit; NaN but on the last step of an epoch) and
            learning_rate_early, learning_rate_late, learning_rate_head (NaN where the group is frozen).
        path_stem: Where to write, without a suffix.
        name: Which of several targets the validation RMSE is of; empty if there is one.
        unit: Unit of that target; empty if it has none.

    Returns:
        The paths written.

    Raises:
        ValueError: There is no row, or a column is missing.
    """
    rates = [f"learning_rate_{group}" for group in GROUP_COLOURS]
    missing = {"phase", "epoch", "step", "train_loss", "validation_rmse", *rates} - set(history.columns)
    if missing or len(history) == 0:
        raise ValueError(f"history lacks {', '.join(sorted(missing)) or 'rows'}; draw it after the first mini-batch")
    history = history.assign(train_loss_smoothed=smooth_loss(history["train_loss"].to_numpy(dtype=np.float64)))
    with use_style():
        paths = save_figure(build_figure(history, name, unit), path_stem, dpi=_DPI)
    return [*paths, save_numbers(history, path_stem)]


def smooth_loss(losses: FloatArray) -> FloatArray:
    """Running mean over a fiftieth of all steps, centred; at the ends over the steps that there are."""
    window = 2 * (len(losses) // 100) + 1
    smoothed: FloatArray = pd.Series(losses).rolling(window, center=True, min_periods=1).mean().to_numpy()
    return smoothed


def find_phases(history: pd.DataFrame) -> list[tuple[str, int]]:
    """Name and first step of each phase, in order; a name that comes back is a phase of its own."""
    is_first = history["phase"] != history["phase"].shift()
    return [(str(name), int(step)) for name, step in history.loc[is_first, ["phase", "step"]].to_numpy()]


def build_figure(history: pd.DataFrame, name: str, unit: str) -> Figure:
    """The figure of 10 × 7 inches: losses above, learning rates below. `history` has train_loss_smoothed."""
    figure = make_figure(10, 7)
    grid = figure.add_gridspec(5, 1, left=0.095, right=0.905, bottom=0.09, top=0.9, hspace=0.15)
    loss_axes = figure.add_subplot(grid[:3])
    rate_axes = figure.add_subplot(grid[3:], sharex=loss_axes)
    first, last = int(history["step"].iloc[0]), int(history["step"].iloc[-1])
    margin = max(0.5, 0.01 * (last - first))
    rate_axes.set_xlim(first - margin, last + margin)
    rate_axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    _draw_losses(loss_axes, history, name, unit)
    _draw_rates(rate_axes, history)
    _mark_phases(loss_axes, rate_axes, find_phases(history))
    return figure


def _draw_losses(axes: Axes, history: pd.DataFrame, name: str, unit: str) -> None:
    marker = "." if len(history) < _FEW_STEPS else ""
    steps, losses, smoothed = (history[column] for column in ("step", "train_loss", "train_loss_smoothed"))
    # Of a short training the running mean is over one mini-batch: one line says it all.
    is_smoothed = not smoothed.equals(losses)
    if is_smoothed:
        axes.plot(steps, losses, color=LOSS_COLOUR, lw=0.7, alpha=0.35, label="training loss, each mini-batch")
    label = "training loss, running mean" if is_smoothed else "training loss, each mini-batch"
    axes.plot(steps, smoothed, color=LOSS_COLOUR, lw=2.2, marker=marker, label=label)
    axes.set_ylim(*_choose_loss_range(history))
    axes.set_ylabel("Training loss (scaled targets)", color=LOSS_COLOUR)
    axes.tick_params(axis="y", colors=LOSS_COLOUR)
    axes.tick_params(labelbottom=False)
    legend_axes: Axes = axes
    handles, labels = axes.get_legend_handles_labels()
    validated = history[history["validation_rmse"].notna()]
    if len(validated):
        # The right ticks belong to the other axis.
        axes.tick_params(axis="y", right=False)
        twin = axes.twinx()
        (line,) = twin.plot(
            validated["step"], validated["validation_rmse"], color=VALIDATION_COLOUR, lw=1.2, marker="o", ms=7, mec="w"
        )
        name, unit = escape_math(name), escape_math(unit)
        label = f"Validation RMSE of {name}" if name else "Validation RMSE"
        twin.set_ylabel(f"{label} [{unit}]" if unit else label, color=VALIDATION_COLOUR)
        twin.tick_params(axis="y", colors=VALIDATION_COLOUR)
        twin.margins(y=0.12)
        handles, labels = [*handles, line], [*labels, "validation RMSE after each epoch"]
        # The twin lies above: a legend of the panel beneath would be crossed by its line.
        legend_axes = twin
    legend_axes.legend(handles, labels, loc="upper right", frameon=True, framealpha=0.8, edgecolor="none")


def _choose_loss_range(history: pd.DataFrame) -> tuple[float, float]:
    """From 0 to what holds the running mean and nearly all mini-batches: a wild one must not flatten the rest."""
    losses, smoothed = (history[column].to_numpy(dtype=np.float64) for column in ("train_loss", "train_loss_smoothed"))
    losses, smoothed = losses[np.isfinite(losses)], smoothed[np.isfinite(smoothed)]
    if len(losses) == 0 or len(smoothed) == 0:
        return 0.0, 1.0
    return min(0.0, float(losses.min())), 1.1 * max(float(np.percentile(losses, 99.5)), float(smoothed.max()), 1e-12)


def _draw_rates(axes: Axes, history: pd.DataFrame) -> None:
    axes.set_yscale("log")
    marker = "." if len(history) < _FEW_STEPS else ""
    for group, colour in GROUP_COLOURS.items():
        rates = history[f"learning_rate_{group}"]
        rates = rates.where(rates > 0)
        if rates.notna().any():
            width, line_style = _GROUP_LINES[group]
            label = "head" if group == "head" else f"{group} layers"
            axes.plot(history["step"], rates, color=colour, lw=width, ls=line_style, marker=marker, label=label)
    axes.set_ylabel("Learning rate")
    axes.set_xlabel("Mini-batch")
    shown = history[[f"learning_rate_{group}" for group in GROUP_COLOURS]].to_numpy(dtype=np.float64)
    shown = shown[shown > 0]
    if len(shown):
        # A cosine ends at almost 0: on a logarithmic axis its last steps would fill the panel.
        # Two decades at the least, to have ticks that are powers of ten, and room for the legend.
        lowest = max(shown.min(), 1e-4 * shown.max())
        axes.set_ylim(min(0.4 * lowest, 0.02 * shown.max()), 2 * shown.max())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.legend(loc="lower left", ncols=3, frameon=True, framealpha=0.8, edgecolor="none")


def _mark_phases(loss_axes: Axes, rate_axes: Axes, phases: list[tuple[str, int]]) -> None:
    """A line where a phase begins, and the names above the upper panel, on two levels so that they do not meet."""
    left, right = loss_axes.get_xlim()
    ends = [-1.0, -1.0]
    for place, (name, step) in enumerate(phases):
        if place:
            for axes in (loss_axes, rate_axes):
                axes.axvline(step - 0.5, color=FAINT_GREY, lw=1.2, ls=":", zorder=0)
        start = (step - 0.5 - left) / (right - left) if place else 0.0
        # About what a letter takes at this size, of the width of the panel.
        width = 0.0117 * len(name)
        start = max(0.0, min(start, 1 - width))
        level = 0 if ends[0] < start else 1
        ends[level] = start + width
        loss_axes.text(start, 1.02 + 0.075 * level, name, transform=loss_axes.transAxes, fontsize=12, va="bottom")

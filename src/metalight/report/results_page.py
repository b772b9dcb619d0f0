"""results.md of a run: its numbers beside the paper's, with intervals, ready to quote."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from metalight import published
from metalight.evaluation import Scores
from metalight.report.results import Result, list_sections

_DASH = "–"


@dataclass(frozen=True, eq=False)
class Page:
    """What the page is made of."""

    name: str
    """Of the run."""
    model: str
    """In words: network, images, galaxies that it learnt from."""
    results: Sequence[Result]
    scores: Mapping[str, Scores]
    """Of the test galaxies, by target."""
    units: Mapping[str, str]
    bins: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Of targets that are metallicities, in bins of truth: centre, num, median, rmse, nmad."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Plain-text tables and sentences of other artefacts, by the heading that they get."""


def build_page(page: Page) -> str:
    """The page as Markdown that can be read as it is.

    Nothing in it depends on the time: the same artefacts give the same bytes.
    """
    lines = [
        f"# Results of {page.name}",
        "",
        page.model,
        "",
        "Beside each number that the paper has (Wu & Boada 2019, MNRAS 484, 4683, or its draft) stands the paper's. "
        "Intervals are of 68 %, of these predictions for other galaxies of the same kind; what another training would "
        "change is not in them. Residual = predicted − true. Of samples that spread differently compare RMSE / σ.",
    ]
    for target, scores in page.scores.items():
        lines += ["", f"> {quote_scores(target, scores, page.units.get(target, ''))}"]
    for section in list_sections(page.results):
        rows = [result for result in page.results if result.section == section]
        lines += ["", f"## {section}", "", *_format_table(rows)]
    for target, bins in page.bins.items():
        lines += ["", f"## {target} in bins of the true value", "", *_format_bins(bins)]
    for heading, text in page.texts.items():
        lines += ["", f"## {heading}", "", "```", text.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def quote_scores(target: str, scores: Scores, unit: str) -> str:
    """A sentence for the results section of a paper."""
    rmse, nmad, mean = scores.metrics["rmse"], scores.metrics["nmad"], scores.baseline["rmse"]
    told = f" {unit}" if unit else ""
    return (
        f"For {scores.num_galaxies:,} test galaxies the RMSE of {target} is {rmse.value:.4f}{told}{_tell_range(rmse)} "
        f"and the NMAD {nmad.value:.4f}{told}{_tell_range(nmad)}; predicting the mean of the training set gives an RMSE "
        f"of {mean.value:.4f}{told}."
    )


def tabulate(results: Sequence[Result]) -> pd.DataFrame:
    """The same numbers as a table: section, quantity, value, low, high, published, published_error, source."""
    rows = [
        (
            result.section,
            result.quantity,
            result.value.value,
            result.value.low,
            result.value.high,
            result.published,
            result.published_error,
            result.source,
        )
        for result in results
    ]
    names = ["section", "quantity", "value", "low", "high", "published", "published_error", "source"]
    return pd.DataFrame(rows, columns=names)


def _tell_range(value: object) -> str:
    low, high = value.low, value.high  # type: ignore[attr-defined]
    return f" ({low:.4f} to {high:.4f})" if math.isfinite(low) and math.isfinite(high) else ""


def _format_table(results: Sequence[Result]) -> list[str]:
    rows = [("", "this run", "68 % interval", "the paper", "where")]
    for result in results:
        low, high = (_format(bound, result.decimals) for bound in (result.value.low, result.value.high))
        interval = _DASH if _DASH in (low, high) else f"{low} to {high}"
        theirs = _format(result.published, result.decimals)
        if math.isfinite(result.published_error):
            theirs += f" ± {_format(result.published_error, result.decimals)}"
        rows.append((result.quantity, _format(result.value.value, result.decimals), interval, theirs, result.source))
    return _align(rows)


def _format_bins(bins: pd.DataFrame) -> list[str]:
    rows = [("bin", "galaxies", "median", "the paper", "RMSE", "the paper", "NMAD", "the paper")]
    for _, row in bins.iterrows():
        theirs = published.BINS_OF_TRUTH.get(round(float(row["centre"]), 1), (math.nan,) * 3)
        cells = [f"{row['centre']:g}", f"{int(row['num']):,}"]
        for name, value in zip(("median", "rmse", "nmad"), theirs, strict=True):
            cells += [_format(float(row[name]), 4), _format(value, 4)]
        rows.append(tuple(cells))
    return _align(rows)


def _format(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace("-", "−") if math.isfinite(value) else _DASH


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns are as wide in the text as on the page; numbers end flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    is_left = [column in (0, len(widths) - 1) and rows[0][column] in ("", "where") for column in range(len(widths))]
    lines = [
        "| "
        + " | ".join(cell.ljust(w) if left else cell.rjust(w) for cell, w, left in zip(row, widths, is_left))
        + " |"
        for row in rows
    ]
    rule = "|" + "|".join(f":{'-' * w}-" if left else f"-{'-' * w}:" for w, left in zip(widths, is_left)) + "|"
    return [lines[0], rule, *lines[1:]]

"""results.md of a run: its numbers beside the paper's, with intervals, ready to quote."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from metalight import published
from metalight.evaluation import BesideScores, Scores, choose_decimals, format_number, list_beside_notes, pad_columns
from metalight.intervals import Interval
from metalight.report.results import Result, find_published_baseline, list_sections
from metalight.safe_text import as_code_block, for_markdown

_DASH = "–"
_WIDTH = 120
_LEFT = ("", "where", "sees")
"""Columns of words."""

_BESIDE_PAPER = (
    "Beside each number that the paper has (Wu & Boada 2019, MNRAS 484, 4683, or its draft) stands the paper's."
)
_HOW_TO_READ = (
    "Intervals are of 68 %, of these predictions for other galaxies of the same kind; what another training would "
    "change is not in them. Residual = predicted − true. Of samples that spread differently compare RMSE / σ."
)


@dataclass(frozen=True, eq=False)
class Page:
    """The content of the page."""

    name: str
    """Of the run."""
    model: str
    """In words: network, images, galaxies that it learnt from."""
    results: Sequence[Result]
    scores: Mapping[str, Scores]
    """Of the test galaxies, by target."""
    units: Mapping[str, str]
    warning: str = ""
    """Why the model should not be used; empty if its training worked."""
    bins: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Of targets that are metallicities, in bins of truth: centre, num, median, rmse, nmad."""
    baselines: Mapping[str, Sequence[BesideScores]] = field(default_factory=dict)
    """By target."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Plain-text tables and sentences of other artefacts, by the heading that they get."""
    has_paper: bool = True
    """Whether the numbers of the paper stand beside the run's."""


def build_page(page: Page) -> str:
    """The page as Markdown that can be read as it is.

    Nothing in it depends on the time: the same artefacts give the same bytes.
    """
    lines = [f"# Results of {for_markdown(page.name)}"]
    if page.warning:
        lines += ["", "**Warning**", "", *as_code_block("\n".join(_wrap_whole(page.warning)))]
    for text in (for_markdown(page.model), f"{_BESIDE_PAPER} {_HOW_TO_READ}" if page.has_paper else _HOW_TO_READ):
        lines += ["", *textwrap.wrap(text, _WIDTH)]
    if not page.scores:
        lines += ["", "There are too few test galaxies to score."]
    for target, scores in page.scores.items():
        sentence = quote_scores(target, scores, page.units.get(target, ""))
        quoted = textwrap.wrap(for_markdown(sentence), _WIDTH - 2)
        lines += ["", *(f"> {line}" for line in quoted)]
    for section in list_sections(page.results):
        rows = [result for result in page.results if result.section == section]
        lines += ["", f"## {for_markdown(section)}", "", *_format_table(rows, page.has_paper)]
    for target, baselines in page.baselines.items():
        lines += [
            "",
            f"## {for_markdown(target)}: baselines beside the network",
            "",
            *_format_baselines(baselines, target in page.bins, page.has_paper),
            "",
        ]
        lines += [f"- {for_markdown(note)}" for note in list_beside_notes(baselines)]
    for target, bins in page.bins.items():
        lines += ["", f"## {for_markdown(target)} in bins of the true value", "", *_format_bins(bins, page.has_paper)]
    for heading, text in page.texts.items():
        lines += ["", f"## {for_markdown(heading)}", "", *as_code_block(text)]
    return "\n".join(lines) + "\n"


def _wrap_whole(text: str) -> list[str]:
    """Lines that do not break a setting or an option of a command in two."""
    return textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)


def quote_scores(target: str, scores: Scores, unit: str) -> str:
    """A sentence for the results section of a paper."""
    decimals = choose_decimals(scores.metrics["rmse"].value)

    def tell(found: Interval) -> str:
        return f"{_format(found.value, decimals)} {unit}".rstrip()

    def tell_with_range(found: Interval) -> str:
        interval = _format_interval(found, decimals)
        return tell(found) if interval == _DASH else f"{tell(found)} ({interval})"

    rmse, nmad = (tell_with_range(scores.metrics[name]) for name in ("rmse", "nmad"))
    return (
        f"For {scores.num_galaxies:,} test galaxies the RMSE of {target} is {rmse} and the NMAD {nmad}; predicting the "
        f"mean of the training set gives an RMSE of {tell(scores.baseline['rmse'])}."
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


def _format_table(results: Sequence[Result], has_paper: bool) -> list[str]:
    rows = [("", "this run", "68 % interval", "the paper", "where")]
    for result in results:
        interval = _format_interval(result.value, result.decimals)
        theirs = _format(result.published, result.decimals)
        if math.isfinite(result.published_error):
            theirs += f" ± {_format(result.published_error, result.decimals)}"
        rows.append((result.quantity, _format(result.value.value, result.decimals), interval, theirs, result.source))
    return _align(rows if has_paper else _leave_out_paper(rows))


def _format_bins(bins: pd.DataFrame, has_paper: bool) -> list[str]:
    rows: list[tuple[str, ...]] = [("bin", "galaxies", "median", "the paper", "RMSE", "the paper", "NMAD", "the paper")]
    of_paper = published.BINS_OF_TRUTH if list(bins["centre"]) == list(published.BINS_OF_TRUTH) else {}
    for _, row in bins.iterrows():
        theirs = of_paper.get(float(row["centre"]), (math.nan,) * 3)
        cells = [f"{row['centre']:g}", f"{int(row['num']):,}"]
        for name, value in zip(("median", "rmse", "nmad"), theirs, strict=True):
            cells += [_format(float(row[name]), 4), _format(value, 4)]
        rows.append(tuple(cells))
    return _align(rows if has_paper else _leave_out_paper(rows))


def _format_baselines(baselines: Sequence[BesideScores], is_metallicity: bool, has_paper: bool) -> list[str]:
    names = ("", "sees", "numbers", "RMSE", "68 % interval", "the paper", "NMAD", "the paper")
    rows: list[tuple[str, ...]] = [(*names, "network better by", "68 % interval")]
    for each in baselines:
        if not each.network_better_by:
            continue
        theirs = find_published_baseline(each.facts.name if is_metallicity else "")
        better, decimals = each.network_better_by["rmse"], choose_decimals(each.network_rmse.value)
        numbers = [_format(each.rmse.value, decimals), _format_interval(each.rmse, decimals), _format(theirs.rmse, 4)]
        numbers += [_format(each.nmad.value, decimals), _format(theirs.nmad, 4)]
        numbers += [_format(better.value, decimals), _format_interval(better, decimals)]
        rows.append((each.facts.name, each.facts.sees, f"{each.facts.num_numbers:,}", *numbers))
    return _align(rows if has_paper else _leave_out_paper(rows))


def _format_interval(value: Interval, decimals: int) -> str:
    low, high = _format(value.low, decimals), _format(value.high, decimals)
    return _DASH if _DASH in (low, high) else f"{low} to {high}"


def _format(value: float, decimals: int) -> str:
    return format_number(value, decimals).replace("-", "−")


def _leave_out_paper(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The table without its columns of the paper."""
    kept = [place for place, name in enumerate(rows[0]) if name not in ("the paper", "where")]
    return [tuple(row[place] for place in kept) for row in rows]


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns are as wide in the text as on the page; numbers end flush right."""
    is_left = [name in _LEFT for name in rows[0]]
    padded = pad_columns([[for_markdown(cell) for cell in row] for row in rows], is_left)
    dashes = ["-" * (len(cell) + 1) for cell in padded[0]]
    rule = "|".join(f":{dash}" if left else f"{dash}:" for dash, left in zip(dashes, is_left, strict=True))
    lines = [f"| {' | '.join(row)} |" for row in padded]
    return [lines[0], f"|{rule}|", *lines[1:]]

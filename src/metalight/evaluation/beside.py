"""Baselines beside the network: each scored on the galaxies that both predict, and how much better the network is."""

import dataclasses
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.atomic import save_json
from metalight.evaluation.metric_text import align_rows, choose_decimals, format_interval, format_number
from metalight.evaluation.scores import replace_nan
from metalight.intervals import (
    PERCENTILES_68,
    PERCENTILES_95,
    FloatArray,
    Interval,
    compute_percentiles,
    draw_numbers,
)
from metalight.metrics import compute_nmads
from metalight.small_files import load_json

_LINE_WIDTH = 120
_SCORES = ("rmse", "nmad")
_LACKS = "the catalogue has no "
_NONE = Interval(math.nan, math.nan, math.nan)

_ByName = dict[str, FloatArray]


@dataclasses.dataclass(frozen=True)
class BaselineFacts:
    """Facts about a baseline besides its predictions."""

    name: str
    sees: str
    """Its inputs, in words."""
    num_numbers: int
    """How many numbers that is."""
    num_training: int
    """Galaxies that it learnt from."""
    left_out: str = ""
    """Why there are no predictions, to be read after its name; empty if there are."""
    note: str = ""
    """Choices and simplifications made during the fit."""


@dataclasses.dataclass(frozen=True)
class BesideScores:
    """How a baseline does beside the network, on galaxies with a true value and both predictions."""

    facts: BaselineFacts
    num_galaxies: int
    """Galaxies that were scored."""
    num_without: int
    """Galaxies that the network could be scored on, and the baseline did not predict."""
    rmse: Interval
    nmad: Interval
    network_rmse: Interval
    """Of the network, on the same galaxies."""
    network_nmad: Interval
    network_better_by: dict[str, Interval]
    """By `rmse` and `nmad`: the baseline's less the network's, with the 68 % interval of the paired differences."""
    network_better_by_95: dict[str, Interval]
    """The same, with the 95 % interval."""


def score_beside(
    truth: npt.ArrayLike,
    network: npt.ArrayLike,
    baselines: Sequence[tuple[BaselineFacts, npt.ArrayLike]],
    *,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> list[BesideScores]:
    """Each baseline on the galaxies that it and the network predict, in the order given.

    Args:
        truth: True values (galaxy,), NaN where missing.
        network: Predictions of the network, NaN where missing.
        baselines: What is known of each, and its predictions, NaN where missing.
        num_bootstrap: Bootstrap samples behind the intervals, in which both have the same galaxies; 0 leaves them out.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: The lengths differ.
    """
    truth, network = np.asarray(truth, dtype=np.float64), np.asarray(network, dtype=np.float64)
    is_networks = np.isfinite(truth) & np.isfinite(network)
    by_galaxies: dict[bytes, list[tuple[BaselineFacts, FloatArray]]] = {}
    for facts, given in baselines:
        predicted = np.asarray(given, dtype=np.float64)
        if not truth.shape == network.shape == predicted.shape:
            raise ValueError(f"{facts.name} has {len(predicted)} predictions of {len(truth)} galaxies")
        by_galaxies.setdefault((is_networks & np.isfinite(predicted)).tobytes(), []).append((facts, predicted))
    scored: dict[str, BesideScores] = {}
    for mask, alike in by_galaxies.items():
        is_scored = np.frombuffer(mask, dtype=np.bool_)
        num_scored = int(is_scored.sum())
        num_without = int(is_networks.sum()) - num_scored
        if num_scored < 2:
            scored |= {facts.name: _leave_out(facts, num_scored, num_without) for facts, _ in alike}
            continue
        residuals = [values[is_scored] - truth[is_scored] for values in (network, *(each for _, each in alike))]
        numbers = [_compute_by_sample(each[np.newaxis]) for each in residuals]
        drawn = _bootstrap(residuals, num_bootstrap, seed)
        for (facts, _), own, own_drawn in zip(alike, numbers[1:], drawn[1:], strict=True):
            scores = _pair((own, own_drawn), (numbers[0], drawn[0]))
            scored[facts.name] = BesideScores(facts, num_scored, num_without, **scores)
    return [scored[facts.name] for facts, _ in baselines]


def _leave_out(facts: BaselineFacts, num_scored: int, num_without: int) -> BesideScores:
    told = dataclasses.replace(facts, left_out=facts.left_out or f"{num_scored} of the galaxies could be scored")
    return BesideScores(told, num_scored, num_without, _NONE, _NONE, _NONE, _NONE, {}, {})


def _pair(baseline: tuple[_ByName, _ByName], network: tuple[_ByName, _ByName]) -> dict[str, Any]:
    """The scores of a baseline beside the network; of both the values of all galaxies, and those of each sample."""

    def give(one: tuple[_ByName, _ByName], name: str) -> Interval:
        return Interval(float(one[0][name][0]), *compute_percentiles(one[1][name]))

    def differ(percentiles: tuple[float, float]) -> dict[str, Interval]:
        found = {}
        for name in _SCORES:
            difference = float(baseline[0][name][0] - network[0][name][0])
            found[name] = Interval(difference, *compute_percentiles(baseline[1][name] - network[1][name], percentiles))
        return found

    return {
        "rmse": give(baseline, "rmse"),
        "nmad": give(baseline, "nmad"),
        "network_rmse": give(network, "rmse"),
        "network_nmad": give(network, "nmad"),
        "network_better_by": differ(PERCENTILES_68),
        "network_better_by_95": differ(PERCENTILES_95),
    }


def _bootstrap(residuals: Sequence[FloatArray], num_bootstrap: int, seed: int) -> list[_ByName]:
    """Of each kind of residuals RMSE and NMAD of each bootstrap sample, in which all have the same galaxies.

    The samples are those of `metalight.metrics.compute_paired_metrics`, whose many other metrics would take ten times
    as long for every baseline.
    """
    computes = [lambda rows, these=these: _compute_by_sample(these[rows]) for these in residuals]
    return draw_numbers(computes, len(residuals[0]), num_bootstrap, seed)


def _compute_by_sample(residuals: FloatArray) -> _ByName:
    """RMSE and NMAD of residuals (sample, galaxy)."""
    rmses = np.sqrt(np.mean(residuals**2, axis=1))
    return {"rmse": rmses, "nmad": compute_nmads(residuals, np.median(residuals, axis=1))}


def save_beside(scores: Mapping[str, Sequence[BesideScores]], path: Path) -> None:
    """Write the baselines of each target as JSON, by target and name; a number that is not defined is null."""
    stored = {target: {each.facts.name: _record(each) for each in of_target} for target, of_target in scores.items()}
    save_json(replace_nan(stored), path)


def _record(scores: BesideScores) -> dict[str, Any]:
    record = dataclasses.asdict(scores)
    facts = record.pop("facts")
    del facts["name"]
    return {**facts, **record}


def load_beside(path: Path) -> dict[str, list[BesideScores]]:
    """Scores that `save_beside` wrote; empty if the file is missing or of another version. Scoring writes it again."""
    try:
        stored = load_json(path)
        return {target: [_read(name, each) for name, each in rows.items()] for target, rows in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _read(name: str, stored: dict[str, Any]) -> BesideScores:
    known = [field.name for field in dataclasses.fields(BaselineFacts) if field.name != "name"]
    facts = BaselineFacts(name, **{key: stored[key] for key in known})
    rest: dict[str, Any] = {key: value for key, value in stored.items() if key not in known}
    for key, value in rest.items():
        if key.startswith("network_better"):
            rest[key] = {metric: _read_interval(interval) for metric, interval in value.items()}
        elif isinstance(value, dict):
            rest[key] = _read_interval(value)
    return BesideScores(facts, **rest)


def _read_interval(stored: dict[str, float | None]) -> Interval:
    return Interval(**{key: math.nan if value is None else value for key, value in stored.items()})


def format_beside(
    scores: Sequence[BesideScores], *, network: Mapping[str, Interval], network_sees: str, num_seen: int
) -> str:
    """A plain-text table: the network, then a row a baseline; below it those that were left out, and why.

    Args:
        scores: Of one target; at least one.
        network: The network's metrics of all galaxies, by name.
        network_sees: What it sees of a galaxy, in words.
        num_seen: How many numbers that is.
    """
    decimals = choose_decimals(network["rmse"].value)
    # The unit stands above, with the network's scores: the table is to fit a terminal of 120 letters.
    header = ("", "sees", "numbers", "RMSE", "68 % interval", "NMAD", "better by", "68 % interval")
    rows: list[tuple[str, ...]] = [header]
    rows.append(
        ("network", network_sees, f"{num_seen:,}", *_format_scores(network["rmse"], network["nmad"], decimals), "", "")
    )
    present = [each for each in scores if each.network_better_by]
    for each in present:
        better = each.network_better_by["rmse"]
        rows.append(
            (
                each.facts.name,
                each.facts.sees,
                f"{each.facts.num_numbers:,}",
                *_format_scores(each.rmse, each.nmad, decimals),
                format_number(better.value, decimals, sign="+"),
                format_interval(better, decimals, sign="+"),
            )
        )
    wrapped = [
        line for note in list_beside_notes(scores) for line in textwrap.wrap(note, _LINE_WIDTH, subsequent_indent="  ")
    ]
    return "\n".join([*align_rows(rows, num_left=2), "", *wrapped])


def _format_scores(rmse: Interval, nmad: Interval, decimals: int) -> tuple[str, str, str]:
    return (format_number(rmse.value, decimals), format_interval(rmse, decimals), format_number(nmad.value, decimals))


def list_beside_notes(scores: Sequence[BesideScores]) -> list[str]:
    """Notes for reading the table: what is subtracted, galaxies without predictions, baselines left out."""
    present = [each for each in scores if each.network_better_by]
    notes = ["The network is better by: its RMSE subtracted from the baseline's, on the galaxies that both predict."]
    for num_without in sorted({each.num_without for each in present if each.num_without}):
        names = [each.facts.name for each in present if each.num_without == num_without]
        lack = "lacks" if num_without == 1 else "lack"
        notes.append(f"{num_without:,} {lack} what they need and were not predicted by {', '.join(names)}.")
    reasons: dict[str, list[str]] = {}
    for each in scores:
        if each not in present:
            reasons.setdefault(each.facts.left_out, []).append(each.facts.name)
    notes += [f"Left out: {', '.join(names)}: {why}." for why, names in reasons.items()]
    if any(why.startswith(_LACKS) for why in reasons):
        notes.append("Columns that it has under other names are named by [catalog] properties: see docs/baselines.md.")
    return notes

"""Promises on the authors' published predictions, all four sizes: what the facts page says of them comes out.

The facts page is of 20,466 galaxies and its numbers have four decimals; the files hold 20,366 of these galaxies. Of k
galaxies taken at random from N a number differs by about its standard error times √(k / N), so that five times this,
and half of the last decimal, is allowed: 0.0003 dex for the global RMSE. Bins that lack no galaxy agree to the digits.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from metalight.evaluation import (
    choose_bin_centres,
    compute_binned_metrics,
    compute_breakdown,
    compute_ratio_parts,
    count_outside,
)
from metalight.intervals import Interval
from metalight.metrics import NMAD_FACTOR, compute_metrics

FloatArray = npt.NDArray[np.float64]

SIZES = (128, 64, 32, 16)
NUM_KNOWN = 20_466
ROUNDING = 5.1e-5

GLOBAL_ROWS = {
    "RMSE": "rmse",
    "NMAD": "nmad",
    "mean bias": "mean_bias",
    "median bias": "median_bias",
    "std Δ": "std",
    "MAE": "mae",
    "max abs Δ": "max_abs_residual",
    "frac abs Δ > 3 NMAD": "fraction_over_3_nmad",
    "frac > 5 NMAD": "fraction_over_5_nmad",
    "frac > 0.2 dex": "fraction_over_0.2",
    "frac > 0.3 dex": "fraction_over_0.3",
    "frac < 0.1 dex": "fraction_within_0.1",
    "slope pred on true": "slope_predicted_on_true",
    "intercept": "intercept_predicted_on_true",
    "slope true on pred": "slope_true_on_predicted",
    "R² (1−MSE/var)": "r2",
    "Pearson r": "pearson_r",
    "NMAD/RMSE": "nmad_over_rmse",
    "RMSE after in‑sample linear calibration": "rmse_calibrated",
}
BINNED_COLUMNS = ("num", "median", "mean", "std", "rmse", "nmad", "mean_bias", "median_bias")
PREDICTION_COLUMNS = ("num", "median", "rmse", "nmad", "mean_bias")
"""What the facts page calls the standard deviation of the truth in bins of prediction is the RMSE there: it is 0.0480
of a bin with one galaxy, whose residual is 0.0480."""


@dataclass(frozen=True)
class Published:
    truth: FloatArray
    predicted: FloatArray


@dataclass(frozen=True)
class Facts:
    scores: dict[str, list[str]]
    by_truth: dict[int, dict[float, list[float]]]
    by_prediction: dict[float, list[float]]


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def published(shared_folder: Path, size: int) -> Published:
    return load_published(shared_folder, size)


@pytest.fixture
def facts(shared_folder: Path) -> Facts:
    text = (shared_folder / "reference/paper-facts.md").read_text(encoding="utf-8")
    section = text.split("\n## 3. ")[1].split("\n## ")[0]
    parts = re.split(r"\n\*\*(\d+) px\*\*\n", section)
    by_truth = {int(size): read_bins(body, 9) for size, body in zip(parts[1::2], parts[2::2], strict=True)}
    return Facts({row[0]: row[1:] for row in read_rows(parts[0])}, by_truth, read_bins(parts[-1], 6))


def load_published(shared_folder: Path, size: int) -> Published:
    table = pd.read_csv(shared_folder / f"published/predictions_{size}px.csv")
    assert len(table) == 20_366
    return Published(table["oh_p50"].to_numpy(), table["prediction"].to_numpy())


def read_rows(text: str) -> list[list[str]]:
    lines = [line.strip().strip("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def read_bins(text: str, num_cells: int) -> dict[float, list[float]]:
    rows = [row for row in read_rows(text) if len(row) == num_cells and re.fullmatch(r"\d\.\d", row[0])]
    assert len(rows) == 12
    return {float(row[0]): [read_number(cell) for cell in row[1:]] for row in rows}


def read_number(cell: str) -> float:
    found = re.match(r"[-+]?[\d.]+", cell.replace("−", "-"))
    assert found, cell
    return float(found.group())


def allow(error: float, num: float, num_lacking: float) -> float:
    return ROUNDING + (5 * error * math.sqrt(num_lacking / num) if num_lacking else 0)


def test_the_scores_of_all_galaxies_are_the_known_ones(published: Published, facts: Facts, size: int) -> None:
    metrics = compute_metrics(published.truth, published.predicted, num_bootstrap=200)
    column = SIZES.index(size)
    for row, name in GLOBAL_ROWS.items():
        metric = metrics[name]
        error = (metric.high - metric.low) / 2
        # The largest residual is among the galaxies in the file, and the bootstrap says nothing of an extreme.
        lacking = 0 if name == "max_abs_residual" else NUM_KNOWN - len(published.truth)
        known = read_number(facts.scores[row][column])
        assert metric.value == pytest.approx(known, abs=allow(error, NUM_KNOWN, lacking)), name
    low, high = (read_number(part) for part in facts.scores["pred min–max"][column].split("–"))
    assert metrics["predicted_min"].value == pytest.approx(low, abs=ROUNDING)
    assert metrics["predicted_max"].value == pytest.approx(high, abs=ROUNDING)
    bounds = [read_number(part) for part in facts.scores["– bootstrap 68 %"][column].split("–")]
    assert [metrics["rmse"].low, metrics["rmse"].high] == pytest.approx(bounds, abs=3e-4)
    plus_minus = read_number(facts.scores["NMAD"][column].split("±")[1])
    assert (metrics["nmad"].high - metrics["nmad"].low) / 2 == pytest.approx(plus_minus, abs=1.5e-4)


def test_the_bins_of_the_truth_are_the_known_ones(published: Published, facts: Facts, size: int) -> None:
    bins = compute_binned_metrics(published.truth, published.predicted, *choose_bin_centres(published.truth))
    check_bins(bins, facts.by_truth[size], BINNED_COLUMNS)
    assert len(published.truth) - bins["num"].sum() == 37


def test_the_bins_of_prediction_are_the_known_ones(shared_folder: Path, facts: Facts) -> None:
    published = load_published(shared_folder, 128)
    centres = choose_bin_centres(published.truth)
    bins = compute_binned_metrics(published.truth, published.predicted, *centres, by="prediction")
    assert bins["num"].iloc[-1] == 0  # its only galaxy is one of the hundred
    known = dict(list(facts.by_prediction.items())[:-1])
    check_bins(bins.iloc[:-1], known, PREDICTION_COLUMNS)


def check_bins(bins: pd.DataFrame, known: dict[float, list[float]], columns: tuple[str, ...]) -> None:
    assert bins["centre"].tolist() == list(known)
    num_lacking = 0
    for row in bins.to_dict("records"):
        expected = dict(zip(columns, known[row["centre"]], strict=True))
        num = expected.pop("num")
        lacking = num - row["num"]
        assert 0 <= lacking <= 26
        num_lacking += int(lacking)
        for name, value in expected.items():
            tolerance = allow(row[f"{name}_error"], num, lacking)
            assert row[name] == pytest.approx(value, abs=tolerance), (row["centre"], name)
    assert num_lacking <= 100


def test_averages_over_bins_and_what_lies_outside_the_draft_s_range_are_the_known_ones(
    published: Published, facts: Facts, size: int
) -> None:
    breakdown = compute_breakdown(published.truth, published.predicted, num_bootstrap=30, seed=0)
    column = SIZES.index(size)
    of_bins = breakdown["bins_of_truth"]
    # They differ by the hundred galaxies only: each by up to half of the last decimal.
    for row, name in (("N‑weighted binned NMAD", "nmad"), ("N‑weighted binned RMSE", "rmse")):
        assert of_bins[name].value == pytest.approx(read_number(facts.scores[row][column]), abs=1.2e-4), name
    above, below = (read_number(part) for part in facts.scores["frac pred > 9.1 / < 8.5"][column].split(" / "))
    draft = breakdown["draft_range"]
    assert draft["fraction_above"].value == pytest.approx(above, abs=2.5e-4)
    assert draft["fraction_below"].value == pytest.approx(below, abs=2.5e-4)
    assert draft["fraction_outside"].value == pytest.approx(above + below, abs=5e-4)
    assert draft["fraction_outside"].value < 0.12  # the draft says 20 %


def test_the_draft_s_weighted_average_weights_by_inverse_variance(shared_folder: Path) -> None:
    published = load_published(shared_folder, 128)
    of_bins = compute_breakdown(published.truth, published.predicted, num_bootstrap=0, seed=0)["bins_of_truth"]
    assert of_bins["nmad_inverse_variance"].value == pytest.approx(0.0515, abs=5e-5)  # "∼ 0.05", section 4
    assert of_bins["nmad"].value == pytest.approx(0.0650, abs=5e-5)


def test_biases_between_bins_widen_the_global_nmad_and_different_widths_do_not(published: Published) -> None:
    excess = compute_breakdown(published.truth, published.predicted, num_bootstrap=50, seed=0)["nmad_excess"]
    assert excess["from_biases"].low > 0.004
    assert excess["from_widths"].high < -0.004
    assert abs(excess["from_unbinned"].value) < 3e-4
    parts = sum(excess[name].value for name in ("from_biases", "from_widths", "from_unbinned"))
    assert excess["excess"].value == pytest.approx(parts, abs=1e-12)


def test_heteroscedasticity_and_tails_contribute_to_nmad_over_rmse_as_known(shared_folder: Path) -> None:
    published = load_published(shared_folder, 128)
    parts = compute_ratio_parts(published.truth, published.predicted)
    # ../shared/reference/astronomer-notes.md, section 1.9.
    assert parts["ratio"] == pytest.approx(0.766, abs=1e-3)
    assert parts["standardised"] == pytest.approx(0.824, abs=1e-3)
    assert parts["kurtosis_standardised"] == pytest.approx(9.8, abs=0.05)
    assert parts["share_of_widths"] == pytest.approx(0.25, abs=0.03)  # "about a quarter"
    # The notes have 0.949 for Gaussian residuals, from one draw, it seems: draws of so many scatter by 0.0066.
    draws = draw_gaussian_ratios(published, num=40)
    assert parts["gaussian"] == pytest.approx(float(np.mean(draws)), abs=4 * float(np.std(draws)) / math.sqrt(40))
    assert abs(parts["gaussian"] - 0.949) < 2 * np.std(draws)


def draw_gaussian_ratios(published: Published, num: int) -> list[float]:
    """NMAD / RMSE of Gaussian residuals as wide as those of 40 equally full bins of prediction, by plain simulation."""
    residuals = published.predicted - published.truth
    widths = np.empty(len(residuals))
    for rows in np.array_split(np.argsort(published.predicted, kind="stable"), 40):
        widths[rows] = residuals[rows].std()
    generator = np.random.default_rng(0)
    ratios = []
    for _ in range(num):
        drawn = generator.normal(0, widths)
        nmad = NMAD_FACTOR * float(np.median(np.abs(drawn - np.median(drawn))))
        ratios.append(nmad / math.sqrt(float(np.mean(drawn**2))))
    return ratios


def test_the_trusted_range_at_128_px_leaves_few_galaxies_outside(shared_folder: Path) -> None:
    published = load_published(shared_folder, 128)
    breakdown = compute_breakdown(published.truth, published.predicted, num_bootstrap=0, seed=0)
    trusted, unbiased = breakdown["trusted_range"], breakdown["unbiased_range"]
    assert (trusted["low"].value, trusted["high"].value) == (8.35, 9.25)
    assert trusted["fraction_outside"].value == pytest.approx(0.0118, abs=1e-4)
    # With so many galaxies a bias of 0.003 dex shows.
    assert (unbiased["low"].value, unbiased["high"].value) == (9.05, 9.25)
    outside = count_outside(published.predicted, 8.5, 9.1).fraction_outside
    assert isinstance(outside, Interval)
    assert outside.low < 0.1095 < outside.high

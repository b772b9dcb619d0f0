"""Does a network see metallicity, or mass through the relation? The draft's question, section 5.

If predictions knew mass alone, they would go with the measured metallicity at fixed mass only as far as errors of the
measured masses let them. So: the partial correlation at fixed mass, what errors of mass make of it, and what is left; a
null in which labels are exchanged among galaxies of one mass; and by how much a prediction adds to what mass tells.

That is not enough. A network that aims at mass alone, and reads it from colours, takes galaxies rich for their mass for
more massive ones, so that its errors follow metallicity. Where there are predicted masses, predictions of metallicity
must therefore know more than the measured and the predicted mass together.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from metalight.evaluation.mass_metallicity.estimates import Draws, Estimate
from metalight.evaluation.mass_metallicity.folds import compute_left_over
from metalight.evaluation.mass_metallicity.fourth_parameter import ParameterGain, compute_gain
from metalight.evaluation.mass_metallicity.galaxies import LEAST_GALAXIES, MeasurementError, StudyGalaxies
from metalight.evaluation.mass_metallicity.partial import (
    LARGEST_ERROR_FACTORS,
    PartialCorrelation,
    compute_partial_correlation,
)
from metalight.evaluation.mass_metallicity.shuffled import GROUP_WIDTH_DEX, shuffle_within_mass
from metalight.evaluation.mass_metallicity.smooth import fit_smooth

FloatArray = npt.NDArray[np.float64]

Verdict = Literal["more than mass", "mass as seen", "mass alone", "not to be told"]
"""`mass as seen`: a mass read from the image, the errors of which follow metallicity."""

SMALL_CORRELATION = 0.1
"""A partial correlation below this is as good as none: it stands for 1 % of the variance at fixed mass."""

_NUM_GAIN_NULLS = 20


@dataclass(frozen=True, eq=False)
class Null:
    """The same numbers with labels exchanged within 0.1 dex of measured mass, the predictions left as they are."""

    num_shuffles: int
    correlation_mean: float
    correlation_high: float
    """97.5th percentile of the partial correlations."""
    gain_mean: float
    """Of RMSE by knowing the prediction beside mass."""


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Knowledge in the predictions besides mass."""

    at_fixed_mass: ParameterGain
    """Of metallicity, by knowing the prediction beside the measured mass."""
    at_fixed_mass_and_sfr: PartialCorrelation | None
    """None where there are no star formation rates."""
    at_fixed_masses: PartialCorrelation | None
    """At fixed measured and predicted mass; None where there are no predicted masses."""
    null: Null
    mass_error: MeasurementError
    verdict: Verdict
    sentence: str


def judge_knowledge(
    galaxies: StudyGalaxies,
    mass_error: MeasurementError,
    sfr_error: MeasurementError,
    *,
    num_shuffles: int = 100,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> Knowledge:
    """What predictions know of metallicity besides the measured mass.

    Args:
        galaxies: With predictions.
        mass_error: Of the measured masses.
        sfr_error: Of the measured star formation rates.
        num_shuffles: How often labels are exchanged.
        num_bootstrap: Samples behind the intervals.
        seed: Of the exchanges, the folds and the bootstrap.

    Raises:
        ValueError: The galaxies have no predictions.
    """
    truth, mass, predicted = galaxies.metallicity, galaxies.log_mass, galaxies.predicted
    if predicted is None:
        raise ValueError("knowledge is of predictions, and there are none")
    how: Draws = {"num_bootstrap": num_bootstrap, "seed": seed}
    gain = compute_gain(truth, [mass], [mass_error.dex], predicted, **how)
    sfr = galaxies.properties.get("log_sfr")
    with_sfr = None
    if sfr is not None and np.isfinite(sfr).sum() >= LEAST_GALAXIES:
        known = np.isfinite(sfr)
        controls, errors = [mass[known], sfr[known]], [mass_error.dex, sfr_error.dex]
        with_sfr = compute_partial_correlation(truth[known], predicted[known], controls, errors, **how)
    with_predicted = None
    if galaxies.log_mass_predicted is not None and galaxies.has_predicted_mass:
        known = np.isfinite(galaxies.log_mass_predicted)
        # What the network sees as the mass, it sees without error.
        controls, errors = [mass[known], galaxies.log_mass_predicted[known]], [mass_error.dex, 0.0]
        with_predicted = compute_partial_correlation(truth[known], predicted[known], controls, errors, **how)
    null = _compute_null(truth, mass, predicted, num_shuffles, seed)
    verdict = _judge(gain.partial, with_predicted, null)
    sentence = _describe(gain, with_predicted, null, mass_error, verdict)
    return Knowledge(gain, with_sfr, with_predicted, null, mass_error, verdict, sentence)


def _compute_null(truth: FloatArray, mass: FloatArray, predicted: FloatArray, num_shuffles: int, seed: int) -> Null:
    rest = predicted - fit_smooth([mass], predicted).predict(mass)
    correlations, gains = [], []
    for shuffle in range(num_shuffles):
        shuffled = shuffle_within_mass(truth, mass, seed + shuffle)
        left = shuffled - fit_smooth([mass], shuffled).predict(mass)
        scale = math.sqrt(float(np.mean(left**2) * np.mean(rest**2)))
        correlations.append(float(np.mean(left * rest)) / scale if scale > 0 else float("nan"))
        if shuffle < _NUM_GAIN_NULLS:
            both = [compute_left_over(shuffled, inputs, seed=seed) for inputs in ([mass], [mass, predicted])]
            roots = [float(np.sqrt(np.mean(each**2))) for each in both]
            gains.append(roots[0] - roots[1])
    if not correlations:
        return Null(0, *(float("nan"),) * 3)
    return Null(
        num_shuffles,
        float(np.mean(correlations)),
        float(np.percentile(correlations, 97.5)),
        float(np.mean(gains)),
    )


def _judge(partial: PartialCorrelation, with_predicted: PartialCorrelation | None, null: Null) -> Verdict:
    """First beside the measured mass, and where there is more, beside the predicted one, too."""
    verdict = _judge_beside_mass(partial, null)
    if verdict != "more than mass" or with_predicted is None:
        return verdict
    # What is learnt from labels without any metallicity in them goes with it by up to this, by chance of the training.
    if with_predicted.is_beyond_controls and with_predicted.corrected.low_95 > SMALL_CORRELATION:
        return "more than mass"
    # Not a number: predicted metallicity is nothing but a function of predicted mass.
    is_too_much = with_predicted.corrected.high_95 >= 2 * SMALL_CORRELATION
    return "not to be told" if is_too_much else "mass as seen"


def _judge_beside_mass(partial: PartialCorrelation, null: Null) -> Verdict:
    """Beyond what errors of mass, even larger ones, and chance can make; or nothing of note; or neither is sure."""
    is_over_null = not np.isfinite(null.correlation_high) or partial.raw.low_95 > null.correlation_high
    # Metallicity seen is metallicity seen the right way round.
    if partial.is_beyond_controls and partial.corrected.value > 0 and is_over_null:
        return "more than mass"
    if not np.isfinite(partial.raw.value):
        return "mass alone"  # they do not vary at a mass
    corrected = partial.corrected
    is_known_well = corrected.high_95 - corrected.low_95 < 3 * SMALL_CORRELATION
    is_small = corrected.high_95 < SMALL_CORRELATION
    is_within_errors = partial.corrected_for_larger_errors.low_95 < 0 and corrected.high_95 < 2 * SMALL_CORRELATION
    return "mass alone" if is_known_well and (is_small or is_within_errors) else "not to be told"


def _describe(
    gain: ParameterGain,
    with_predicted: PartialCorrelation | None,
    null: Null,
    mass_error: MeasurementError,
    verdict: Verdict,
) -> str:
    partial = gain.partial
    if not np.isfinite(partial.raw.value):
        return (
            "The predictions show nothing of metallicity beyond what mass tells: at one mass they do not vary, so that "
            "nothing can go with them."
        )
    start = {
        "more than mass": "The predictions see more of metallicity than mass tells",
        "mass as seen": "The predictions know no more than masses read from the image, whose errors follow metallicity",
        "mass alone": "The predictions show nothing of metallicity beyond what mass tells",
        "not to be told": f"Whether they see more than mass, these {gain.num_galaxies:,} galaxies cannot tell",
    }[verdict]
    needed = (
        f"errors {partial.factor_needed:.1f} times as large would explain all of it"
        if np.isfinite(partial.factor_needed)
        else "no errors of mass could explain it"
    )
    beside = (
        "Without predicted masses it stays open whether metallicity is seen, or a mass whose errors follow metallicity"
        if with_predicted is None
        else f"At fixed measured and predicted mass {_tell(with_predicted.corrected)} is left"
    )
    return (
        f"{start}: at fixed measured mass they go with the measured metallicity by a correlation of "
        f"{_tell(partial.raw)}, of which errors of mass of {mass_error.dex:.2f} dex ({mass_error.source}) make "
        f"{partial.from_errors:.2f}, so that {_tell(partial.corrected)} is left; {needed}, and at "
        f"{LARGEST_ERROR_FACTORS[0]} times these errors {_tell(partial.corrected_for_larger_errors)} would be left. "
        f"With labels exchanged within {GROUP_WIDTH_DEX} dex of mass it is {null.correlation_mean:.2f} (below "
        f"{null.correlation_high:.2f} in 97.5 % of {null.num_shuffles}). Known beside mass, they lower the RMSE from "
        f"{gain.rms_without:.4f} to {gain.rms_with:.4f}, by {gain.gain.value:.4f} (95 % interval "
        f"{gain.gain.low_95:.4f} to {gain.gain.high_95:.4f}; {null.gain_mean:.4f} with exchanged labels). {beside}."
    )


def _tell(found: Estimate) -> str:
    return f"{found.value:.2f} (95 % interval {found.low_95:.2f} to {found.high_95:.2f})"

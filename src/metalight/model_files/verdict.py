"""Whether a training worked: kept with the model, and told in the same words wherever the model is used."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from metalight.model_files.record import Record
from metalight.recipe import quote_settings

Outcome = Literal["ok", "learned nothing", "diverged"]
"""How a training ended for a target."""


class TargetVerdict(Record):
    """How a training ended for one target, and the numbers that tell it. All values are in the target's unit."""

    outcome: Outcome
    """`learned nothing`: predicting the mean of the training labels is as good. `diverged`: it is far better, or
    predictions lie far outside the training labels."""

    judged_by: Literal["validation", "training"]
    """Galaxies that it was judged by: those of the training where too few validation galaxies have a label."""

    num_galaxies: Annotated[int, Field(ge=0)]
    """How many of them."""

    rmse: float
    """RMSE of the images as they are, without augmented views."""

    rmse_of_mean: float
    """RMSE of predicting the mean of the training labels for the same galaxies."""

    predicted_range: tuple[float, float]
    """Lowest and highest prediction."""

    label_range: tuple[float, float]
    """Lowest and highest training label."""

    cause: str = ""
    """The likely cause, as a clause; empty where the outcome is `ok`."""

    advice: str = ""
    """Advice where no setting helps, as a sentence; empty where settings may help."""

    remedy: tuple[str, ...] = ()
    """Settings that are likely to help, as `section.key=value`."""


def find_failed(verdicts: Mapping[str, TargetVerdict]) -> dict[str, TargetVerdict]:
    """The targets that a training failed for."""
    return {target: verdict for target, verdict in verdicts.items() if verdict.outcome != "ok"}


def describe_failure(
    verdicts: Mapping[str, TargetVerdict], units: Mapping[str, str], *, command: str = "metalight run RECIPE"
) -> str:
    """Warning about a failed training, for users of its predictions; empty if it worked for all targets.

    Args:
        verdicts: By target.
        units: Unit of each target.
        command: The command that trains the model, to which the settings that may help are added.
    """
    failed = find_failed(verdicts)
    if not failed:
        return ""
    whole = "" if len(failed) == len(verdicts) else f" for {', '.join(failed)}"
    sentences = [f"Do not use this model{whole}: the training failed."]
    sentences += [_tell_numbers(target, verdict, units.get(target, "")) for target, verdict in failed.items()]
    causes = dict.fromkeys(verdict.cause for verdict in failed.values() if verdict.cause)
    sentences += [f"Likely cause: {cause}." for cause in causes]
    sentences += dict.fromkeys(verdict.advice for verdict in failed.values() if verdict.advice)
    if remedy := dict.fromkeys(setting for verdict in failed.values() for setting in verdict.remedy):
        sentences.append(f"Try: {command} {quote_settings(remedy)}")
    return " ".join(sentences)


def _tell_numbers(target: str, verdict: TargetVerdict, unit: str) -> str:
    spoken = f" {unit}" if unit else ""
    galaxies = f"{verdict.num_galaxies:,} {verdict.judged_by} {'galaxy' if verdict.num_galaxies == 1 else 'galaxies'}"
    low, high = (f"{value:.4g}" for value in verdict.predicted_range)
    of_labels = " to ".join(f"{value:.4g}" for value in verdict.label_range)
    said = "learned nothing of" if verdict.outcome == "learned nothing" else "diverged on"
    return (
        f"It {said} {target}: on {galaxies} its RMSE is {verdict.rmse:.3g}{spoken}, and predicting the mean gives "
        f"{verdict.rmse_of_mean:.3g}{spoken}; it predicts {low} to {high}, and the training labels are {of_labels}."
    )

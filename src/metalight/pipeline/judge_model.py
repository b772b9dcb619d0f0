"""A model is judged when its training ends: whether it worked, its ranges of labels and predictions, its images."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from metalight.errors import NotFiniteError, TrainingError
from metalight.images import load_file_sides, measure_statistics, name_statistics
from metalight.model_files import (
    CONFIG_FILE,
    ModelConfig,
    TrainingImages,
    TrainingSummary,
    describe_failure,
    find_failed,
    load_config,
    summarise_images,
)
from metalight.pipeline.judge import Evidence, find_trusted_predictions, judge_target
from metalight.pipeline.stage import Job
from metalight.recipe import list_concerns, list_lower_rates, quote_settings, suggest_settings
from metalight.run_folder import RunFolder

if TYPE_CHECKING:
    from metalight.model import SavedModel
    from metalight.training import FittedModel, TrainingData

_MOST_TRAINING_GALAXIES = 1000
"""Training galaxies that are predicted to see whether the network knows them."""


def judge_model(
    job: Job, model: "SavedModel", fitted: "FittedModel", training: "TrainingData", validation: "TrainingData"
) -> ModelConfig:
    """The model's description with what is found out: verdicts, ranges of labels and predictions, training images.

    For that, the validation galaxies and some of the training are predicted from their images as they are.

    Args:
        job: With the recipe that the model was trained by.
        model: The trained network with its description.
        fitted: How the training went.
        training: Galaxies that the network has learnt from.
        validation: Galaxies that it has not.

    Raises:
        TrainingError: The training diverged so far that a prediction is not finite.
    """
    from metalight.model import choose_device
    from metalight.prediction import open_predictor

    step = -(-len(training.object_ids) // _MOST_TRAINING_GALAXIES)
    some = np.arange(0, len(training.object_ids), step)
    try:
        with open_predictor(model, device=choose_device(job.device)) as predictor:
            of_validation, of_training = (
                predictor.predict(data.pixels, data.rows[places], data.object_ids[places], views="none")
                for data, places in ((validation, np.arange(len(validation.object_ids))), (training, some))
            )
    except NotFiniteError as error:
        raise TrainingError(_explain_overflow(job, len(training.object_ids))) from error
    targets, verdicts = [], {}
    for place, target in enumerate(model.config.targets):
        labels = training.targets[:, place]
        evidence = Evidence(
            *_keep_known(validation.targets[:, place], of_validation[:, place]),
            *_keep_known(labels[some], of_training[:, place]),
            labels=labels[np.isfinite(labels)],
            losses=fitted.history["train_loss"].to_numpy(dtype=np.float64),
        )
        verdicts[target.name] = verdict = judge_target(
            evidence, job.recipe.model, job.recipe.training, len(training.object_ids)
        )
        known = {"label_range": verdict.label_range, "trusted_range": find_trusted_predictions(evidence)}
        targets.append(target.model_copy(update=known))
    images = _describe_images(job, training)
    summary = model.config.training.model_copy(update={"verdict": verdicts, "images": images})
    return model.config.model_copy(update={"targets": tuple(targets), "training": summary})


def describe_judgement(training: TrainingSummary) -> str:
    """The end of a line on a training: which targets it failed for, or that too few galaxies judged it."""
    failed = [f"{verdict.outcome} ({target})" for target, verdict in find_failed(training.verdict).items()]
    if failed:
        return f"; failed: {', '.join(failed)}"
    if any(verdict.judged_by == "training" for verdict in training.verdict.values()):
        galaxies = "galaxy is" if training.num_validation == 1 else "galaxies are"
        return f"; {training.num_validation} validation {galaxies} too few for a verdict on new galaxies"
    return ""


def _explain_overflow(job: Job, num_training: int) -> str:
    """Why a model that predicts infinite or undefined numbers cannot be kept, with the command that may help."""
    model, training = job.recipe.model, job.recipe.training
    concerns, remedy = list_concerns(model, training, num_training), suggest_settings(model, training, num_training)
    if not any("learning_rates" in setting for setting in remedy):
        concerns = [*concerns, "the learning rates are too high for these images and labels"]
        remedy = (*remedy, *list_lower_rates(training))
    cause = "; ".join(concerns)
    again = f"{job.run.command} {quote_settings(remedy)}"
    return f"The training diverged: the model predicts no finite numbers. Likely cause: {cause}. Try: {again}"


def explain_failure(run: RunFolder) -> str:
    """The warning on the failed model of a run, with the command that may help; empty if it works."""
    if not (run.model / CONFIG_FILE).is_file():
        return ""
    config = load_config(run.model)
    return describe_failure(config.training.verdict, config.units, command=run.command)


def _describe_images(job: Job, training: "TrainingData") -> TrainingImages:
    return summarise_images(
        name_statistics(job.recipe.cutouts.bands),
        measure_statistics(training.pixels, training.rows),
        load_file_sides(job.run.pixels, training.object_ids),
    )


def _keep_known(
    truth: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    is_known = np.isfinite(truth)
    return truth[is_known], predicted[is_known]

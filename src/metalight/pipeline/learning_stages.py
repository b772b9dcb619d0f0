"""Stages that learn, predict and score. What needs torch is imported when a stage runs."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from metalight.atomic import replace_file
from metalight.devices import check_device_name
from metalight.evaluation import (
    Scores,
    TablePlaces,
    choose_decimals,
    compute_score_tables,
    evaluate_predictions,
    format_number,
    save_beside,
    save_score_tables,
    save_scores,
)
from metalight.image_files import has_fits
from metalight.images import load_pixels
from metalight.model_files import (
    CARD_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    ImageDescription,
    ModelConfig,
    TargetDescription,
    TrainingSummary,
    check_backbone_name,
    check_starting_weights,
)
from metalight.pipeline.baselines_stage import score_baselines
from metalight.pipeline.figures_stage import FIGURES_STAGE, list_scorable
from metalight.pipeline.judge_model import describe_judgement, judge_model
from metalight.pipeline.labels import check_labels_differ
from metalight.pipeline.outside import count_outside_known
from metalight.pipeline.predict_parts import HowToPredict, predict_galaxies
from metalight.pipeline.results_stage import RESULTS_STAGE
from metalight.pipeline.splits_stage import load_set
from metalight.pipeline.stage import Job, Stage
from metalight.recipe import WORDS_FOR_WEIGHTS, WORDS_ON_FETCHING, Recipe
from metalight.run_folder import RunFolder, describe_file, name_predicted
from metalight.splits import SCORED_SETS
from metalight.tables import ColumnInfo, Table, load_table, save_galaxies
from metalight.unfinished import go_on_with, name_unfinished

if TYPE_CHECKING:
    from metalight.training import FittedModel, TrainingData


def check_names(recipe: Recipe, device: str, *, is_trained: bool) -> None:
    """Refuse a device, a backbone or starting weights that are not there, without torch, whose import takes seconds.

    Args:
        recipe: What is wanted.
        device: Name of the processor, or `auto`.
        is_trained: Whether the model is there already: then no starting weights are needed.

    Raises:
        ModelError: One of them is not.
    """
    check_device_name(device)
    if not is_trained:
        check_backbone_name(recipe.model.backbone)
        check_starting_weights(recipe.model.backbone, recipe.model.weights)


def check_learning(recipe: Recipe, device: str, *, is_trained: bool) -> None:
    """Refuse a device, a backbone or starting weights that cannot be used, before any long work.

    Raises:
        ModelError: One of them cannot be used.
    """
    from metalight.model import check_weights_fit, choose_device, try_network

    model, targets, bands = recipe.model, recipe.catalog.targets, recipe.cutouts.bands
    choose_device(device)
    if not is_trained:
        network = try_network(model, len(targets), len(bands), side=recipe.pixels.side)
        check_weights_fit(network, model.backbone, model.weights)


def _perform_training(job: Job) -> str:
    from metalight.model import SavedModel, choose_device, save_model
    from metalight.training import CheckpointPlace, fit_network

    training, validation = load_training_data(job, "train"), load_training_data(job, "validation")
    fitted = fit_network(
        training,
        validation if len(validation.object_ids) else None,
        job.recipe.model,
        job.recipe.training,
        device=choose_device(job.device),
        history_path=job.run.history,
        checkpoints=CheckpointPlace(job.run.checkpoints, job.identity),
        progress=job.progress,
    )
    config = _describe_model(job, fitted, len(training.object_ids), len(validation.object_ids))
    config = judge_model(job, SavedModel(fitted.network, config), fitted, training, validation)
    save_model(SavedModel(fitted.network, config), job.run.model)
    # In memory first: on a full disk, numpy raises an error that does not say so.
    content = io.BytesIO()
    np.save(content, fitted.first_filters)
    with replace_file(job.run.first_filters) as temporary:
        temporary.write_bytes(content.getbuffer())
    line = f"{job.recipe.training.epochs} epochs of {len(training.object_ids):,} galaxies, in {fitted.precision}"
    if enlarged_to := config.images.enlarged_to:
        line += f"; {config.backbone} takes no images of {config.images.side} px: enlarged to {enlarged_to}"
    if fitted.validation_rmse:
        rmse = fitted.validation_rmse[0]
        line += f"; validation RMSE {format_number(rmse, choose_decimals(rmse))} (images as they are)"
    line += describe_judgement(config.training)
    return f"{line}; {fitted.resumed}" if fitted.resumed else line


def load_training_data(job: Job, split: str) -> "TrainingData":
    """The galaxies of a set as a fit takes them; of the training set the part that the recipe asks for."""
    from metalight.training import TrainingData, choose_part

    galaxies, pixels = load_set(job, split).frame, load_pixels(job.run.pixels)
    if split == "train":
        settings = job.recipe.training
        chosen = choose_part(galaxies["object_id"].to_numpy(), settings.fraction, seed=settings.seed)
        galaxies = galaxies[chosen].reset_index(drop=True)
        # All of them are known to differ since they were divided; a part may not.
        whose = f"the training set that [training] fraction = {settings.fraction:g} leaves"
        check_labels_differ(galaxies, job.recipe.catalog.targets, whose)
    object_ids = galaxies["object_id"].to_numpy()
    targets = galaxies[list(job.recipe.catalog.targets)].to_numpy(dtype=np.float64)
    return TrainingData(object_ids, targets, pixels.array, pixels.rows_of(object_ids))


def _describe_model(job: Job, fitted: "FittedModel", num_training: int, num_validation: int) -> ModelConfig:
    import timm
    import torch

    import metalight

    recipe = job.recipe
    info = load_table(job.run.catalog, missing_values=()).info
    paths = load_table(job.run.cutouts, missing_values=()).frame["path"].tolist()
    names = recipe.catalog.targets
    of_targets = [info.get(name, ColumnInfo()) for name in names]
    scaling = fitted.scaling
    return ModelConfig(
        backbone=recipe.model.backbone,
        hidden_features=recipe.model.hidden_features,
        dropout=recipe.model.dropout,
        images=ImageDescription.from_settings(
            recipe.cutouts,
            side=recipe.pixels.side,
            is_fits=has_fits(paths),
            enlarged_to=fitted.network.enlarged_to,
        ),
        targets=tuple(
            TargetDescription(name=name, unit=known.unit, description=known.description, mean=mean, scale=scale)
            for name, known, mean, scale in zip(names, of_targets, scaling.means, scaling.scales, strict=True)
        ),
        augmentation=recipe.training.augmentation,
        training=TrainingSummary(
            num_galaxies=num_training,
            num_validation=num_validation,
            epochs=recipe.training.epochs,
            seed=recipe.training.seed,
            precision=fitted.precision,
            optimizer=recipe.training.optimizer,
            loss=recipe.training.loss,
            # The path of a weights file would tell strangers about the machine.
            starting_weights=fitted.starting_weights,
            validation_rmse={
                name: rmse for name, rmse in zip(names, fitted.validation_rmse, strict=False) if math.isfinite(rmse)
            },
            versions={
                "metalight": metalight.__version__,
                "timm": timm.__version__,
                "torch": torch.__version__,
            },
        ),
    )


def _perform_prediction(job: Job) -> str:
    from metalight.model import choose_device, choose_precision, load_model
    from metalight.prediction import build_prediction_table

    settings = job.recipe.prediction
    model, pixels = load_model(job.run.model), load_pixels(job.run.pixels)
    device = choose_device(job.device)
    precision = choose_precision(settings.precision, device)
    how = HowToPredict(settings.views, settings.seed, settings.batch_size, device, precision)
    targets = list(job.recipe.catalog.targets)
    counts = []
    for split in SCORED_SETS:
        galaxies = load_set(job, split)
        object_ids = galaxies.frame["object_id"].to_numpy()
        with go_on_with(job.run.predictions(split), job.identity) as work:
            label = f"Predicting {split}"
            predicted = predict_galaxies(model, pixels, object_ids, how, work=work, label=label, progress=job.progress)
            table = build_prediction_table(model.config, object_ids, predicted)
            frame = pd.concat([galaxies.frame[["object_id", *targets]], table.frame.drop(columns="object_id")], axis=1)
            of_targets = {target: galaxies.info[target] for target in targets if target in galaxies.info}
            save_galaxies(Table(frame, {**of_targets, **table.info}), job.run.predictions(split))
        counts.append(f"{len(object_ids):,} {split}")
    # Of the last set, the test galaxies.
    counted = [count_outside_known(target, predicted[:, place]) for place, target in enumerate(model.config.targets)]
    outside = [found.describe() for found in counted if found.is_alarming]
    return ". ".join([f"{' and '.join(counts)} galaxies, views '{settings.views}', in {precision}", *outside])


def _perform_evaluation(job: Job) -> str:
    settings = job.recipe.evaluation
    training = load_set(job, "train").frame
    scores: dict[str, Scores] = {}
    for split in SCORED_SETS:
        predictions = load_table(job.run.predictions(split), missing_values=()).frame
        scores = {
            target: evaluate_predictions(
                predictions[target],
                predictions[name_predicted(target)],
                baseline_mean=float(training[target].mean()),
                num_bootstrap=settings.bootstrap_samples,
                seed=settings.seed,
            )
            for target in list_scorable(predictions, job.recipe.catalog.targets)
        }
        save_scores(scores, job.run.metrics(split))
        tables = {
            target: compute_score_tables(
                predictions[target],
                predictions[name_predicted(target)],
                num_bootstrap=settings.bootstrap_samples,
                seed=settings.seed,
            )
            for target in scores
        }
        save_score_tables(tables, TablePlaces(*_list_score_tables(job.run, split)))
    save_beside(score_baselines(job), job.run.baselines)
    return _describe_scores(scores)  # of the last set, the test galaxies


def _list_score_tables(run: RunFolder, split: str) -> list[Path]:
    return [run.metrics_by_truth(split), run.metrics_by_prediction(split), run.selection(split)]


def _describe_scores(scores: Mapping[str, Scores]) -> str:
    if not scores:
        return "too few test galaxies to score"
    lines = []
    for target, of_target in scores.items():
        rmse, nmad = (of_target.metrics[name].value for name in ("rmse", "nmad"))
        decimals = choose_decimals(rmse)
        lines.append(f"{target}: test RMSE {format_number(rmse, decimals)}, NMAD {format_number(nmad, decimals)}")
    return "; ".join(lines)


def _training_settings(recipe: Recipe) -> dict[str, Any]:
    return {
        "model": recipe.model.model_dump(mode="json", exclude={"weights"}),
        "training": recipe.training.model_dump(mode="json"),
        "targets": list(recipe.catalog.targets),
        "images": recipe.cutouts.model_dump(mode="json", exclude=set(WORDS_ON_FETCHING)),
    }


def _training_inputs(recipe: Recipe) -> dict[str, Any]:
    weights = recipe.model.weights
    return {"weights": weights if weights in WORDS_FOR_WEIGHTS else describe_file(Path(weights))}


LEARNING_STAGES = (
    Stage(
        "training",
        after=("catalog", "pixels", "splits"),
        perform=_perform_training,
        settings=_training_settings,
        inputs=_training_inputs,
        outputs=lambda run: [run.model / WEIGHTS_FILE, run.model / CONFIG_FILE, run.history, run.first_filters],
        beside=lambda run: [run.model / CARD_FILE],
        unfinished=lambda run: [run.checkpoints],
    ),
    Stage(
        "prediction",
        after=("catalog", "pixels", "splits", "training"),
        perform=_perform_prediction,
        settings=lambda recipe: recipe.prediction.model_dump(mode="json"),
        outputs=lambda run: [run.predictions(split) for split in SCORED_SETS],
        unfinished=lambda run: [name_unfinished(run.predictions(split)) for split in SCORED_SETS],
    ),
    Stage(
        "evaluation",
        after=("catalog", "splits", "baselines", "prediction"),
        perform=_perform_evaluation,
        # What it writes is part of it: runs of before there were tables of bins get them when they go on.
        settings=lambda recipe: {
            **recipe.evaluation.model_dump(mode="json", exclude={"beside_paper"}),
            "writes": "scores, breakdown, tables",
        },
        outputs=lambda run: [
            *(path for split in SCORED_SETS for path in (run.metrics(split), *_list_score_tables(run, split))),
            run.baselines,
        ],
    ),
    FIGURES_STAGE,
    RESULTS_STAGE,
)
"""In order."""

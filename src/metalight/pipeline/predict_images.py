"""Predictions of a saved model for a folder of images, or for the galaxies of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import ImageError, PredictionError, explain_system
from metalight.images import name_statistics
from metalight.model_files import (
    ModelConfig,
    check_saved_model,
    describe_failure,
    find_mismatches,
    find_saved_model,
    load_config,
)
from metalight.outputs import check_outputs
from metalight.pipeline.carried import choose_carried, put_beside, take_carried
from metalight.pipeline.choose_images import CatalogOfImages, StatedOrigin, choose_images, state_origin
from metalight.pipeline.estimate import Cost, estimate_prediction
from metalight.pipeline.outside import count_outside_known
from metalight.pipeline.predict_parts import (
    HowToPredict,
    PredictionOutcome,
)
from metalight.pipeline.refusals import save_refused
from metalight.pipeline.sides import note_reading
from metalight.progress import Progress, no_progress
from metalight.recipe import TestViews
from metalight.run_folder import RunFolder, name_predicted
from metalight.tables import (
    Table,
    load_galaxies,
    name_galaxies,
    require_storable,
    require_writable,
    save_galaxies,
)
from metalight.unfinished import forget_work, go_on_with


@dataclass(frozen=True, eq=False)
class PredictReport:
    """Result of a prediction for new galaxies."""

    output: Path
    num_galaxies: int
    refused: pd.DataFrame
    """Columns object_id, path, reason."""

    refused_path: Path
    """Where that table lies, if any galaxy was refused."""

    summary: pd.DataFrame
    """Mean, standard deviation, lowest and highest prediction of each target."""

    origin_note: str
    """Assumptions about the images; empty if there are none."""

    reading_notes: tuple[str, ...]
    """How the catalogue was read and what of it was left out, if that needs saying."""

    range_notes: tuple[str, ...]
    """How many predictions of each target lie outside what the model knows."""

    warnings: tuple[str, ...]
    """Why the predictions should not be trusted; empty where nothing speaks against them."""


def predict_images(
    model_path: Path,
    images: Path,
    output: Path,
    *,
    views: TestViews = "paper",
    catalog: CatalogOfImages | None = None,
    keep: Sequence[str] = (),
    framing: str = "",
    source: str = "",
    accept_any: bool = False,
    seed: int = 0,
    batch_size: int = 64,
    device: str = "auto",
    precision: Literal["auto", "float32", "bf16"] = "auto",
    progress: Progress = no_progress,
    foretell: Callable[[Cost], None] | None = None,
) -> PredictReport:
    """Predict every usable image, and write a table with the rows in the order of the input.

    The order is that of the catalogue where one is given, that of the run's catalogue for a run, and by identifier for
    a folder alone: integers by increasing value, then text. `ra`, `dec` and `name` of the catalogue stand beside the
    predictions.

    Args:
        model_path: A saved model, or a run that has trained one.
        images: A folder of images; a run, whose decoded images are used, or its image files if none are decoded yet;
            or the folder `cutouts` of a run, which holds the files that a service gave.
        output: The table to write, in any format of `save_table`.
        views: Test-time views whose predictions are averaged.
        catalog: Which galaxies to predict; without it, every file of the folder, or every image of the run.
        keep: More columns of the catalogue, or of the run's, to write beside the predictions.
        framing: What the user says of the images; empty: what the folder states, or else that of the model.
        source: Likewise.
        accept_any: Predict images of another framing or source all the same.
        seed: Of the augmented views.
        batch_size: Galaxies a batch.
        device: Name of the processor, or `auto`.
        precision: `bf16` computes the backbone in mixed precision; `auto` takes it where the processor
            multiplies it faster.
        progress: Shows long work.
        foretell: Told what is ahead, before it starts; without it, nothing is tried.

    Raises:
        MetalightError: The model, the images, the catalogue or the output cannot be used.
    """
    # After the full name: `p.csv` and `p.fits` in one folder have one each.
    refused_path = output.with_name(f"{output.name}.refused.csv")
    check_outputs(output, refused_path)
    for place in (output, refused_path):
        require_writable(place)
    folder = find_saved_model(model_path)
    check_saved_model(folder)
    config = load_config(folder)
    wanted = config.images
    stated = state_origin(images, framing, source)
    chosen = choose_images(images, stated, catalog, wanted, accept_any=accept_any)
    taken = ["object_id", *(name_predicted(target.name) for target in config.targets)]
    carry = _choose_carried(catalog, stated.run, keep, taken)
    require_storable(name_galaxies(put_beside(_list_galaxies(chosen.object_ids), carry(chosen.object_ids))), output)
    # Not before all is looked at: importing torch takes seconds.
    from metalight.model import choose_device, choose_precision, load_model
    from metalight.prediction import build_prediction_table

    processor = choose_device(device)
    model = load_model(folder)
    how = HowToPredict(views, seed, batch_size, processor, choose_precision(precision, processor))
    if foretell is not None:
        foretell(estimate_prediction(model, how, chosen.num_galaxies))
    try:
        with go_on_with(output, chosen.identify(model, how)) as work:
            outcome = chosen.predict(model, how, work, progress)
            # The parts are kept until all is written.
            predictions = build_prediction_table(model.config, outcome.object_ids, outcome.predicted)
            save_galaxies(put_beside(predictions, carry(outcome.object_ids)), output)
            _save_refused(outcome.refused, refused_path)
    except ImageError:
        forget_work(output)  # no image can be used: once they are fixed, they are others
        raise
    except OSError as error:
        raise PredictionError(
            f"The predictions cannot be written beside {output}: {explain_system(error)}. Fix that and run the "
            "same command again to resume."
        ) from error
    names = [target.name for target in model.config.targets]
    return PredictReport(
        output,
        len(outcome.predicted),
        outcome.refused,
        refused_path,
        _summarise(outcome.predicted, names),
        _note_origin(stated, model.config),
        () if catalog is None else note_reading(catalog.galaxies, catalog.path),
        *_find_flaws(model.config, outcome),
    )


def _find_flaws(config: ModelConfig, outcome: PredictionOutcome) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes on the range of the predictions, and warnings."""
    counted = [count_outside_known(target, outcome.predicted[:, place]) for place, target in enumerate(config.targets)]
    notes = [counts.describe() for counts in counted if not counts.is_alarming]
    warnings = [describe_failure(config.training.verdict, config.units), _describe_mismatches(config, outcome)]
    warnings += [counts.describe() for counts in counted if counts.is_alarming]
    return tuple(filter(None, notes)), tuple(filter(None, warnings))


_MISMATCHES_TOLD = 4
"""The largest differences between images, which are told in full."""


def _describe_mismatches(config: ModelConfig, outcome: PredictionOutcome) -> str:
    mismatches = find_mismatches(
        config.training.images, name_statistics(config.images.channels), outcome.image_numbers, outcome.file_sides
    )
    if not mismatches:
        return ""
    told, num_more = mismatches[:_MISMATCHES_TOLD], len(mismatches) - _MISMATCHES_TOLD
    if num_more > 0:
        told = [*told, f"and {num_more} more"]
    return (
        f"The images do not look like those that the model was trained on: {'; '.join(told)}. Do not trust these "
        "predictions unless you know why; use images of the same survey, framing and processing."
    )


def _choose_carried(
    catalog: CatalogOfImages | None, run: RunFolder | None, keep: Sequence[str], taken: Sequence[str]
) -> Callable[[npt.NDArray[np.int64]], Table]:
    """What gives the columns of galaxies that are to stand beside their predictions.

    Raises:
        MetalightError: A column of `keep` cannot be carried.
    """
    if catalog is not None:
        galaxies, path = catalog.galaxies, catalog.path
        if catalog.object_id in keep:
            raise PredictionError(
                f"--keep {catalog.object_id} names the column of identifiers, which is written as object_id; leave it "
                "out."
            )
    elif run is not None and run.catalog.is_file():
        galaxies, path = load_galaxies(run.catalog), run.catalog
    elif keep:
        raise PredictionError(f"--keep {keep[0]} names a column of a catalogue; give --catalog too, or leave it out.")
    else:
        return lambda object_ids: Table(pd.DataFrame(index=range(len(object_ids))))
    columns = choose_carried(galaxies, keep, path=path, taken=taken)
    known = galaxies.frame["object_id"].to_numpy()
    return lambda object_ids: take_carried(galaxies, columns, known=known, wanted=object_ids)


def _list_galaxies(object_ids: npt.NDArray[np.int64]) -> Table:
    return Table(pd.DataFrame({"object_id": object_ids}))


def _save_refused(refused: pd.DataFrame, path: Path) -> None:
    if len(refused):
        save_refused(refused, path)
    else:
        path.unlink(missing_ok=True)  # that of an earlier prediction would mislead


def _note_origin(stated: StatedOrigin, config: Any) -> str:
    unknown = [name for name, value in (("framing", stated.framing), ("source", stated.source)) if not value]
    if not unknown:
        return ""
    trained_on = " and ".join(f"{name} '{getattr(config.images, name)}'" for name in unknown)
    return f"The images do not state their {' and '.join(unknown)}: taken to be the model's, {trained_on}."


def _summarise(predicted: np.ndarray[Any, Any], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "target": names,
            "mean": predicted.mean(axis=0),
            "standard deviation": predicted.std(axis=0),
            "lowest": predicted.min(axis=0),
            "highest": predicted.max(axis=0),
        }
    )

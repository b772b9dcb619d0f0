"""Predictions of a saved model for a folder of images, or for the galaxies of a run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.atomic import remove_leftovers_of
from metalight.catalog import list_file_names, load_catalog
from metalight.cutouts import FoundCutouts, find_cutouts, list_cutouts, load_origin
from metalight.errors import ImageError, PredictionError, explain_system
from metalight.image_files import has_fits
from metalight.images import CONTENT_FILE, ImageKind, Pixels, find_kind, load_pixels
from metalight.model_files import (
    ImageDescription,
    check_files_match,
    check_images_match,
    check_mapping_matches,
    check_saved_model,
    find_saved_model,
    load_config,
)
from metalight.pipeline.estimate import Cost, estimate_prediction
from metalight.pipeline.predict_parts import (
    HowToPredict,
    PredictionOutcome,
    identify_prediction,
    predict_folder,
    predict_galaxies,
)
from metalight.pipeline.reddening import add_reddening, load_reddening
from metalight.pipeline.refusals import save_refused
from metalight.pipeline.stage import locate_images
from metalight.pipeline.stages import find_stage, is_cache_touched
from metalight.progress import Progress, no_progress
from metalight.recipe import load_recipe
from metalight.run import RunFolder, describe_file
from metalight.tables import Table, list_saved_files, load_table, require_writable, save_table
from metalight.unfinished import UnfinishedWork, forget_work, go_on_with

if TYPE_CHECKING:
    from metalight.model import SavedModel


@dataclass(frozen=True, eq=False)
class PredictReport:
    """What a prediction for new galaxies left."""

    output: Path
    num_galaxies: int
    refused: pd.DataFrame
    """Columns object_id, path, reason."""

    refused_path: Path
    """Where that table lies, if any galaxy was refused."""

    summary: pd.DataFrame
    """Mean, standard deviation, lowest and highest prediction of each target."""

    origin_note: str
    """What was taken for granted of the images; empty if nothing was."""


@dataclass(frozen=True)
class CatalogOfImages:
    """A table that says which galaxies to predict, and optionally which file is whose."""

    path: Path
    object_id: str = "object_id"
    file_name: str = ""


def predict_images(
    model_path: Path,
    images: Path,
    output: Path,
    *,
    views: Literal["none", "paper", "eight"] = "paper",
    catalog: CatalogOfImages | None = None,
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

    The order is that of the catalogue where one is given, that of the run's catalogue for a run, and by increasing
    identifier for a folder alone.

    Args:
        model_path: A saved model, or a run that has trained one.
        images: A folder of images; a run, whose decoded images are used, or its image files if none are decoded yet;
            or the folder `cutouts` of a run, which holds the files that a service gave.
        output: The table to write, in any format of `save_table`.
        views: Test-time views whose predictions are averaged.
        catalog: Which galaxies to predict; without it, every file of the folder that is named by an identifier, or
            every image of the run.
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
    refused_path = output.with_name(f"{_name_stem(output)}_refused.csv")
    for place in (output, refused_path):
        require_writable(place)
    folder = find_saved_model(model_path)
    check_saved_model(folder)
    wanted = load_config(folder).images
    stated = _state_origin(images, framing, source)
    if catalog is not None and catalog.file_name and stated.run is not None:
        raise PredictionError(f"{images} is a run, which knows whose its images are; leave out --file-name.")
    if not accept_any:
        check_images_match(wanted, framing=stated.framing, source=stated.source, bands=stated.bands)
    chosen: _ImagesOfRun | _ImagesOfFolder
    if stated.run is None:
        chosen = _choose_of_folder(images, catalog, wanted)
    elif stated.are_files:
        chosen = _choose_files_of_run(stated.run, catalog, wanted)
    else:
        chosen = _choose_of_run(stated.run, catalog, wanted)
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
            remove_leftovers_of([*list_saved_files(output), *list_saved_files(refused_path)])
            outcome = chosen.predict(model, how, work, progress)
            # The parts are kept until all is written.
            save_table(build_prediction_table(model.config, outcome.object_ids, outcome.predicted), output)
            _save_refused(outcome.refused, refused_path)
    except ImageError:
        forget_work(output)  # no image can be used: once they are mended, they are others
        raise
    except OSError as error:
        raise PredictionError(
            f"The predictions cannot be written beside {output}: {explain_system(error)}. Mend that and give the "
            "same command: it goes on from there."
        ) from error
    names = [target.name for target in model.config.targets]
    return PredictReport(
        output,
        len(outcome.predicted),
        outcome.refused,
        refused_path,
        _summarise(outcome.predicted, names),
        _note_origin(stated, model.config),
    )


def _save_refused(refused: pd.DataFrame, path: Path) -> None:
    if len(refused):
        save_refused(refused, path)
    else:
        path.unlink(missing_ok=True)  # that of an earlier prediction would mislead


@dataclass(frozen=True)
class _Stated:
    framing: str
    source: str
    bands: tuple[str, ...]
    """Known of a run only."""

    run: RunFolder | None
    are_files: bool = False
    """Whether the image files of the run are meant, and not what was decoded of them."""


def _state_origin(images: Path, framing: str, source: str) -> _Stated:
    """What is known of the framing and the source of images: the user's word before the folder's."""
    run = RunFolder(images)
    is_store = not run.is_run() and _is_store_of_run(images)
    if is_store or run.is_run():
        run = RunFolder(images.absolute().parent) if is_store else run
        cutouts = load_recipe(str(run.recipe)).cutouts
        are_files = is_store or not _has_decoded(run)
        return _Stated(framing or cutouts.framing, source or cutouts.source, cutouts.bands, run, are_files)
    origin = load_origin(images)
    return _Stated(framing or origin.framing, source or origin.source, (), None)


def _is_store_of_run(images: Path) -> bool:
    """Whether a folder is that of the images which a run has fetched."""
    run = RunFolder(images.absolute().parent)
    return images.absolute() == run.fetched and run.is_run() and run.cutouts.is_file()


def _has_decoded(run: RunFolder) -> bool:
    """Whether the images of a run were decoded, unless there is nothing to decode either."""
    return "pixels" in run.load_records() or not run.cutouts.is_file()


def _name_stem(output: Path) -> str:
    """The file's name without its suffix, and without `.gz` after it."""
    return Path(output.stem).stem if output.suffix.lower() == ".gz" else output.stem


def _note_origin(stated: _Stated, config: Any) -> str:
    unknown = [name for name, value in (("framing", stated.framing), ("source", stated.source)) if not value]
    if not unknown:
        return ""
    trained_on = " and ".join(f"{name} '{getattr(config.images, name)}'" for name in unknown)
    return f"The images do not state their {' and '.join(unknown)}: taken to be the model's, {trained_on}."


@dataclass(frozen=True, eq=False)
class _ImagesOfRun:
    """Decoded images of a run, of galaxies to predict."""

    run: RunFolder
    pixels: Pixels
    object_ids: npt.NDArray[np.int64]
    refused: pd.DataFrame
    """Columns object_id, path, reason."""

    @property
    def num_galaxies(self) -> int:
        return len(self.object_ids)

    def identify(self, model: "SavedModel", how: HowToPredict) -> str:
        content = describe_file(self.run.pixels / CONTENT_FILE)
        return identify_prediction(model, how, [content, self.object_ids.tolist()])

    def predict(
        self, model: "SavedModel", how: HowToPredict, work: UnfinishedWork, progress: Progress
    ) -> PredictionOutcome:
        predicted = predict_galaxies(model, self.pixels, self.object_ids, how, work=work, progress=progress)
        return PredictionOutcome(self.object_ids, predicted, self.refused)


@dataclass(frozen=True, eq=False)
class _ImagesOfFolder:
    """Image files of galaxies to predict."""

    folder: Path
    cutouts: FoundCutouts
    kind: ImageKind

    @property
    def num_galaxies(self) -> int:
        return len(self.cutouts.found)

    def identify(self, model: "SavedModel", how: HowToPredict) -> str:
        # With E(B−V), where fluxes are corrected for it.
        files = self.cutouts.found
        return identify_prediction(model, how, [files.to_dict("list"), self.kind.describe()])

    def predict(
        self, model: "SavedModel", how: HowToPredict, work: UnfinishedWork, progress: Progress
    ) -> PredictionOutcome:
        found = self.cutouts.found
        outcome = predict_folder(model, self.folder, found, self.kind, how, work=work, progress=progress)
        return replace(outcome, refused=pd.concat([self.cutouts.refused, outcome.refused], ignore_index=True))


def _choose_of_run(run: RunFolder, catalog: CatalogOfImages | None, wanted: ImageDescription) -> _ImagesOfRun:
    """The galaxies of a catalogue, or else all, whose decoded images are such as are wanted."""
    recipe, pixels = load_recipe(str(run.recipe)), _load_whole_pixels(run)
    are_fits = has_fits(load_table(run.cutouts, missing_values=()).frame["path"].tolist())
    decoded = ImageDescription.from_settings(recipe.cutouts, side=recipe.pixels.side, is_fits=are_fits)
    check_mapping_matches(wanted, decoded)
    object_ids = pixels.object_ids if catalog is None else _load_galaxies(catalog).frame["object_id"].to_numpy()
    has_pixels = np.isin(object_ids, pixels.object_ids)
    refused = _explain_absent(run, object_ids[~has_pixels])
    if not has_pixels.any():
        raise PredictionError(
            f"None of the {len(object_ids)} galaxies to predict has a decoded image in the run {run.path}, such as "
            f"{object_ids[0]}, which {refused['reason'].iloc[0]}; check --catalog and --id."
        )
    return _ImagesOfRun(run, pixels, object_ids[has_pixels], refused)


def _choose_files_of_run(run: RunFolder, catalog: CatalogOfImages | None, wanted: ImageDescription) -> _ImagesOfFolder:
    """The image files of a run, of the galaxies of a catalogue, or else of all, if they are such as are wanted."""
    folder = locate_images(run, load_recipe(str(run.recipe)))
    # What was known of their reddening was for the run's own images.
    files = load_table(run.cutouts, missing_values=()).frame[["object_id", "path", "num_bytes", "modified_ns"]]
    galaxies = None if catalog is None else _load_galaxies(catalog)
    object_ids = (files if galaxies is None else galaxies.frame)["object_id"].to_numpy()
    has_file = np.isin(object_ids, files["object_id"])
    refused = _explain_absent(run, object_ids[~has_file])
    if not has_file.any():
        raise PredictionError(
            f"None of the {len(object_ids)} galaxies to predict has an image in the run {run.path}, such as "
            f"{object_ids[0]}, which {refused['reason'].iloc[0]}; check --catalog and --id."
        )
    found = files.set_index("object_id", drop=False).loc[object_ids[has_file]].reset_index(drop=True)
    check_files_match(wanted, are_fits=has_fits(found["path"].tolist()))
    if wanted.deredden:
        known = load_table(run.catalog, missing_values=()) if galaxies is None else galaxies
        path = run.catalog if catalog is None else catalog.path
        role = "the model's [cutouts] deredden"
        found = add_reddening(found, load_reddening(known, wanted.deredden, path=path, role=role))
    kind = find_kind(folder, found, wanted.side, wanted.to_settings())
    return _ImagesOfFolder(folder, FoundCutouts(found, refused, unused=0), kind)


def _load_whole_pixels(run: RunFolder) -> Pixels:
    stage, record = find_stage("pixels"), run.load_records().get("pixels")
    if (record is None or is_cache_touched(stage, run, record)) and not stage.is_cache_whole(run):
        raise PredictionError(
            f"The decoded images of the run {run.path} are missing, or were altered since they were made; `metalight "
            f"run {run.recipe} --run-dir {run.path}` decodes them anew."
        )
    return load_pixels(run.pixels)


def _explain_absent(run: RunFolder, object_ids: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Why galaxies have no decoded image in a run: columns object_id, path, reason."""
    reasons: dict[int, str] = {}
    for path in (run.refused(stage) for stage in ("catalog", "cutouts", "pixels")):
        if path.is_file():
            frame = load_table(path, missing_values=()).frame
            reasons |= dict(zip(frame["object_id"].tolist(), frame["reason"].tolist(), strict=True))
    told = [
        f"was refused by the run: {reasons[key]}" if key in reasons else "is none of the run's galaxies"
        for key in object_ids.tolist()
    ]
    return pd.DataFrame({"object_id": object_ids, "path": pd.Series([""] * len(told), dtype="str"), "reason": told})


def _choose_of_folder(images: Path, catalog: CatalogOfImages | None, wanted: ImageDescription) -> _ImagesOfFolder:
    """The images of the galaxies of a catalogue, or else all, if their files are such as are wanted."""
    if wanted.deredden and catalog is None:
        raise PredictionError(
            "The model takes fluxes corrected for E(B−V), which a folder does not tell; give --catalog TABLE, with the "
            f"column '{wanted.deredden}'."
        )
    if catalog is None:
        cutouts = list_cutouts(images, bands=wanted.channels)
    else:
        cutouts = _find_of_catalog(images, catalog, wanted)
    check_files_match(wanted, are_fits=has_fits(cutouts.found["path"].tolist()))
    kind = find_kind(images, cutouts.found, wanted.side, wanted.to_settings())
    return _ImagesOfFolder(images, cutouts, kind)


def _find_of_catalog(images: Path, catalog: CatalogOfImages, wanted: ImageDescription) -> FoundCutouts:
    """The files of a catalogue's galaxies, with their E(B−V) where the model needs it."""
    galaxies = _load_galaxies(catalog)
    file_names = list_file_names(galaxies) if catalog.file_name else None
    object_ids = galaxies.frame["object_id"].to_numpy()
    cutouts = find_cutouts(images, object_ids, file_names, bands=wanted.channels)
    if not wanted.deredden:
        return cutouts
    role = "the model's [cutouts] deredden"
    reddening = load_reddening(galaxies, wanted.deredden, path=catalog.path, role=role)
    return replace(cutouts, found=add_reddening(cutouts.found, reddening))


def _load_galaxies(catalog: CatalogOfImages) -> Table:
    return load_catalog(
        catalog.path,
        object_id=catalog.object_id,
        targets=(),
        file_name=catalog.file_name,
        roles=("--id", "--file-name"),
    ).table


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

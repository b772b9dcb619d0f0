"""Which images a prediction is for: the decoded ones of a run, its files, or those of a folder; and whose they are."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog import list_file_names, load_catalog
from metalight.cutouts import FoundCutouts, find_cutouts, list_cutouts, load_origin
from metalight.errors import PredictionError
from metalight.identifiers import name_of
from metalight.image_files import has_fits
from metalight.images import (
    CONTENT_FILE,
    ImageKind,
    Pixels,
    find_kind,
    load_file_sides,
    load_pixels,
    measure_statistics,
)
from metalight.model_files import (
    ImageDescription,
    check_files_match,
    check_images_match,
    check_mapping_matches,
)
from metalight.pipeline.predict_parts import (
    HowToPredict,
    PredictionOutcome,
    identify_prediction,
    predict_folder,
    predict_galaxies,
)
from metalight.pipeline.reddening import add_reddening, load_reddening
from metalight.pipeline.refusals import load_refused
from metalight.pipeline.stage import locate_images
from metalight.pipeline.stages import find_stage, is_cache_touched
from metalight.progress import Progress
from metalight.recipe import load_recipe
from metalight.run_folder import RunFolder, describe_file
from metalight.tables import Table, load_galaxies
from metalight.unfinished import UnfinishedWork

if TYPE_CHECKING:
    from metalight.model import SavedModel


@dataclass(frozen=True)
class CatalogOfImages:
    """A table that says which galaxies to predict, and optionally which file is whose."""

    path: Path
    object_id: str = "object_id"
    file_name: str = ""

    @cached_property
    def galaxies(self) -> Table:
        """Its galaxies, as of `load_catalog`; read once.

        Raises:
            CatalogError: It cannot be used.
        """
        roles = ("--id", "--file-name")
        found = load_catalog(self.path, object_id=self.object_id, targets=(), file_name=self.file_name, roles=roles)
        return found.table


@dataclass(frozen=True)
class StatedOrigin:
    """What is known of images before one is looked at."""

    framing: str
    """Empty where it is not known; `source` likewise."""

    source: str
    bands: tuple[str, ...]
    """Known of a run only."""

    run: RunFolder | None
    """Whose they are; None for a folder."""

    are_files: bool = False
    """Whether the image files of the run are meant, and not what was decoded of them."""


def state_origin(images: Path, framing: str, source: str) -> StatedOrigin:
    """What is known of the framing and the source of images: the user's word before the folder's."""
    run = RunFolder(images)
    is_store = not run.is_run() and _is_store_of_run(images)
    if is_store or run.is_run():
        run = RunFolder(images.absolute().parent) if is_store else run
        cutouts = load_recipe(str(run.recipe)).cutouts
        are_files = is_store or not _has_decoded(run)
        return StatedOrigin(framing or cutouts.framing, source or cutouts.source, cutouts.bands, run, are_files)
    origin = load_origin(images)
    return StatedOrigin(framing or origin.framing, source or origin.source, (), None)


def _is_store_of_run(images: Path) -> bool:
    """Whether a folder is that of the images which a run has fetched."""
    run = RunFolder(images.absolute().parent)
    return images.absolute() == run.fetched and run.is_run() and run.cutouts.is_file()


def _has_decoded(run: RunFolder) -> bool:
    """Whether the images of a run were decoded, unless there is nothing to decode either."""
    return "pixels" in run.load_records() or not run.cutouts.is_file()


class ChosenImages(Protocol):
    """Images of galaxies to predict."""

    @property
    def object_ids(self) -> npt.NDArray[np.int64]:
        """Their keys."""
        ...

    @property
    def num_galaxies(self) -> int:
        """How many there are; some may be refused yet."""
        ...

    def identify(self, model: "SavedModel", how: HowToPredict) -> str:
        """A digest of all that their predictions depend on."""
        ...

    def predict(
        self, model: "SavedModel", how: HowToPredict, work: UnfinishedWork, progress: Progress
    ) -> PredictionOutcome:
        """Predict them, going on with what was done before."""
        ...


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
        numbers = measure_statistics(self.pixels.array, self.pixels.rows_of(self.object_ids))
        file_sides = load_file_sides(self.run.pixels, self.object_ids)
        return PredictionOutcome(self.object_ids, predicted, self.refused, numbers, file_sides)


@dataclass(frozen=True, eq=False)
class _ImagesOfFolder:
    """Image files of galaxies to predict."""

    folder: Path
    cutouts: FoundCutouts
    kind: ImageKind

    @property
    def object_ids(self) -> npt.NDArray[np.int64]:
        return self.cutouts.found["object_id"].to_numpy()

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


def choose_images(
    images: Path, stated: StatedOrigin, catalog: CatalogOfImages | None, wanted: ImageDescription, *, accept_any: bool
) -> ChosenImages:
    """The images that a model takes, of the galaxies of a catalogue, or else of all that there are.

    Args:
        images: A folder of images, a run, or the folder `cutouts` of a run.
        stated: What is known of their origin.
        catalog: Which galaxies to predict, and optionally which file is whose.
        wanted: What the model takes.
        accept_any: Whether images of another framing or source will do.

    Raises:
        MetalightError: The images or the catalogue cannot be used.
    """
    if catalog is not None and catalog.file_name and stated.run is not None:
        raise PredictionError(f"{images} is a run, which knows whose its images are; leave out --file-name.")
    if not accept_any:
        check_images_match(wanted, framing=stated.framing, source=stated.source, bands=stated.bands)
    if stated.run is None:
        return _choose_of_folder(images, catalog, wanted)
    if stated.are_files:
        return _choose_files_of_run(stated.run, catalog, wanted)
    return _choose_of_run(stated.run, catalog, wanted)


def _choose_of_run(run: RunFolder, catalog: CatalogOfImages | None, wanted: ImageDescription) -> _ImagesOfRun:
    """The galaxies of a catalogue, or else all, whose decoded images are such as are wanted."""
    recipe, pixels = load_recipe(str(run.recipe)), _load_whole_pixels(run)
    are_fits = has_fits(load_galaxies(run.cutouts).frame["path"].tolist())
    decoded = ImageDescription.from_settings(recipe.cutouts, side=recipe.pixels.side, is_fits=are_fits)
    check_mapping_matches(wanted, decoded)
    object_ids = pixels.object_ids if catalog is None else catalog.galaxies.frame["object_id"].to_numpy()
    has_pixels = np.isin(object_ids, pixels.object_ids)
    refused = _explain_absent(run, object_ids[~has_pixels])
    if not has_pixels.any():
        raise PredictionError(
            f"None of the {len(object_ids)} galaxies to predict has a decoded image in the run {run.path}, such as "
            f"{name_of(object_ids[0])}, which {refused['reason'].iloc[0]}; check --catalog and --id."
        )
    return _ImagesOfRun(run, pixels, object_ids[has_pixels], refused)


def _choose_files_of_run(run: RunFolder, catalog: CatalogOfImages | None, wanted: ImageDescription) -> _ImagesOfFolder:
    """The image files of a run, of the galaxies of a catalogue, or else of all, if they are such as are wanted."""
    folder = locate_images(run, load_recipe(str(run.recipe)))
    # What was known of their reddening was for the run's own images.
    files = load_galaxies(run.cutouts).frame[["object_id", "path", "num_bytes", "modified_ns"]]
    galaxies = None if catalog is None else catalog.galaxies
    object_ids = (files if galaxies is None else galaxies.frame)["object_id"].to_numpy()
    has_file = np.isin(object_ids, files["object_id"])
    refused = _explain_absent(run, object_ids[~has_file])
    if not has_file.any():
        raise PredictionError(
            f"None of the {len(object_ids)} galaxies to predict has an image in the run {run.path}, such as "
            f"{name_of(object_ids[0])}, which {refused['reason'].iloc[0]}; check --catalog and --id."
        )
    found = files.set_index("object_id", drop=False).loc[object_ids[has_file]].reset_index(drop=True)
    check_files_match(wanted, are_fits=has_fits(found["path"].tolist()))
    if wanted.deredden:
        known = load_galaxies(run.catalog) if galaxies is None else galaxies
        path = run.catalog if catalog is None else catalog.path
        role = "the model's [cutouts] deredden"
        found = add_reddening(found, load_reddening(known, wanted.deredden, path=path, role=role))
    kind = find_kind(folder, found, wanted.side, wanted.to_settings())
    return _ImagesOfFolder(folder, FoundCutouts(found, refused, unused=0), kind)


def _load_whole_pixels(run: RunFolder) -> Pixels:
    stage, record = find_stage("pixels"), run.load_records().get("pixels")
    if (record is None or is_cache_touched(stage, run, record)) and not stage.is_cache_whole(run):
        raise PredictionError(
            f"The decoded images of the run {run.path} are missing, or were altered since they were made; "
            f"`{run.command}` decodes them again."
        )
    return load_pixels(run.pixels)


def _explain_absent(run: RunFolder, object_ids: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Why galaxies have no decoded image in a run: columns object_id, path, reason."""
    reasons: dict[int, str] = {}
    for path in (run.refused(stage) for stage in ("catalog", "cutouts", "pixels")):
        if path.is_file():
            frame = load_refused(path)
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
    galaxies = catalog.galaxies
    file_names = list_file_names(galaxies) if catalog.file_name else None
    object_ids = galaxies.frame["object_id"].to_numpy()
    cutouts = find_cutouts(images, object_ids, file_names, bands=wanted.channels)
    if not wanted.deredden:
        return cutouts
    role = "the model's [cutouts] deredden"
    reddening = load_reddening(galaxies, wanted.deredden, path=catalog.path, role=role)
    return replace(cutouts, found=add_reddening(cutouts.found, reddening))

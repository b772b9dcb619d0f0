"""The stage that brings the images: found in a folder, or fetched from a service into the run."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metalight.catalog import list_file_names
from metalight.cutouts import (
    ORIGIN_FILE,
    REFUSED_BY_SERVICES,
    CutoutService,
    DownloadReport,
    PicturesOfArchive,
    build_service,
    check_origin,
    compute_folder_digest,
    compute_frame_arcsec,
    find_archive_flaw,
    find_cutouts,
    import_archive,
)
from metalight.errors import ImageError, RecipeError, explain_absence, hide_secrets
from metalight.identifiers import name_of
from metalight.pipeline.downloads import fetch_cutouts
from metalight.pipeline.galaxy_sizes import measure_radii
from metalight.pipeline.reddening import add_reddening, load_reddening
from metalight.pipeline.refusals import format_refused, save_refused
from metalight.pipeline.stage import Job, Stage
from metalight.recipe import WORDS_ON_FETCHING, Recipe, is_address
from metalight.run_folder import RunFolder, describe_file
from metalight.tables import (
    Table,
    find_column,
    load_galaxies,
    load_table,
    match_columns,
    require_numbers,
    save_galaxies,
)
from metalight.web import compute_checksum, fetch_file

_USUAL_R90 = "petroR90_r"
_SETTINGS_WITHOUT_EFFECT = {"folder", "base_url", "archive", "archive_checksum", "retry_refused"}
"""Of a service: its images are the same wherever it is asked, and a finished download is not begun again for them."""


def _perform_cutouts(job: Job) -> str:
    galaxies = load_galaxies(job.run.catalog)
    settings = job.recipe.cutouts
    reddening = None
    if settings.deredden:
        role = "[cutouts] deredden"
        reddening = load_reddening(galaxies, settings.deredden, path=job.run.catalog, role=role)
    if not settings.is_fetched:
        return _find_in_folder(job, galaxies, reddening)
    if settings.service == "archive":
        report, origin = _read_archive(job, galaxies), "the archive"
    else:
        service = build_service(settings, job.recipe.skyserver)
        report, origin = _fetch_from_service(job, galaxies, service), service.name
    if report.fetched.empty:
        first = report.refused.iloc[0]
        raise ImageError(
            f"None of the {len(report.refused):,} galaxies has an image of {origin}, for example galaxy "
            f"{name_of(first['object_id'])}: {first['reason']}. Check [cutouts], and what [catalog] says of "
            "identifiers and places."
        )
    save_galaxies(Table(add_reddening(report.fetched, reddening), {}), job.run.cutouts)
    save_refused(report.refused, job.run.refused("cutouts"))
    line = f"{len(report.fetched):,} of {len(galaxies.frame):,} have an image of {origin}"
    if report.num_requests:
        line += f"; {report.num_new:,} fetched now with {report.num_requests:,} requests"
    return line + format_refused(report.refused)


def _find_in_folder(job: Job, galaxies: Table, reddening: "pd.Series[float] | None") -> str:
    settings = job.recipe.cutouts
    folder = Path(settings.folder)
    check_origin(folder, framing=settings.framing, source=settings.source)
    # A column of the user's that only happens to be called file_name is not asked for.
    file_names = list_file_names(galaxies) if job.recipe.catalog.file_name else None
    cutouts = find_cutouts(folder, galaxies.frame["object_id"].to_numpy(), file_names, bands=settings.bands)
    save_galaxies(Table(add_reddening(cutouts.found, reddening), {}), job.run.cutouts)
    save_refused(cutouts.refused, job.run.refused("cutouts"))
    unused = f"; {cutouts.unused:,} images belong to none of them" if cutouts.unused else ""
    return f"{len(cutouts.found):,} of {len(galaxies.frame):,} have an image{format_refused(cutouts.refused)}{unused}"


def _read_archive(job: Job, galaxies: Table) -> DownloadReport:
    settings, archive = job.recipe.cutouts, Path(job.recipe.cutouts.archive)
    if is_address(settings.archive):
        archive = _fetch_archive(job)
    elif not archive.is_file():
        raise ImageError(f"{explain_absence(archive, 'archive')}; check [cutouts] archive.")
    frames = compute_frame_arcsec(settings.model_copy(update={"field_arcsec": 0.0}), 1, None)
    scale = math.nan if frames is None else float(frames[0]) / settings.side
    return import_archive(
        galaxies.frame["object_id"].to_numpy(),
        archive,
        PicturesOfArchive(settings.source, settings.side, scale),
        job.run.fetched,
        retry_refused=settings.retry_refused,
        progress=job.progress,
    )


def _fetch_archive(job: Job) -> Path:
    """The file that an archive at an address is kept in, fetched if it is not there or is not what its checksum says.

    Raises:
        ServiceError: It cannot be fetched.
    """
    address, checksum = job.recipe.cutouts.archive, job.recipe.cutouts.archive_checksum
    shown = hide_secrets(address)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", shown.partition("?")[0].rpartition("/")[2])
    # Archives at different addresses may have the same name.
    place = hashlib.sha256(shown.encode()).hexdigest()[:8]
    archive = job.run.fetched / f"archive-{place}-{name}"
    algorithm, _, expected = checksum.partition(":")
    if checksum and archive.is_file() and compute_checksum(archive, algorithm) != expected:
        archive.unlink()
    fetch_file(
        address, archive, job.recipe.network, checksum=checksum, find_flaw=find_archive_flaw, progress=job.progress
    )
    return archive


def _fetch_from_service(job: Job, galaxies: Table, service: CutoutService) -> DownloadReport:
    places, flaws = list_places(job, galaxies)
    report = fetch_cutouts(job, places, service, job.run.fetched)
    return replace(report, refused=_explain_sizes(report.refused, flaws))


def _explain_sizes(refused: pd.DataFrame, flaws: Mapping[int, str]) -> pd.DataFrame:
    """Refusals with the reason why a size could not be measured, where that is why."""
    reasons = [
        f"its size cannot be measured: {flaws[object_id]}" if kind == "no_size" and object_id in flaws else reason
        for object_id, kind, reason in refused[["object_id", "kind", "reason"]].itertuples(index=False)
    ]
    return refused.assign(reason=pd.Series(reasons, dtype="str", index=refused.index))


def list_places(job: Job, galaxies: Table) -> tuple[pd.DataFrame, dict[int, str]]:
    """What a service is asked to show, and of galaxies whose size was to be measured but could not be, why.

    Args:
        job: The run.
        galaxies: Its catalogue.

    Returns:
        Columns object_id, ra, dec (degrees), frame_arcsec (NaN where it is not known); and the flaw by object_id.

    Raises:
        RecipeError: The framing needs a size, and no column is named for it.
        TableError: A column is not there, or holds no numbers.
    """
    names, path = job.recipe.catalog, job.run.catalog

    def read(role: str, name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
        column = find_column(galaxies, name, path=path, role=role)
        return require_numbers(galaxies, column, path=path)

    settings = job.recipe.cutouts
    places = pd.DataFrame(
        {
            "object_id": galaxies.frame["object_id"].to_numpy(),
            "ra": read("[catalog] ra", names.ra),
            "dec": read("[catalog] dec", names.dec),
        }
    )
    radii, flaws = None, dict[int, str]()
    if settings.framing == "petrosian" and settings.size == "measured":
        radii, flaws = measure_radii(job, places)
    elif settings.framing == "petrosian" and settings.size == "factor":
        radii = settings.radius_factor * read("[cutouts] radius_column", settings.radius_column)
    elif settings.framing == "petrosian":
        radius = names.petro_r90 or next(iter(match_columns(galaxies, _USUAL_R90)), "")
        if not radius:
            raise RecipeError(
                'framing = "petrosian" shows 5.05 petroR90_r around a galaxy, and the catalogue has no such column: '
                "name one with [catalog] petro_r90, or set [cutouts] size or framing."
            )
        radii = read("[catalog] petro_r90", radius)
    frames = compute_frame_arcsec(settings.model_copy(update={"field_arcsec": 0.0}), len(places), radii)
    return places.assign(frame_arcsec=frames), flaws


def _cutouts_settings(recipe: Recipe) -> dict[str, Any]:
    if not recipe.cutouts.is_fetched:
        settings = recipe.cutouts.model_dump(mode="json", exclude=set(WORDS_ON_FETCHING))
        return {**settings, "has_file_names": bool(recipe.catalog.file_name)}
    settings = recipe.cutouts.model_dump(mode="json", exclude=_SETTINGS_WITHOUT_EFFECT)
    return {**settings, "columns": [recipe.catalog.ra, recipe.catalog.dec, recipe.catalog.petro_r90]}


def _cutouts_inputs(recipe: Recipe) -> dict[str, Any]:
    if not recipe.cutouts.is_fetched:
        folder = Path(recipe.cutouts.folder)
        return {"images": compute_folder_digest(folder), "origin": describe_file(folder / ORIGIN_FILE)}
    if recipe.cutouts.service == "archive":
        archive = recipe.cutouts.archive
        if is_address(archive):
            return {"archive": hide_secrets(archive), "checksum": recipe.cutouts.archive_checksum}
        return {"archive": describe_file(Path(archive))}
    return {}


def _can_ask_again(run: RunFolder, recipe: Recipe) -> bool:
    """Whether refused galaxies are to be asked for once more."""
    if not recipe.cutouts.is_fetched or not recipe.cutouts.retry_refused:
        return False
    refused = load_table(run.refused("cutouts"), missing_values=()).frame
    return bool("kind" in refused and refused["kind"].isin(REFUSED_BY_SERVICES).any())


def _have_named_files_changed(run: RunFolder, recipe: Recipe) -> bool:
    """Whether files that the catalogue names, which may lie outside the folder, are not as they were."""
    if recipe.cutouts.is_fetched or not recipe.catalog.file_name:
        return False
    galaxies, settings = load_galaxies(run.catalog), recipe.cutouts
    object_ids = galaxies.frame["object_id"].to_numpy()
    try:
        found = find_cutouts(Path(settings.folder), object_ids, list_file_names(galaxies), bands=settings.bands).found
    except ImageError:  # none is left: the stage says so
        return True
    known = load_table(run.cutouts, missing_values=()).frame
    return any(known[name].tolist() != found[name].tolist() for name in ("path", "num_bytes", "modified_ns"))


CUTOUTS_STAGE = Stage(
    "cutouts",
    after=("catalog",),
    perform=_perform_cutouts,
    settings=_cutouts_settings,
    inputs=_cutouts_inputs,
    outputs=lambda run: [run.cutouts, run.refused("cutouts")],
    beside=lambda run: [run.sizes],
    has_more=lambda run, recipe: _can_ask_again(run, recipe) or _have_named_files_changed(run, recipe),
)

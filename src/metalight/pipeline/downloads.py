"""Images that a run asks a service for: how, and what it is told before."""

import shutil
from pathlib import Path

import pandas as pd

from metalight.cutouts import CutoutService, DownloadReport, download_cutouts, estimate_download
from metalight.errors import RunError
from metalight.pipeline.estimate import format_bytes, format_seconds
from metalight.pipeline.stage import Job


def fetch_cutouts(job: Job, places: pd.DataFrame, service: CutoutService, folder: Path) -> DownloadReport:
    """Fetch what is not there yet, as the recipe of a run says; arguments and errors as of `download_cutouts`.

    Raises:
        RunError: The disk is too full.
    """
    return download_cutouts(
        places,
        service,
        folder,
        job.recipe.network,
        retry_refused=job.recipe.cutouts.retry_refused,
        foretell=lambda num_left: _foretell(job, num_left, service),
        progress=job.progress,
    )


def _foretell(job: Job, num_left: int, service: CutoutService) -> None:
    """Tell how long so many cutouts take.

    Raises:
        RunError: The disk is too full for them.
    """
    seconds, num_bytes = estimate_download(num_left, job.recipe.network, service)
    free = shutil.disk_usage(job.run.path).free
    job.tell(
        f"Ahead: {num_left:,} cutouts from {service.name}, about {format_seconds(seconds)} and "
        f"{format_bytes(num_bytes)} of disk ({format_bytes(free)} free)."
    )
    if num_bytes > free:
        raise RunError(
            f"{num_left:,} cutouts need about {format_bytes(num_bytes)} in {job.run.path}, where {format_bytes(free)} "
            "are free; make room, or choose another --run-dir."
        )

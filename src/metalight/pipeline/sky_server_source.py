"""The source `skyserver` of the catalogue's stage: the public database of SDSS."""

from typing import Any

from metalight.atomic import replace_file
from metalight.catalog import Selection, build_page_query, list_cuts, name_service, select_sky_server
from metalight.pipeline.stage import Job
from metalight.recipe import Recipe, SkyServerSettings


def name_sky_server(recipe: Recipe) -> str:
    """What the source is called in messages."""
    return name_service(recipe.skyserver)


def describe_sky_server(recipe: Recipe) -> dict[str, Any]:
    """What is asked, and where."""
    # The size of pages makes no difference to what comes of them.
    sql = build_page_query(list_cuts(recipe.catalog.cuts, is_selection=True), SkyServerSettings().page_size)
    return {"service": name_sky_server(recipe), "query": sql}


def select_from_sky_server(job: Job) -> Selection:
    """The galaxies, and what is known of their other spectra; the query is saved.

    Raises:
        ServiceError: The service does not answer, or its answers do not fit together.
    """
    with replace_file(job.run.query) as temporary:
        asked = describe_sky_server(job.recipe)
        limit = f"; of {job.recipe.catalog.limit} spread over the sky" if job.recipe.catalog.limit else ""
        temporary.write_text(f"-- {asked['service']}, in pages{limit}\n{asked['query']}\n", encoding="utf-8")
    settings = job.recipe.catalog
    return select_sky_server(
        job.recipe.skyserver,
        job.recipe.network,
        cuts=list_cuts(settings.cuts, is_selection=True),
        folder=job.run.queries,
        limit=settings.limit,
        missing_values=settings.missing_values,
        progress=job.progress,
    )

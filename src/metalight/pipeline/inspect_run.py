"""A look at the sample of a run: who is in it, who was left out and why, what it is like, and what it looks like.

Works on what is there: a run of which only the catalogue is made has no images to show yet, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog import PROPERTIES, LabelNoise, Property, compute_label_noise, describe_column
from metalight.errors import MetalightError, RunError, explain_absence, explain_system
from metalight.evaluation import choose_galaxies, summarize_columns
from metalight.identifiers import name_all, name_of
from metalight.images import INDEX_FILE
from metalight.pipeline.pictures import list_refused, load_pictures, load_refused_pictures
from metalight.pipeline.refusals import count_kinds
from metalight.recipe import Recipe, load_recipe
from metalight.run_folder import RunFolder
from metalight.tables import ColumnInfo, Table, load_galaxies, load_table, match_columns

_REDSHIFT, _SIZE = ColumnInfo("", "Redshift"), ColumnInfo("arcsec", "Radius of 90 % of the Petrosian light")
"""What they are, where the catalogue does not say."""

_IMAGES_A_ROW = 8


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found, to be told."""

    path: Path
    counts: list[tuple[str, int, str]]
    """What galaxies must have, how many are left, and why they must; from the catalogue's rows to the sets."""

    refused: list[tuple[str, int, str]]
    """Stage, number of galaxies, reason."""

    summary: pd.DataFrame
    """As of `summarize_columns`, with the columns what and unit."""

    label_noise: dict[str, LabelNoise]
    """Of each target that repeats have."""

    absent: list[str]
    """What could not be shown, and why: one sentence each."""

    files: list[Path]
    """The figures and tables written."""


def inspect_run(path: Path, *, num_images: int = 48, seed: int = 0) -> Inspection:
    """Look at the sample of a run, and draw it into its folder of figures.

    Args:
        path: Folder of a run.
        num_images: Galaxies on each contact sheet.
        seed: Of their choice.

    Raises:
        RunError: The path is not a run, or the figures cannot be written.
    """
    run = RunFolder(path)
    if not path.is_dir() or not run.is_run():
        what = f"{path} is not a folder of a run" if path.exists() else explain_absence(path, "run")
        raise RunError(f"{what}; give the folder that `metalight run` has made, such as runs/paper.")
    absent: list[str] = []
    recipe = _load_recipe(run)
    catalog = _load_catalog(run, absent)
    columns, info = _find_columns(recipe, catalog, absent)
    inspection = Inspection(
        path=path,
        counts=_count_galaxies(run, catalog),
        refused=_count_refused(run),
        summary=_describe_columns(columns, info),
        label_noise=_measure_label_noise(run, recipe, absent),
        absent=absent,
        files=[],
    )
    try:
        inspection.files.extend(_draw(run, recipe, catalog, columns, info, num_images, seed, absent))
    except OSError as error:
        raise RunError(
            f"The figures cannot be written to {run.figures}: {explain_system(error)}. Fix that and run it again."
        ) from error
    return inspection


def _load_recipe(run: RunFolder) -> Recipe:
    if not run.recipe.is_file():
        raise RunError(f"{run.path} has no recipe yet; `metalight run` with --run-dir {run.path} writes it.")
    return load_recipe(str(run.recipe))


def _load_catalog(run: RunFolder, absent: list[str]) -> Table | None:
    if run.catalog.is_file():
        return load_galaxies(run.catalog)
    absent.append("There is no catalogue yet, so there is nothing to summarise or to show.")
    return None


def _find_columns(
    recipe: Recipe, catalog: Table | None, absent: list[str]
) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, ColumnInfo]]:
    """Redshift, size and labels of the catalogue, as far as it has them, and what they mean."""
    if catalog is None:
        return {}, {}

    def find(known: Property, what: str, *given: str) -> list[str]:
        names = [*filter(None, [recipe.catalog.properties.get(known.name, ""), *given]), *known.columns]
        found = next((match for name in names for match in match_columns(catalog, name)), None)
        if found is None:
            absent.append(f"The catalogue has no {what} under a name that is known ({', '.join(names)}).")
        return [] if found is None else [found]

    meant = dict.fromkeys(find(PROPERTIES["redshift"], "redshift"), _REDSHIFT)
    meant |= dict.fromkeys(find(PROPERTIES["petro_r90_arcsec"], "size", recipe.catalog.petro_r90), _SIZE)
    meant |= dict.fromkeys([target for target in recipe.catalog.targets if target in catalog.frame], ColumnInfo())
    numbers = {name: _as_numbers(catalog.frame[name]) for name in meant}
    known = {
        name: described
        if (described := describe_column(name, catalog.info.get(name, ColumnInfo()))) != ColumnInfo()
        else own
        for name, own in meant.items()
    }
    return numbers, known


def _as_numbers(values: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return numbers


def _count_galaxies(run: RunFolder, catalog: Table | None) -> list[tuple[str, int, str]]:
    counts: list[tuple[str, int, str]] = []
    if run.cuts.is_file():
        cuts = pd.read_csv(run.cuts, keep_default_na=False)
        counts += [(str(row.cut), int(row.num_left), str(row.reason)) for row in cuts.itertuples()]  # type: ignore[arg-type]
    elif catalog is not None:
        counts.append(("in the catalogue", len(catalog.frame), ""))
    if run.cutouts.is_file():
        counts.append(("has an image", len(load_table(run.cutouts, missing_values=()).frame), "there must be one"))
    index = run.pixels / INDEX_FILE
    if index.is_file():
        counts.append(("has a usable image", len(pd.read_parquet(index)), "it decodes, and shows something"))
    if run.splits.is_file():
        sets = load_table(run.splits, missing_values=()).frame["split"].value_counts()
        counts += [(f"… of these: {name}", int(num), "") for name, num in sets.items()]
    return counts


def _count_refused(run: RunFolder) -> list[tuple[str, int, str]]:
    counted = []
    for stage, refused in list_refused(run).items():
        counted += [(stage, num, kind) for kind, num in count_kinds(refused).items()]
    return counted


def _describe_columns(columns: Mapping[str, npt.NDArray[np.float64]], info: Mapping[str, ColumnInfo]) -> pd.DataFrame:
    summary = summarize_columns(columns)
    summary.insert(1, "what", [info[name].description for name in summary["column"]])
    summary.insert(2, "unit", [info[name].unit for name in summary["column"]])
    return summary


def _measure_label_noise(run: RunFolder, recipe: Recipe, absent: list[str]) -> dict[str, LabelNoise]:
    path = run.repeats
    if not path.is_file():
        absent.append(f"There is no {path.name}, a table of galaxies measured again, to tell the label noise by.")
        return {}
    repeats = load_table(path, missing_values=()).frame
    targets = [target for target in recipe.catalog.targets if target in repeats]
    if not targets:
        absent.append(f"{path.name} has none of the labels ({', '.join(recipe.catalog.targets)}).")
    return {target: compute_label_noise(repeats, label=target) for target in targets}


def _draw(
    run: RunFolder,
    recipe: Recipe,
    catalog: Table | None,
    columns: Mapping[str, npt.NDArray[np.float64]],
    info: Mapping[str, ColumnInfo],
    num_images: int,
    seed: int,
    absent: list[str],
) -> list[Path]:
    files: list[Path] = []
    if any(np.isfinite(values).any() for values in columns.values()):
        from metalight.figures import draw_sample_summary

        names = {name: _name_axis(name, known) for name, known in info.items()}
        files += draw_sample_summary(columns, path_stem=run.figures / "sample_summary", names=names)
    if catalog is not None:
        files += _draw_chosen(run, recipe, catalog, num_images, seed, absent)
    files += _draw_refused(run, recipe, num_images, seed, absent)
    return files


def _name_axis(name: str, known: ColumnInfo) -> str:
    named = f"{known.description}, {name}" if known.description else name
    # Logarithms have no unit of their own; dex is the unit of their differences.
    return f"{named} ({known.unit})" if known.unit and not known.unit.startswith("dex") else named


def _draw_chosen(
    run: RunFolder, recipe: Recipe, catalog: Table, num_images: int, seed: int, absent: list[str]
) -> list[Path]:
    from metalight.figures import draw_contact_sheet

    try:
        object_ids, images, note = load_pictures(
            run, recipe, lambda usable: choose_galaxies(usable, num_images, seed=seed)
        )
    except MetalightError as error:
        absent.append(f"No galaxy can be shown. {error}")
        return []
    target = recipe.catalog.targets[0]
    labels = catalog.frame.set_index("object_id")[target].reindex(object_ids)
    captions = [f"{name_of(key)}\n{target} {label:.3f}" for key, label in zip(object_ids, labels, strict=True)]
    return draw_contact_sheet(
        images,
        captions,
        path_stem=run.figures / "contact_sheet",
        title=f"{len(images):,} galaxies at random (seed {seed})" + (f"; {note}" if note else ""),
        num_columns=_IMAGES_A_ROW,
        numbers=pd.DataFrame({"object_id": name_all(object_ids), target: labels.to_numpy()}),
    )


def _draw_refused(run: RunFolder, recipe: Recipe, num_images: int, seed: int, absent: list[str]) -> list[Path]:
    from metalight.figures import draw_contact_sheet

    num_all = sum(map(len, list_refused(run).values()))
    if not num_all:
        return []
    shown, images = load_refused_pictures(run, recipe, num_images, seed=seed)
    if shown.empty:
        absent.append(f"None of the {num_all:,} galaxies that were left out has an image that can be shown.")
        return []
    named = shown.assign(object_id=name_all(shown["object_id"]))
    captions = [f"{row.object_id}\n{row.stage}: {row.reason}" for row in named.itertuples()]
    return draw_contact_sheet(
        images,
        captions,
        path_stem=run.figures / "refused_sheet",
        title=f"{len(images):,} of {num_all:,} galaxies left out, those whose image can be shown",
        num_columns=_IMAGES_A_ROW,
        numbers=named,
    )

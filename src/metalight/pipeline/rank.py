"""The lowest or the highest predictions of a run or of a table, as a list for follow-up."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.errors import EvaluationError, explain_system
from metalight.evaluation import (
    End,
    Selection,
    compute_selection,
    rank_predictions,
)
from metalight.intervals import FloatArray
from metalight.model_files import (
    CONFIG_FILE,
    ModelConfig,
    describe_failure,
    find_saved_model,
    load_config,
)
from metalight.pipeline.carried import choose_carried, take_carried
from metalight.pipeline.outside import count_outside_known
from metalight.pipeline.sides import Side, SideColumns, Split, choose_target, load_side, note_reading
from metalight.recipe import load_recipe
from metalight.tables import (
    ColumnInfo,
    Table,
    find_column,
    load_galaxies,
    load_table,
    match_columns,
    require_numbers,
    require_object_ids,
    save_galaxies,
)

_PLACES = ("ra", "dec")
_DEGREES = {"ra": ColumnInfo("deg", "Right ascension"), "dec": ColumnInfo("deg", "Declination")}


@dataclass(frozen=True)
class CatalogOfPlaces:
    """A table that knows where galaxies are on the sky, in columns `ra` and `dec` of any case, and more of them."""

    path: Path
    object_id: str = "object_id"


@dataclass(frozen=True, eq=False)
class RankReport:
    """A list, and how good it is as far as truths tell."""

    listed: Table
    """rank (from 1), object_id (keys), ra, dec and name where they are known, what is kept, the prediction, and the
    true value where the table has such a column; the last two under the names that they have there."""
    end: End
    predicted: str
    """Name of the column of predictions in `listed`."""
    unit: str
    """Of the predictions; empty if it is not known."""
    num_ranked: int
    """Galaxies with a finite prediction."""
    num_left_out: int
    """Those without."""
    num_known: int
    """Galaxies that have a true value too."""
    selection: Selection | None
    """Purity and completeness among those; None if there are none, or if they all would be listed."""
    range_note: str
    """How many predictions lie outside what the model knows; empty if no model is known."""
    reading_notes: tuple[str, ...]
    """How the table and the catalogue were read and what of them was left out, if that needs saying."""
    warnings: tuple[str, ...]
    """Why the list should not be trusted; empty where nothing is known that speaks against it."""


def rank(
    path: Path,
    *,
    num: int,
    end: End = "lowest",
    target: str = "",
    split: Split = "test",
    columns: SideColumns | None = None,
    catalog: CatalogOfPlaces | None = None,
    keep: Sequence[str] = (),
    model: Path | None = None,
) -> RankReport:
    """The `num` galaxies with the lowest or the highest predictions, the most extreme first.

    Args:
        path: A run folder, or a table of predictions in any format of `load_table`, with true values or without.
        num: How many are listed; of fewer galaxies all are.
        end: Which ones.
        target: What is predicted, if it is several things.
        split: Which galaxies of a run.
        columns: Columns of a table.
        catalog: Where places on the sky, and other columns, are taken from; None: the run's catalogue or the table
            itself.
        keep: More columns of it to list, beside the places and `name`.
        model: The model that made the predictions of a table, whose ranges are counted against; a run's is known.

    Raises:
        MetalightError: The predictions, the model or the catalogue cannot be used, or no prediction is finite.
    """
    given = columns or SideColumns()
    side = load_side("A", path, split, given)
    _refuse_idle_options(side, split, given)
    if side.run is not None and model is not None:
        raise EvaluationError(f"{side.path} is a run, whose model is known; leave out --model.")
    if given.truth and side.run is None:
        find_column(side.table, given.truth, path=path, role="--truth")
    name = choose_target(side, target)
    predicted_column, predictions = side.targets[name], side.predicted(name)
    truth_column = side.find_truth(name, name)
    rows = rank_predictions(side.object_ids, predictions, num=num, end=end)
    listed = pd.DataFrame({"rank": np.arange(1, len(rows) + 1), "object_id": side.object_ids[rows]})
    taken = [*listed, predicted_column, *filter(None, [truth_column])]
    source = _find_source(side, catalog, keep)
    carried = _carry(source, listed["object_id"].to_numpy(), keep, taken)
    frame = pd.concat([listed, carried.frame], axis=1)
    frame[predicted_column] = predictions[rows]
    truths = side.truth(truth_column) if truth_column else np.full(len(predictions), np.nan)
    if truth_column:
        frame[truth_column] = truths[rows]
    info = {**side.table.info, **carried.info}
    range_note, warnings = _find_flaws(_load_model_of(side, model), name, predictions, rows)
    is_ranked = np.isfinite(predictions)
    is_known = is_ranked & np.isfinite(truths)
    return RankReport(
        listed=Table(frame, {column: info[column] for column in frame.columns if column in info}),
        end=end,
        predicted=predicted_column,
        unit=side.describe(name, name).unit,
        num_ranked=int(is_ranked.sum()),
        num_left_out=int(np.sum(~is_ranked)),
        num_known=int(is_known.sum()),
        selection=_judge(truths[is_known], predictions[is_known], num, end),
        range_note=range_note,
        reading_notes=_note_readings(side, source),
        warnings=warnings,
    )


def save_ranks(report: RankReport, path: Path) -> None:
    """Write the list in any format of `save_table`.

    Raises:
        TableError: The suffix is unknown.
        EvaluationError: It cannot be written there.
    """
    try:
        save_galaxies(report.listed, path)
    except OSError as error:
        raise EvaluationError(
            f"The list cannot be written to {path}: {explain_system(error)}. Fix that, or choose another place."
        ) from error


def _refuse_idle_options(side: Side, split: Split, given: SideColumns) -> None:
    """Refuse what the user asked for in vain, which would otherwise be passed over in silence."""
    if side.run is not None and given != SideColumns():
        raise EvaluationError(
            f"{side.path} is a run, whose columns are known; leave out --id, --truth and --predicted, and choose a "
            "property with --target."
        )
    if side.run is None and split != "test":
        raise EvaluationError(f"--split {split} chooses galaxies of a run, but {side.path} is a table; leave it out.")


def _load_model_of(side: Side, model: Path | None) -> ModelConfig | None:
    if side.run is not None:
        return load_config(side.run.model) if (side.run.model / CONFIG_FILE).is_file() else None
    return None if model is None else load_config(find_saved_model(model))


def _find_flaws(
    config: ModelConfig | None, name: str, predictions: FloatArray, rows: npt.NDArray[np.intp]
) -> tuple[str, tuple[str, ...]]:
    """A note on the range of the predictions, and warnings; nothing if no model is known."""
    if config is None:
        return "", ()
    target = next((target for target in config.targets if target.name == name), None)
    if target is None:
        named = ", ".join(target.name for target in config.targets)
        raise EvaluationError(f"The model predicts {named}, not '{name}'; give the --model of these predictions.")
    counts, of_list = (count_outside_known(target, values) for values in (predictions, predictions[rows]))
    warnings = [describe_failure(config.training.verdict, config.units)]
    if of_list.num_outside_labels:
        warnings.append(
            f"{of_list.num_outside_labels:,} of the {len(rows):,} listed are predicted outside the training labels, "
            "where the model has learnt nothing: look at their images before you follow them up."
        )
    return counts.describe(), tuple(filter(None, warnings))


def _note_readings(side: Side, source: "_Source | None") -> tuple[str, ...]:
    notes = note_reading(side.table, side.table_path)
    if source is not None:
        notes += note_reading(source.table, source.path)
    return tuple(dict.fromkeys(notes))


def _judge(truths: FloatArray, predictions: FloatArray, num: int, end: End) -> Selection | None:
    if len(truths) <= num:
        return None
    return compute_selection(truths, predictions, num_listed=num, num_wanted=num, end=end)


@dataclass(frozen=True, eq=False)
class _Source:
    """A table that knows more of the galaxies than their predictions."""

    table: Table
    path: Path
    object_ids: npt.NDArray[np.int64]
    places: dict[str, str]
    """Its columns of right ascension and declination by `ra` and `dec`; nothing if it lacks one."""


def _find_source(side: Side, catalog: CatalogOfPlaces | None, keep: Sequence[str]) -> _Source | None:
    """What knows the places of the galaxies, and their other columns; None if there is nothing."""
    wanted = dict(zip(_PLACES, _PLACES, strict=True))
    if catalog is not None:
        table, path = load_table(catalog.path, wanted=(catalog.object_id, *_PLACES)), catalog.path
        ids = require_object_ids(
            table, find_column(table, catalog.object_id, path=path, role="--catalog-id"), path=path
        )
        if not keep:  # then there is nothing else that it could be given for
            wanted = {place: find_column(table, place, path=path, role="--catalog") for place in _PLACES}
    elif side.run is None:
        table, path, ids = side.table, side.table_path, side.object_ids
    elif side.run.catalog.is_file() and side.run.recipe.is_file():
        settings = load_recipe(str(side.run.recipe)).catalog
        table, path = load_galaxies(side.run.catalog), side.run.catalog
        ids = table.frame["object_id"].to_numpy()
        wanted = {"ra": settings.ra, "dec": settings.dec}
    elif keep:
        raise EvaluationError(
            f"--keep {keep[0]} names a column of the catalogue, which {side.path} lacks; leave it out."
        )
    else:
        return None
    alike = {place: match_columns(table, name) for place, name in wanted.items()}
    places = {place: names[0] for place, names in alike.items() if len(names) == 1}
    return _Source(table, path, ids, places if len(places) == len(_PLACES) else {})


def _carry(
    source: _Source | None, object_ids: npt.NDArray[np.int64], keep: Sequence[str], taken: Sequence[str]
) -> Table:
    """Right ascension and declination of the galaxies in degrees, their names, and what is to be kept, where known."""
    if source is None:
        return Table(pd.DataFrame(index=range(len(object_ids))))
    table, path = source.table, source.path
    # The places have names of their own here, and are numbers.
    own = {place: require_numbers(table, name, path=path) for place, name in source.places.items()}
    spelt = {name: place for place, name in source.places.items()}
    others = [name for name in keep if spelt.get(name, name) not in own]
    columns = choose_carried(table, others, path=path, taken=[*taken, *own, *spelt], usual=["name"])
    found = take_carried(table, columns, known=source.object_ids, wanted=object_ids)
    places = Table(pd.DataFrame(own, index=range(len(table.frame))))
    of_places = take_carried(places, list(own), known=source.object_ids, wanted=object_ids)
    info = {**{place: _DEGREES[place] for place in own}, **found.info}
    return Table(pd.concat([of_places.frame, found.frame], axis=1), info)

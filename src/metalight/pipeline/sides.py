"""The two sides of a comparison: each a run, or a table of predictions."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from metalight.catalog import describe_column
from metalight.errors import EvaluationError, RunError, TableError, explain_absence, name_nearest
from metalight.run_folder import RunFolder, name_predicted
from metalight.tables import (
    ColumnInfo,
    Table,
    describe_reading,
    find_column,
    load_table,
    match_columns,
    require_numbers,
    require_object_ids,
)

Split = Literal["test", "validation"]
"""The sets of a run that are predicted."""


@dataclass(frozen=True)
class SideColumns:
    """What the user says of the columns of a table of predictions; nothing needs to be said of a run."""

    object_id: str = ""
    """Column of identifiers; empty: `object_id`."""
    truth: str = ""
    """Column of true values; empty: the column of the target's name, if there is one."""
    predicted: str = ""
    """Column of predictions; empty: every column whose name ends as metalight ends it."""


@dataclass(frozen=True, eq=False)
class Side:
    """One set of predictions, of one or several targets."""

    letter: Literal["A", "B"]
    path: Path
    """The run folder or table that the user gave."""
    run: RunFolder | None
    """The run; None for a table."""
    table_path: Path
    """Where the predictions lie."""
    table: Table
    object_ids: npt.NDArray[np.int64]
    """In the order of the rows."""
    targets: dict[str, str]
    """Column of predictions by the target's name."""
    columns: SideColumns
    """What the user says of them."""

    def predicted(self, target: str) -> npt.NDArray[np.float64]:
        """Predictions in the order of the rows, NaN where missing.

        Raises:
            TableError: The column does not hold numbers.
        """
        return require_numbers(self.table, self.targets[target], path=self.table_path)

    def find_truth(self, target: str, name: str) -> str:
        """The column of true values; empty if there is none, as in what `metalight predict` writes.

        Args:
            target: What this side calls the target.
            name: What the comparison calls it.
        """
        known = [column for column in self.table.frame.columns if column != self.targets[target]]
        return next((column for column in (self.columns.truth, target, name) if column and column in known), "")

    def truth(self, column: str) -> npt.NDArray[np.float64]:
        """True values in the order of the rows, NaN where missing.

        Raises:
            TableError: The column does not hold numbers.
        """
        return require_numbers(self.table, column, path=self.table_path)

    def describe(self, target: str, name: str) -> ColumnInfo:
        """Unit and description of a target, as far as the table or the name of the column tells."""
        truth, info = self.find_truth(target, name), self.table.info
        known = describe_column(truth or name, info.get(truth, ColumnInfo()))
        # The description of the predictions says that they are predictions.
        return known if known != ColumnInfo() else ColumnInfo(info.get(self.targets[target], ColumnInfo()).unit)


def load_side(letter: Literal["A", "B"], path: Path, split: Split, columns: SideColumns) -> Side:
    """Predictions of a run or of a table.

    Args:
        letter: Which side it is.
        path: A run folder, or a table in any format of `load_table`.
        split: Which galaxies of a run.
        columns: What the user says of the columns of a table; a run's are known.

    Raises:
        RunError: The folder is not a run, or a run without predictions.
        TableError: The table cannot be read, or lacks a column.
        EvaluationError: Which column holds predictions is not known.
    """
    run = RunFolder(path) if path.is_dir() else None
    if run is None:
        if not path.exists():
            raise TableError(f"{explain_absence(path, 'file or folder')}; give a run folder or a table of predictions.")
        named = (columns.object_id or "object_id", columns.predicted, columns.truth)
        table_path, table = path, load_table(path, wanted=[name for name in named if name])
    else:
        columns = SideColumns()
        table_path = _find_predictions(run, split)
        table = load_table(table_path, missing_values=())
    object_id = find_column(table, columns.object_id or "object_id", path=table_path, role=_name_option("id", letter))
    columns = _spell_columns(table, table_path, columns, letter)
    return Side(
        letter=letter,
        path=path,
        run=run,
        table_path=table_path,
        table=table,
        object_ids=require_object_ids(table, object_id, path=table_path),
        targets=_find_targets(table, table_path, columns, letter),
        columns=columns,
    )


def note_reading(table: Table, path: Path) -> tuple[str, ...]:
    """How a table was read and what of it was left out, where a user may expect otherwise; nothing if all is plain."""
    reading = describe_reading(table)
    return (f"{path}: {reading}.",) if reading else ()


def name_sides(a: Side, b: Side) -> tuple[str, str]:
    """What to call the two: the names of their files or folders, with as many parents as tell them apart."""
    parts = [side.path.absolute().parts for side in (a, b)]
    if parts[0] == parts[1]:
        columns = [", ".join(side.targets.values()) for side in (a, b)]
        name = parts[0][-1]
        return (name, name) if columns[0] == columns[1] else (f"{name} [{columns[0]}]", f"{name} [{columns[1]}]")
    num = next(num for num in range(1, max(map(len, parts)) + 1) if parts[0][-num:] != parts[1][-num:])
    names = [str(Path(*each[-num:])) for each in parts]
    return names[0], names[1]


def choose_target(side: Side, wanted: str) -> str:
    """The wanted target of a side, or its only one if none is wanted.

    Raises:
        EvaluationError: It has no predictions of it, or several targets and none is wanted.
    """
    if not wanted and len(side.targets) == 1:
        return next(iter(side.targets))
    if not wanted:
        raise EvaluationError(f"{side.path} predicts {', '.join(side.targets)}; say with --target which one is meant.")
    if wanted not in side.targets:
        raise EvaluationError(
            f"{side.path} has no predictions of '{wanted}'.{name_nearest(wanted, list(side.targets))}"
        )
    return wanted


def _find_predictions(run: RunFolder, split: Split) -> Path:
    if not run.is_run():
        raise RunError(
            f"{run.path} is a folder, but not of a run: it has no {run.recipe.name}. Give a run folder or a table of "
            "predictions."
        )
    path = run.predictions(split)
    if not path.is_file():
        raise RunError(
            f"The run {run.path} has no predictions of its {split} galaxies yet; finish it with `{run.command}`."
        )
    return path


def _spell_columns(table: Table, path: Path, columns: SideColumns, letter: str) -> SideColumns:
    """The user's names as the table spells them; one of true values that it lacks stays, for the other side's sake."""
    predicted, truth = columns.predicted, columns.truth
    if predicted:
        predicted = find_column(table, predicted, path=path, role=_name_option("predicted", letter))
    if match_columns(table, truth) or truth in table.left_out:
        truth = find_column(table, truth, path=path, role=_name_option("truth", letter))
    return replace(columns, predicted=predicted, truth=truth)


def _find_targets(table: Table, path: Path, columns: SideColumns, letter: str) -> dict[str, str]:
    """Columns of predictions by target. One that the user named is of the target whose truth was named with it."""
    ending = name_predicted("")
    names = [str(name) for name in table.frame.columns]
    if columns.predicted:
        return {columns.truth or columns.predicted.removesuffix(ending): columns.predicted}
    if columns.truth and name_predicted(columns.truth) in names:
        return {columns.truth: name_predicted(columns.truth)}
    targets = {name.removesuffix(ending): name for name in names if name.endswith(ending) and name != ending}
    if not targets or columns.truth:
        wanted = f"column '{name_predicted(columns.truth)}'" if columns.truth else f"column that ends in {ending}"
        raise EvaluationError(
            f"{path} has no {wanted}, so name its column of predictions with {_name_option('predicted', letter)}."
            f"{name_nearest(name_predicted(columns.truth), list(targets.values()) or names)}"
        )
    return targets


def _name_option(name: str, letter: str) -> str:
    return f"--{name}" if letter == "A" else f"--{name} or --{name}-b"

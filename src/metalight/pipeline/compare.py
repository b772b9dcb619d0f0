"""Two runs, or two tables of predictions, compared galaxy by galaxy."""

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from metalight.atomic import save_json
from metalight.errors import EvaluationError, explain_system
from metalight.evaluation import (
    Comparison,
    KnownTruth,
    PairedGalaxies,
    Predictions,
    build_record,
    compare_predictions,
    pair_predictions,
    tell_if_useless,
)
from metalight.pipeline.judge_model import explain_failure
from metalight.pipeline.run_differences import RunDifference, find_differences, is_outdated
from metalight.pipeline.sides import Side, SideColumns, Split, choose_target, load_side, name_sides, note_reading
from metalight.run_folder import name_endings
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


@dataclass(frozen=True)
class TruthTable:
    """A table of true values, for predictions that come without them, or with others."""

    path: Path
    object_id: str = "object_id"


@dataclass(frozen=True)
class Overlap:
    """Galaxies that one run was trained on and the other is judged by; none where either side is a table."""

    num_a_in_b: int
    """Galaxies predicted by A that are training galaxies of B."""
    num_b_in_a: int
    """Galaxies predicted by B that are training galaxies of A."""


@dataclass(frozen=True, eq=False)
class ComparedTarget:
    """What came out for one target."""

    galaxies: PairedGalaxies
    comparison: Comparison
    info: ColumnInfo


@dataclass(frozen=True, eq=False)
class CompareReport:
    """What came out of a comparison."""

    names: tuple[str, str]
    """What A and B are called."""
    paths: tuple[Path, Path]
    split: str
    """Which galaxies of the runs were compared; empty for two tables."""
    targets: dict[str, ComparedTarget]
    overlap: Overlap
    differences: list[RunDifference] | None
    """What differs between two runs; None unless both are runs."""
    notes: list[str]
    """What else the user should know."""
    warnings: list[str]
    """Why a side is of no use, so that the difference tells little; empty where nothing speaks against either."""


def compare(
    path_a: Path,
    path_b: Path,
    *,
    target: str = "",
    split: Split = "test",
    columns: SideColumns | None = None,
    columns_b: SideColumns | None = None,
    truth_table: TruthTable | None = None,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> CompareReport:
    """Compare the predictions of A and B for the galaxies that are in both.

    A galaxy that is a training galaxy of either run is not compared.

    Args:
        path_a: A run folder, or a table of predictions in any format of `load_table`.
        path_b: The other.
        target: What is compared; empty: every target that both have.
        split: Which galaxies of a run.
        columns: Columns of the tables.
        columns_b: Those that are named otherwise in B.
        truth_table: Where true values are taken from; None: from A and B.
        num_bootstrap: Bootstrap samples behind the intervals.
        seed: Seed of the bootstrap.

    Raises:
        MetalightError: A side cannot be used, or the two have nothing in common that can be compared.
    """
    given, given_b = columns or SideColumns(), columns_b or SideColumns()
    merged_b = SideColumns(*(own or shared for own, shared in zip(astuple(given_b), astuple(given), strict=True)))
    a, b = load_side("A", path_a, split, given), load_side("B", path_b, split, merged_b)
    _refuse_idle_options(a, b, split, given, given_b)
    if truth_table is None:
        _check_truth_columns(a, b, given, given_b)
    names = name_sides(a, b)
    trained = [_load_training_ids(side) for side in (a, b)]
    compared = {}
    for name, target_a, target_b in _match_targets(a, b, target):
        truths = (
            [_load_truths(truth_table, given.truth or name)]
            if truth_table is not None
            else _list_truths(name, (a, target_a), (b, target_b), names)
        )
        galaxies = pair_predictions(
            Predictions(f"A ({names[0]})", a.object_ids, a.predicted(target_a)),
            Predictions(f"B ({names[1]})", b.object_ids, b.predicted(target_b)),
            truths,
            trained_ids=np.union1d(*trained),
            way_out=_name_way_out(a, b),
        )
        values = (galaxies.frame[column].to_numpy() for column in ("truth", "predicted_a", "predicted_b"))
        comparison = compare_predictions(*values, num_bootstrap=num_bootstrap, seed=seed)
        infos = (a.describe(target_a, name), b.describe(target_b, name))
        known = next((info for info in infos if info != ColumnInfo()), ColumnInfo())
        compared[name] = ComparedTarget(galaxies, comparison, known)
    runs = [side.run for side in (a, b) if side.run is not None]
    return CompareReport(
        names=names,
        paths=(path_a, path_b),
        split=split if runs else "",
        targets=compared,
        overlap=_find_overlap(a, b, trained) if len(runs) == 2 else Overlap(0, 0),
        differences=find_differences(*runs) if len(runs) == 2 else None,
        notes=_list_notes(a, b, len(runs)),
        warnings=_list_warnings(a, b, compared),
    )


def save_comparison(report: CompareReport, folder: Path) -> list[Path]:
    """Write comparison.json, and for each target its galaxies as CSV and the figure; get the paths.

    Raises:
        EvaluationError: They cannot be written there.
    """
    from metalight.figures import draw_paired_difference

    paths, endings = [folder / "comparison.json"], name_endings(list(report.targets))
    try:
        save_json(_build_record(report), paths[0])
        for (target, compared), ending in zip(report.targets.items(), endings.values(), strict=True):
            paths.append(folder / f"comparison{ending}.csv")
            frame = compared.galaxies.frame
            residuals = {f"residual_{side}": frame[f"predicted_{side}"] - frame["truth"] for side in ("a", "b")}
            difference = frame["predicted_b"] - frame["predicted_a"]
            save_galaxies(Table(frame.assign(**residuals, difference=difference), {}), paths[-1])
            paths += draw_paired_difference(
                frame["truth"].to_numpy(),
                frame["predicted_a"].to_numpy(),
                frame["predicted_b"].to_numpy(),
                compared.comparison.metrics["rmse"],
                path_stem=folder / f"paired_difference{ending}",
                names=report.names,
                name=compared.info.description or target,
                unit=compared.info.unit,
            )
    except OSError as error:
        raise EvaluationError(
            f"The results cannot be written to {folder}: {explain_system(error)}. Fix that, or choose another place."
        ) from error
    return paths


def describe_galaxies(galaxies: PairedGalaxies, split: str) -> str:
    """How many were compared, and why not the others: `36 test galaxies of both; 4 only in A; 4 only in B`.

    Args:
        galaxies: Those that were compared, and the counts of the others.
        split: Which galaxies of runs they are; empty for tables.
    """
    left_out = (
        (galaxies.num_only_a, "only in A"),
        (galaxies.num_only_b, "only in B"),
        (galaxies.num_trained, "left out as training galaxies"),
        (galaxies.num_left_out, "left out for want of a true value or a prediction"),
    )
    kind = f"{split} galaxies" if split else "galaxies"
    return "; ".join([f"{len(galaxies.frame):,} {kind} of both", *(f"{num:,} {why}" for num, why in left_out if num)])


def describe_overlap(report: CompareReport) -> str:
    """A warning if galaxies that judge one run were used to train the other; empty if none were."""
    overlap = report.overlap
    parts = [
        f"{num:,} {report.split} galaxies of {one} are training galaxies of {other}"
        for num, one, other in ((overlap.num_a_in_b, "A", "B"), (overlap.num_b_in_a, "B", "A"))
        if num
    ]
    if not parts:
        return ""
    num = " and ".join(f"{len(compared.galaxies.frame):,}" for compared in report.targets.values())
    return (
        f"{', and '.join(parts)}. A model knows the galaxies it was trained on, so they are not compared: only the "
        f"{num} that are {report.split} galaxies of both. Runs with the same [splits] can be compared on all of theirs."
    )


def _build_record(report: CompareReport) -> dict[str, Any]:
    targets = {}
    for target, compared in report.targets.items():
        galaxies = compared.galaxies
        counts = {name: getattr(galaxies, name) for name in ("num_only_a", "num_only_b", "num_trained", "num_left_out")}
        targets[target] = {
            "unit": compared.info.unit,
            **counts,
            **build_record(compared.comparison, compared.info.unit),
        }
    return {
        "a": {"name": report.names[0], "path": str(report.paths[0])},
        "b": {"name": report.names[1], "path": str(report.paths[1])},
        "split": report.split or None,
        "targets": targets,
        "training_overlap": asdict(report.overlap),
        "differences": None if report.differences is None else [asdict(each) for each in report.differences],
        "notes": report.notes,
        "warnings": report.warnings,
    }


def _refuse_idle_options(a: Side, b: Side, split: Split, given: SideColumns, given_b: SideColumns) -> None:
    """Refuse what the user asked for in vain, which would otherwise be passed over in silence."""
    if b.run is not None and given_b != SideColumns():
        raise EvaluationError(
            f"B, {b.path}, is a run, whose columns are known; leave out --id-b, --truth-b, --predicted-b."
        )
    if a.run is not None and b.run is not None and given != SideColumns():
        raise EvaluationError(
            "A and B are runs, whose columns are known; leave out --id, --truth and --predicted, and choose a property "
            "with --target."
        )
    if a.run is None and b.run is None and split != "test":
        raise EvaluationError(f"--split {split} chooses galaxies of a run, but A and B are tables; leave it out.")


def _check_truth_columns(a: Side, b: Side, given: SideColumns, given_b: SideColumns) -> None:
    """Refuse a name of a true column that no table has; one of the two may lack it, as new predictions do."""
    for option, name, sides in (
        ("--truth", given.truth, [side for side in (a, b)[: 1 if given_b.truth else 2] if side.run is None]),
        ("--truth-b", given_b.truth, [b]),
    ):
        if name and sides and not any(match_columns(side.table, name) for side in sides):
            find_column(sides[0].table, name, path=sides[0].table_path, role=option)


def _match_targets(a: Side, b: Side, wanted: str) -> list[tuple[str, str, str]]:
    """Each target to compare: its name, and what it is called in A and in B."""
    if a.columns.predicted and b.columns.predicted:
        own_a, own_b = next(iter(a.targets)), next(iter(b.targets))
        return [(wanted or own_a, own_a, own_b)]
    if a.columns.predicted or b.columns.predicted:
        named, other = (a, b) if a.columns.predicted else (b, a)
        own = next(iter(named.targets))
        theirs = choose_target(other, wanted or (own if own in other.targets else ""))
        return [(theirs, own, theirs) if named is a else (theirs, theirs, own)]
    if wanted:
        return [(wanted, choose_target(a, wanted), choose_target(b, wanted))]
    common = [target for target in a.targets if target in b.targets]
    if not common:
        listed = " and ".join(f"{each.path} predicts {', '.join(each.targets)}" for each in (a, b))
        raise EvaluationError(
            f"A and B have no target in common: {listed}; compare predictions of the same property, or name the "
            "columns of tables with --predicted and --predicted-b."
        )
    return [(target, target, target) for target in common]


def _list_truths(name: str, a: tuple[Side, str], b: tuple[Side, str], sides: tuple[str, str]) -> list[KnownTruth]:
    truths = []
    for (side, target), called in zip((a, b), sides, strict=True):
        column = side.find_truth(target, name)
        if column:
            truths.append(KnownTruth(f"{side.letter} ({called})", side.object_ids, side.truth(column)))
    if not truths:
        raise EvaluationError(
            f"Neither A nor B has a column '{name}' of true values; name it with --truth, or name a table that has it "
            "with --truth-table."
        )
    return truths


def _load_truths(source: TruthTable, column: str) -> KnownTruth:
    table = load_table(source.path, wanted=(source.object_id, column))
    ids_column, truth_column = (
        find_column(table, name, path=source.path, role=role)
        for role, name in (("--truth-table-id", source.object_id), ("--truth", column))
    )
    object_ids = require_object_ids(table, ids_column, path=source.path)
    return KnownTruth(str(source.path), object_ids, require_numbers(table, truth_column, path=source.path))


def _load_training_ids(side: Side) -> npt.NDArray[np.int64]:
    """Training galaxies of a run; nothing for a table, of whose model nothing is known."""
    if side.run is None or not side.run.splits.is_file():
        return np.empty(0, dtype=np.int64)
    splits = load_galaxies(side.run.splits).frame
    return splits.loc[splits["split"] == "train", "object_id"].to_numpy(dtype=np.int64)


def _find_overlap(a: Side, b: Side, trained: list[npt.NDArray[np.int64]]) -> Overlap:
    return Overlap(
        num_a_in_b=int(np.isin(a.object_ids, trained[1]).sum()),
        num_b_in_a=int(np.isin(b.object_ids, trained[0]).sum()),
    )


def _name_way_out(a: Side, b: Side) -> str:
    if a.run is not None and b.run is not None:
        return "give both runs the same catalogue and the same [splits]"
    return (
        "check which columns are meant (--id, --truth, --predicted, and with -b those of B), or predict more galaxies"
    )


def _list_warnings(a: Side, b: Side, compared: Mapping[str, ComparedTarget]) -> list[str]:
    warnings = []
    for side in (a, b):
        if side.run is not None and (failure := explain_failure(side.run)):
            warnings.append(f"{side.letter}: {failure}")
        for target, each in compared.items():
            r2 = getattr(each.comparison.metrics["r2"], side.letter.lower()).value
            if useless := tell_if_useless(f"The predictions of {target} by {side.letter}", r2):
                warnings.append(useless)
    return warnings


def _list_notes(a: Side, b: Side, num_runs: int) -> list[str]:
    notes = []
    if a.path.resolve() == b.path.resolve():
        notes.append(f"A and B are the same {'run' if a.run is not None else 'file'}, {a.path}.")
    notes += [
        f"{side.letter}: the recipe in {side.path} has been changed since these predictions were made; "
        f"`{side.run.command}` brings them up to date."
        for side in (a, b)
        if side.run is not None and is_outdated(side.run)
    ]
    for side in (a, b):
        notes += note_reading(side.table, side.table_path)
    if num_runs < 2:
        tables = " and ".join(side.letter for side in (a, b) if side.run is None)
        notes.append(
            f"Whether a model was trained on these galaxies is not known of {tables}, as a table does not say."
        )
    return notes

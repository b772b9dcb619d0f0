"""A table as the catalogue: columns mapped by name, galaxies that fail a cut or lack a target refused and counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from metalight.catalog.cuts import Cut, build_cut, name_target_cut
from metalight.catalog.known_columns import describe_column
from metalight.catalog.limits import Limits, describe_outliers, find_limits
from metalight.catalog.repeats import ANOTHER_SPECTRUM, find_repeats
from metalight.catalog.sdss_cuts import find_named_cuts
from metalight.catalog.selection import Count
from metalight.catalog.sky_columns import SkyColumns, find_sky_cuts
from metalight.errors import CatalogError, TableError
from metalight.tables import (
    ColumnInfo,
    Table,
    build_text,
    describe_reading,
    find_column,
    require_numbers,
    require_object_ids,
)


@dataclass(frozen=True, eq=False)
class Catalog:
    """The galaxies that can be used, and those that cannot, with the reason."""

    table: Table
    """Columns object_id (int64, keys); the targets as `targets` spells them (float64; each galaxy has at least one, and
    NaN where it lacks one of several); file_name and split_name if they were asked for (text); then all other columns
    of the user, unchanged. Rows in the user's order."""

    refused: pd.DataFrame
    """Columns object_id (keys), reason; one row a galaxy, in the user's order. Another spectrum of a galaxy is none."""

    counts: pd.DataFrame
    """Columns cut, reason, source, num_left: first all rows, then one row a cut."""

    notes: tuple[str, ...] = ()
    """Notes on its labels: values that are impossible, or far from all others."""

    reading: str = ""
    """How the user's table was read, and which of its columns were left out; empty if all is plain."""


def list_file_names(table: Table) -> list[str | None]:
    """The image file of each galaxy of a catalogue that was loaded with `file_name`; None where it names none."""
    return [name if isinstance(name, str) else None for name in table.frame["file_name"].tolist()]


def build_catalog(
    given: Table,
    path: Path | str,
    *,
    object_id: str,
    targets: Sequence[str],
    file_name: str = "",
    split: str = "",
    sky: SkyColumns | None = None,
    cuts: Sequence[str] = (),
    counted: Sequence[Count] = (),
    has_repeats: bool = False,
    properties: Mapping[str, str] | None = None,
    roles: tuple[str, str] = ("[catalog] object_id", "[catalog] file_name"),
) -> Catalog:
    """The galaxies of a table, selected from a database or a user's own.

    A galaxy is refused for the first of these that it fails: to be there once, the named cuts, the targets, its place
    on the sky.

    Args:
        given: The table, one row a galaxy.
        path: Where it comes from, for the messages.
        object_id: Column of the galaxies' identifiers: integers or text.
        targets: Columns to learn to predict. A name may differ from the table's in case.
        file_name: Column of image file names; it becomes `file_name`. Empty: there is none.
        split: Column of the user's own sets; it becomes `split_name`. Empty: there is none.
        sky: Columns of the galaxies' places on the sky, where they are needed; they stay as they are in the table.
        cuts: Names of cuts, in order.
        counted: What was counted before; a cut that is among it is counted again only if galaxies fail it here.
        has_repeats: Whether a galaxy that is there again, by its identifier or its place on the sky, is refused; else
            the whole table is, if an identifier is there twice.
        properties: The user's column of a property, by the property's name: its values have limits.
        roles: What names the columns of identifiers and of file names, for messages.

    Raises:
        CatalogError: The table has no rows, no galaxy is left, two settings name the same column, or the table lacks a
            column or has a wrong one.
    """
    try:

        def find(role: str, name: str) -> str:
            return find_column(given, name, path=path, role=role)

        asked = {"object_id": object_id, "file_name": file_name, "split_name": split}
        setting_of = {"object_id": roles[0], "file_name": roles[1], "split_name": "[splits] column"}
        renamed = {ours: find(setting_of[ours], name) for ours, name in asked.items() if name}
        learnt = [find("[catalog] targets", target) for target in targets]
        asked_of_sky = {} if sky is None else sky.list_by_setting()
        places = {setting: find(f"[catalog] {setting}", name) for setting, name in asked_of_sky.items()}
        named = [(setting_of[ours], name) for ours, name in renamed.items()]
        _check_roles(named + [("[catalog] targets", name) for name in learnt])
        # A column that is learnt keeps its name, so that it may be read as a place too.
        _check_roles(named + [(f"[catalog] {setting}", name) for setting, name in places.items()])
        if given.frame.empty:
            raise CatalogError(f"{path} has no rows; a catalogue has one row a galaxy.")
        ids = require_object_ids(given, renamed["object_id"], path=path, may_repeat=has_repeats)
        table = _map_columns(given, ids, path, renamed, dict(zip(targets, learnt, strict=True)))
        met = [find_repeats(given, ids, path=path)] if has_repeats else []
        met += find_named_cuts(given, cuts, path=path)
        limits = {target: find_limits(target, properties or {}) for target in targets}
        table, notes = _drop_impossible(table, limits) if len(targets) > 1 else (table, [])
        met += [_find_target_cut(table, limits)] if targets else []
        met += find_sky_cuts(given, places, path=path)
    except CatalogError:
        raise
    except TableError as error:
        raise CatalogError(str(error)) from error
    return _apply_cuts(table, met, path, counted, targets, notes)


def _check_roles(roles: list[tuple[str, str]]) -> None:
    role_of: dict[str, str] = {}
    for role, name in roles:
        if name in role_of:
            raise CatalogError(f"{role} names the column '{name}', which {role_of[name]} names already; name another.")
        role_of[name] = role


def _map_columns(
    user_table: Table,
    ids: npt.NDArray[np.int64],
    path: Path | str,
    renamed: Mapping[str, str],
    learnt: Mapping[str, str],
) -> Table:
    """The user's columns under our names and in our order.

    Args:
        user_table: The user's.
        ids: Its identifiers.
        path: Its file, for the messages.
        renamed: The user's column that becomes object_id, and file_name and split_name where they are asked for.
        learnt: The user's column of each target.
    """
    frame = user_table.frame
    mapped: list[tuple[str, Any]] = [("object_id", ids)]
    for target, name in learnt.items():
        mapped.append((target, _require_labels(user_table, name, path, may_lack=len(learnt) > 1)))
    mapped += [(ours, _require_text(user_table, name, path)) for ours, name in renamed.items() if ours != "object_id"]
    used = {*renamed.values(), *learnt.values()}
    mapped += [(name, frame[name]) for name in frame.columns if name not in used]
    columns: dict[str, Any] = {}
    for name, values in mapped:
        if name in columns:
            raise CatalogError(
                f"{path} has a column '{name}', but '{renamed[name]}' is to become '{name}'; rename one of them in the "
                "table."
            )
        columns[name] = values
    sources = {**renamed, **learnt}
    info = {name: describe_column(name, user_table.info.get(sources.get(name, name), ColumnInfo())) for name in columns}
    known = {name: of for name, of in info.items() if of != ColumnInfo()}
    return replace(user_table, frame=pd.DataFrame(columns), info=known)


def _require_labels(table: Table, column: str, path: Path | str, *, may_lack: bool) -> npt.NDArray[np.float64]:
    """Values of a target; where a galaxy may lack one of several, infinite ones are missing too."""
    values = require_numbers(table, column, path=path)
    return np.where(np.isinf(values), np.nan, values) if may_lack else values


def _require_text(table: Table, column: str, path: Path | str) -> "pd.Series[Any]":
    """Text of a column; whole numbers become their digits."""
    values = table.frame[column]
    texts = [None if missing else value for value, missing in zip(values.tolist(), values.isna(), strict=True)]
    if pd.api.types.is_integer_dtype(values.dtype):
        texts = [None if value is None else str(value) for value in texts]
    row = next((row for row, text in enumerate(texts, start=1) if not (text is None or isinstance(text, str))), 0)
    if row:
        raise TableError(
            f"Column '{column}' of {path} does not hold text, but {values.dtype}: {texts[row - 1]} in row {row}. Save "
            "it as text, or name another column."
        )
    return build_text(texts)


def _drop_impossible(table: Table, limits: Mapping[str, Limits | None]) -> tuple[Table, list[str]]:
    """The table with values that cannot be made missing, where a galaxy may lack one of several; and notes on them."""
    frame, notes = table.frame.copy(), []
    for target, of_target in limits.items():
        is_impossible = np.zeros(0, bool) if of_target is None else of_target.find_impossible(frame[target].to_numpy())
        if of_target is not None and is_impossible.any():
            frame.loc[is_impossible, target] = np.nan
            notes.append(f"{is_impossible.sum():,} values count as missing, as {of_target.describe(target)}")
    return replace(table, frame=frame), notes


def _find_target_cut(table: Table, limits: Mapping[str, Limits | None]) -> Cut:
    """Galaxies must have something to learn: the target, or one of several; the others are masked in training."""
    targets = list(limits)
    values = table.frame[targets].to_numpy()
    if len(targets) == 1:
        (target,) = targets
        flaws = {f"has no {target}": np.isnan(values[:, 0]), f"{target} is infinite": np.isinf(values[:, 0])}
        of_target = limits[target]
        if of_target is not None:
            flaws[of_target.describe(target)] = of_target.find_impossible(values[:, 0])
    else:
        listed = f"{', '.join(targets[:-1])} nor {targets[-1]}"
        flaws = {f"has neither {listed}": np.isnan(values).all(axis=1)}
    return build_cut(*name_target_cut(targets), "targets", flaws)


def _apply_cuts(
    table: Table,
    cuts: Sequence[Cut],
    path: Path | str,
    counted: Sequence[Count],
    targets: Sequence[str],
    notes: Sequence[str],
) -> Catalog:
    frame = table.frame
    reasons = np.full(len(frame), "", dtype=object)
    counts = list(counted) or [Count("all rows", "rows of the catalogue", "[catalog] path", len(frame))]
    for cut in cuts:
        reasons = np.where(reasons == "", cut.flaws, reasons)
        num_left = int((reasons == "").sum())
        is_told = cut.name in (count.cut for count in counts) and num_left == counts[-1].num_left
        if not is_told:
            counts.append(Count(cut.name, cut.why, cut.source, num_left))
    is_left = reasons == ""
    if not is_left.any():
        tally = pd.Series(reasons).value_counts(sort=False)
        listed = ", ".join(f"{number} × '{reason}'" for reason, number in tally.items())
        settings = ", ".join(dict.fromkeys(cut.setting for cut in cuts if (cut.flaws != "").any()))
        raise CatalogError(
            f"None of the {len(frame)} galaxies of {path} can be used: {listed}. Check [catalog] {settings} and "
            "missing_values."
        )
    is_refused = ~is_left & (reasons != ANOTHER_SPECTRUM)
    refused = pd.DataFrame({"object_id": frame["object_id"], "reason": reasons})[is_refused].reset_index(drop=True)
    left = frame[is_left].reset_index(drop=True)
    outliers = describe_outliers({target: left[target].to_numpy() for target in targets})
    return Catalog(
        replace(table, frame=left),
        refused.astype({"reason": "str"}),
        _build_counts(counts),
        notes=(*notes, *outliers),
        reading=describe_reading(table),
    )


def _build_counts(counts: Sequence[Count]) -> pd.DataFrame:
    rows = [(count.cut, count.why, count.source, count.num_left) for count in counts]
    frame = pd.DataFrame(rows, columns=["cut", "reason", "source", "num_left"])
    return frame.astype({"cut": "str", "reason": "str", "source": "str", "num_left": np.int64})

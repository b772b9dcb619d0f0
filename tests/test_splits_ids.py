"""Promises of the splits by a list of test galaxies: exactly those are tested, and the others are divided 80 to 20."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_tables import BIG, SUFFIXES
from metalight.errors import SplitError
from metalight.splits import SPLITS, assign_ids, load_test_ids
from metalight.tables import Table, save_table


def sizes(splits: pd.DataFrame) -> list[int]:
    return [int((splits["split"] == split).sum()) for split in SPLITS]


@given(
    st.lists(st.integers(0, 2**63 - 1), unique=True, min_size=12, max_size=60),
    st.integers(0, 9),
    st.randoms(use_true_random=False),
)
def test_the_listed_galaxies_are_tested_whatever_the_order_of_rows(
    values: list[int], seed: int, random: object
) -> None:
    listed = np.array(values[:4], dtype=np.int64)
    mixed = list(values)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    splits = assign_ids(np.array(values), listed, seed=seed)
    assert splits["object_id"].tolist() == values
    assert splits["split"].tolist()[:4] == ["test"] * 4
    num_rest = len(values) - 4
    assert sizes(splits) == [num_rest - num_rest // 5, num_rest // 5, 4]
    absent = next(value for value in range(100) if value not in values)
    again = assign_ids(np.array(mixed), np.append(listed[::-1], absent), seed=seed).set_index("object_id")["split"]
    assert again.to_dict() == splits.set_index("object_id")["split"].to_dict()


def test_the_sizes_are_those_of_the_authors() -> None:
    splits = assign_ids(np.arange(116_430), np.arange(20_466))
    assert sizes(splits) == [76_772, 19_192, 20_466]


def test_the_validation_galaxies_are_drawn_by_the_seed_and_may_be_none() -> None:
    drawn = [assign_ids(np.arange(100), np.arange(10), seed=seed)["split"].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sizes(assign_ids(np.arange(100), np.arange(10), validation_fraction=0.0)) == [90, 0, 10]
    assert sizes(assign_ids(np.arange(110), np.arange(10), validation_fraction=0.29)) == [71, 29, 10]


@pytest.mark.parametrize(
    ("num", "listed", "message"),
    [
        (
            10,
            [99],
            r"None of the 1 test galaxies that .* is among the 10 galaxies .* ids look like 99 there, and like 0",
        ),
        (10, range(9), "only 1 galaxy is left for training"),
        (10, range(10), "no galaxy is left for training"),
        (6, range(4), "none is left for validation: .* or set its fraction to 0"),
        (0, [99], "no galaxy is left for training"),
    ],
)
def test_sets_that_cannot_be_are_refused(num: int, listed: list[int], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        assign_ids(np.arange(num), np.array(listed, dtype=np.int64))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "columns", [["ID", "objID"], ["iD", "objID"], ["x", "OBJID"], ["Object_ID", "x"], ["anything"]]
)
def test_identifiers_are_found_in_tables_exactly_and_once(tmp_path: Path, suffix: str, columns: list[str]) -> None:
    values = [BIG + 1, BIG, BIG + 1]
    right = next((name for name in columns if name != "x"), "")
    frame = pd.DataFrame({name: values if name == right else [1, 2, 3] for name in columns})
    save_table(Table(frame, {}), tmp_path / f"test{suffix}")
    assert load_test_ids(tmp_path / f"test{suffix}", object_id="ID").tolist() == [BIG, BIG + 1]


def test_a_list_has_one_identifier_a_line(tmp_path: Path) -> None:
    path = tmp_path / "test.TXT"
    path.write_bytes(b"\xef\xbb\xbf# the authors' test galaxies\r\n%d\r\n\r\n  12 # a remark\r\n%d\r\n" % (BIG, BIG))
    assert load_test_ids(path, object_id="ID").tolist() == [12, BIG]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.txt", None, r"There is no file .*gone\.txt; check its path\. \[splits\] test_ids names this file"),
        ("gone.csv", None, r"There is no file .*gone\.csv; check its path\. \[splits\] test_ids names this file"),
        ("empty.csv", "", "is empty"),
        ("empty.txt", "# nothing\n\n", "lists no galaxies"),
        ("header.csv", "objID\n", "lists no galaxies"),
        ("null.txt", "12\nnull\n", r"Line 2 of .*null\.txt is 'null'"),
        ("float.txt", "1.5e18\n", r"decimal numbers"),
        ("float.csv", "objID\n1.5e18\n", "decimal numbers"),
        ("missing.csv", "objID,x\n,2\n", "lacks 1 of 1 identifiers"),
        ("other.csv", "x,y\n1,2\n", "has no column 'ID', which .* object_id names, and 2 others"),
        ("twice.csv", "Id,iD\n1,2\n", r"has the columns 'Id' and 'iD', and \[catalog\] object_id names 'ID'"),
        ("both.csv", "objid,object_id\n1,2\n", "has no column 'ID'"),
        ("bytes.txt", b"\xff\xfe\x00", "cannot be read as text"),
        ("table.xlsx", "PK", "which metalight does not know"),
    ],
)
def test_files_that_list_no_galaxies_are_refused(
    tmp_path: Path, name: str, content: str | bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SplitError, match=message) as caught:
        load_test_ids(tmp_path / name, object_id="ID")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").mkdir()
    with pytest.raises(SplitError, match="cannot be read as text"):
        load_test_ids(tmp_path / "ids.txt", object_id="ID")


def test_the_authors_test_galaxies_are_had_from_their_published_predictions(shared_folder: Path) -> None:
    by_side = [
        load_test_ids(shared_folder / f"published/predictions_{side}px.csv", object_id="objID") for side in (128, 16)
    ]
    assert len(by_side[0]) == 20_366
    assert by_side[0].tolist() == by_side[1].tolist()
    sample = pd.read_csv(shared_folder / "real-sample/catalog.csv")["objID"].to_numpy()
    with pytest.raises(SplitError, match=r"None of the 20366 test galaxies .* is among the 400 galaxies"):
        assign_ids(sample, by_side[0])

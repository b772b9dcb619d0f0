"""Promises of the store of cutouts: bytes come back as they were served, of the very galaxy, and nothing is doubled."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalight.errors import ImageError
from metalight.image_files import join_paths, split_path
from metalight.store import AskedCutout, CutoutFile, CutoutStore, FileReader, RefusedCutout, match_asked

_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_LARGEST = 2**63 - 1


def ask(object_id: int, *, source: str = "sdss", ra_deg: float = 10.0, scale: float = 0.3) -> AskedCutout:
    return AskedCutout(object_id, source, ra_deg, -5.0, scale, 128, 128)


def as_frame(*asked: AskedCutout) -> pd.DataFrame:
    names = list(AskedCutout.__slots__)
    return pd.DataFrame({name: [getattr(one, name) for one in asked] for name in names})


def file_of(asked: AskedCutout, data: bytes, band: str = "") -> CutoutFile:
    return CutoutFile(asked, data, hashlib.sha256(data).hexdigest(), "http://example.org", _NOW, band)


def refuse(asked: AskedCutout, reason: str) -> RefusedCutout:
    return RefusedCutout(asked, "service_error", reason, 6, "http://example.org", _NOW)


def test_every_file_comes_back_byte_for_byte_in_whatever_order_it_is_read(tmp_path: Path) -> None:
    asked = [ask(_LARGEST - number) for number in range(300)]
    data = [bytes([255, 216, 255]) + str(one.object_id).encode() for one in asked]
    store = CutoutStore(tmp_path)
    for first in (0, 150):
        store.add_files([file_of(*pair) for pair in list(zip(asked, data, strict=True))[first : first + 150]])
    shuffled = np.random.default_rng(1).permutation(300)
    found = store.find_files(as_frame(*(asked[row] for row in shuffled)))
    assert found["place"].tolist() == list(range(300))
    reader = FileReader(tmp_path)
    assert [reader.read(path) for path in found["path"]] == [data[row] for row in shuffled]
    assert found["sha256"].tolist() == [hashlib.sha256(data[row]).hexdigest() for row in shuffled]


def test_reading_in_order_reads_each_group_of_rows_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [ask(number) for number in range(400)]
    CutoutStore(tmp_path).add_files([file_of(one, b"x" * 10) for one in asked])
    reader, loaded = FileReader(tmp_path), []
    load = reader._load_group

    def note(name: str, group: int) -> object:
        loaded.append((name, group) in reader._groups)
        return load(name, group)

    monkeypatch.setattr(reader, "_load_group", note)
    for row in range(400):
        reader.read(f"part-00000.parquet/{row}.jpg")
    assert loaded.count(False) == 7  # 400 rows in groups of 64


def test_a_galaxy_of_another_place_scale_or_source_is_not_there(tmp_path: Path) -> None:
    store = CutoutStore(tmp_path)
    store.add_files([file_of(ask(5), b"5")])
    assert len(store.find_files(as_frame(ask(5)))) == 1
    for other in (ask(6), ask(5, source="other"), ask(5, ra_deg=10.001), ask(5, scale=0.31)):
        assert store.find_files(as_frame(other)).empty


def test_an_empty_or_missing_folder_has_nothing(tmp_path: Path) -> None:
    store = CutoutStore(tmp_path / "none")
    assert store.find_files(as_frame(ask(1))).empty
    assert store.find_refused(as_frame(ask(1))).empty
    store.add_files([])
    store.add_refused([])
    assert not (tmp_path / "none").exists()


def test_the_last_refusal_of_a_galaxy_holds(tmp_path: Path) -> None:
    store = CutoutStore(tmp_path)
    store.add_refused([refuse(ask(1), "first"), refuse(ask(2), "only")])
    store.add_refused([refuse(ask(1), "second")])
    refused = store.find_refused(as_frame(ask(2), ask(3), ask(1)))
    assert refused[["place", "reason"]].to_numpy().tolist() == [[0, "only"], [2, "second"]]


def test_a_galaxy_without_a_size_is_known_again(tmp_path: Path) -> None:
    store = CutoutStore(tmp_path)
    store.add_refused([refuse(ask(1, scale=float("nan")), "has no size")])
    assert len(store.find_refused(as_frame(ask(1, scale=float("nan"))))) == 1


def test_a_galaxy_with_a_file_for_each_band_is_there_only_whole(tmp_path: Path) -> None:
    store = CutoutStore(tmp_path)
    store.add_files([file_of(ask(1), b"1r", "r"), file_of(ask(1), b"1g", "g"), file_of(ask(2), b"2r", "r")])
    found = store.find_files(as_frame(ask(1), ask(2)), bands=["g", "r"])
    assert found["place"].tolist() == [0, 0]
    path = join_paths(found["path"].tolist())
    reader = FileReader(tmp_path)
    assert [reader.read(name) for name in split_path(path)] == [b"1g", b"1r"]


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"plain")
    assert FileReader(tmp_path).read("1.jpg") == b"plain"


@pytest.mark.parametrize("path", ["part-00000.parquet/1.jpg", "part-00000.parquet/64.jpg", "part-00001.parquet/0.jpg"])
def test_a_row_that_is_not_there_is_an_error_of_reading(tmp_path: Path, path: str) -> None:
    CutoutStore(tmp_path).add_files([file_of(ask(1), b"1")])
    with pytest.raises(OSError, match=r"part-0000[01]"):
        FileReader(tmp_path).read(path)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    store = CutoutStore(tmp_path)
    store.add_files([file_of(ask(1), b"1")])
    path = tmp_path / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ImageError, match=r"part-00000\.parquet is damaged.*Move it away"):
        store.find_files(as_frame(ask(1)))
    with pytest.raises(OSError, match="damaged"):
        FileReader(tmp_path).read("part-00000.parquet/0.jpg")


@given(st.lists(st.integers(0, _LARGEST), unique=True, min_size=1, max_size=20))
def test_identifiers_of_19_digits_are_matched_exactly(object_ids: list[int]) -> None:
    wanted = as_frame(*map(ask, object_ids))
    neighbours = [object_id ^ 1 for object_id in object_ids]
    stored = as_frame(*map(ask, [*object_ids[::-1], *neighbours]))
    places = match_asked(wanted, stored).tolist()
    expected = {object_id: place for place, object_id in enumerate(object_ids)}
    assert places == [expected.get(object_id, -1) for object_id in stored["object_id"].tolist()]

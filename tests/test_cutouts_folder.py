"""Promises of the folder of cutouts: whose image a file is, and nothing dropped in silence."""

import os
import socket
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalight.cutouts import find_cutouts, list_cutouts
from metalight.errors import ImageError
from metalight.identifiers import compute_keys, name_of
from metalight.pipeline import list_ahead, run_recipe
from metalight.recipe import load_recipe
from metalight.tables import load_table


def make_files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def ids(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def reasons(refused: pd.DataFrame) -> dict[int, str]:
    return dict(zip(refused["object_id"].tolist(), refused["reason"].tolist(), strict=True))


def test_files_are_found_by_identifier_in_the_catalogue_s_order(tmp_path: Path) -> None:
    make_files(tmp_path, "7.jpg", "1237648720693755918.JPG", "sub/deep/3.png", "5.jpeg", "notes.txt")
    cutouts = find_cutouts(tmp_path, ids(5, 1237648720693755918, 3, 7))
    assert cutouts.found["object_id"].tolist() == [5, 1237648720693755918, 3, 7]
    assert cutouts.found["path"].tolist() == ["5.jpeg", "1237648720693755918.JPG", "sub/deep/3.png", "7.jpg"]
    assert cutouts.found["num_bytes"].tolist() == [len(path) for path in cutouts.found["path"]]
    assert cutouts.found["modified_ns"].tolist() == [
        (tmp_path / path).stat().st_mtime_ns for path in cutouts.found["path"]
    ]
    assert cutouts.found.dtypes[["object_id", "num_bytes", "modified_ns"]].tolist() == [np.dtype("int64")] * 3
    assert (len(cutouts.refused), cutouts.unused) == (0, 0)


def test_a_galaxy_without_a_file_is_refused_and_a_file_without_a_galaxy_counted(tmp_path: Path) -> None:
    make_files(tmp_path, "1.jpg", "2.jpg", "other.png")
    cutouts = find_cutouts(tmp_path, ids(9, 1))
    assert reasons(cutouts.refused) == {9: "no image file"}
    assert cutouts.refused["path"].tolist() == [""]
    assert cutouts.unused == 2


@pytest.mark.parametrize("second", ["1.png", "1.JPG", "sub/1.jpg"])
def test_two_files_for_one_galaxy_refuse_it_and_are_both_named(tmp_path: Path, second: str) -> None:
    make_files(tmp_path, "1.jpg", second, "2.jpg")
    cutouts = find_cutouts(tmp_path, ids(1, 2))
    assert cutouts.found["object_id"].tolist() == [2]
    assert "1.jpg" in reasons(cutouts.refused)[1]
    assert second in reasons(cutouts.refused)[1]
    assert cutouts.unused == 0


def test_leading_zeros_and_longer_names_are_another_identifier(tmp_path: Path) -> None:
    make_files(tmp_path, "007.jpg", "7_small.jpg", " 7.jpg", "7.0.jpg", "8.jpg")
    cutouts = find_cutouts(tmp_path, ids(7, 8))
    assert reasons(cutouts.refused) == {7: "no image file"}
    assert cutouts.unused == 4


def test_file_names_are_taken_from_the_catalogue(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg", "sub/b.png", "1.jpg")
    cutouts = find_cutouts(tmp_path, ids(1, 2), ["sub/b.png", "./a.jpg"])
    assert cutouts.found["path"].tolist() == ["sub/b.png", "a.jpg"]
    assert cutouts.unused == 1


def test_file_names_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path) -> None:
    make_files(tmp_path / "images", "a.jpg", "notes.txt", "b.heic")
    os.mkfifo(tmp_path / "pipe.jpg")
    names = [
        None,
        "",
        "gone.jpg",
        "/dev/null.jpg",
        "notes.txt",
        "a.jpg",
        "b.heic",
        str(tmp_path / "pipe.jpg"),
        "a\0.jpg",
    ]
    cutouts = find_cutouts(tmp_path / "images", np.arange(9), names)
    assert cutouts.found["object_id"].tolist() == [5]
    found_reasons = reasons(cutouts.refused)
    assert found_reasons[0] == found_reasons[1] == "the catalogue names no file"
    assert found_reasons[2] == found_reasons[3] == found_reasons[8] == "no image file"
    assert "does not end with" in found_reasons[4]
    assert ".heic" in found_reasons[6]
    assert "pipe" in found_reasons[7]
    assert cutouts.refused["path"].tolist()[2:4] == ["gone.jpg", "/dev/null.jpg"]


def test_a_file_name_may_lead_anywhere_and_is_used_as_it_is(tmp_path: Path) -> None:
    make_files(tmp_path, "images/a.jpg", "elsewhere/b.jpg", "c.jpg", "images/unnamed.jpg")
    names = [str(tmp_path / "images/a.jpg"), str(tmp_path / "elsewhere/b.jpg"), "../c.jpg"]
    cutouts = find_cutouts(tmp_path / "images", ids(1, 2, 3), names)
    assert cutouts.found["path"].tolist() == names
    assert cutouts.found["num_bytes"].tolist() == [len("images/a.jpg"), len("elsewhere/b.jpg"), len("c.jpg")]
    assert cutouts.unused == 1


def test_two_names_of_one_file_are_one_file(tmp_path: Path) -> None:
    make_files(tmp_path, "images/a.jpg", "images/sub/b.jpg")
    (tmp_path / "images/link.jpg").symlink_to("a.jpg")
    names = ["a.jpg", str(tmp_path / "images/a.jpg"), "sub/../link.jpg", "sub/b.jpg"]
    cutouts = find_cutouts(tmp_path / "images", ids(1, 2, 3, 4), names)
    assert cutouts.found["object_id"].tolist() == [4]
    assert set(reasons(cutouts.refused)) == {1, 2, 3}
    assert all("is named for another galaxy" in reason for reason in reasons(cutouts.refused).values())


def test_a_missing_name_of_a_pandas_column_is_a_missing_name(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg")
    column = pd.Series(["a.jpg", None], dtype="str")
    cutouts = find_cutouts(tmp_path, ids(1, 2), column.tolist())
    assert reasons(cutouts.refused) == {2: "the catalogue names no file"}


def test_a_file_named_for_several_galaxies_is_used_for_none(tmp_path: Path) -> None:
    make_files(tmp_path, "a.jpg", "b.jpg")
    cutouts = find_cutouts(tmp_path, ids(1, 2, 3, 4), ["a.jpg", "b.jpg", "./a.jpg", "a.jpg"])
    assert cutouts.found["object_id"].tolist() == [2]
    assert reasons(cutouts.refused) == {
        1: "is named for another galaxy too: 3, and for 1 more",
        3: "is named for another galaxy too: 1, and for 1 more",
        4: "is named for another galaxy too: 1, and for 1 more",
    }


@given(
    st.lists(st.sampled_from(["1", "2", "3", "30", "03"]), unique=True, min_size=1),
    st.lists(st.sampled_from([1, 2, 3, 30, 300]), unique=True, min_size=1),
)
@settings(max_examples=40, deadline=None)
def test_every_galaxy_is_found_or_refused_and_only_its_own_file_is_found(
    tmp_path_factory: pytest.TempPathFactory, stems: list[str], object_ids: list[int]
) -> None:
    folder = make_files(tmp_path_factory.mktemp("images"), *(f"{stem}.jpg" for stem in stems))
    try:
        cutouts = find_cutouts(folder, ids(*object_ids))
    except ImageError:
        assert not {str(object_id) for object_id in object_ids} & set(stems)
        return
    both = cutouts.found["object_id"].tolist() + cutouts.refused["object_id"].tolist()
    assert sorted(both) == sorted(object_ids)
    assert cutouts.found["path"].tolist() == [f"{object_id}.jpg" for object_id in cutouts.found["object_id"]]
    assert cutouts.unused == len(stems) - len(cutouts.found)


def test_links_are_followed_wherever_they_lead_and_broken_ones_are_named(tmp_path: Path) -> None:
    make_files(tmp_path, "elsewhere/1.jpg", "elsewhere/2.jpg", "images/3.jpg")
    (tmp_path / "images/1.jpg").symlink_to(tmp_path / "elsewhere/1.jpg")
    (tmp_path / "images/sub").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/4.jpg").symlink_to(tmp_path / "images/gone.jpg")
    (tmp_path / "images/more").symlink_to(tmp_path / "unmounted")
    cutouts = find_cutouts(tmp_path / "images", ids(1, 2, 3, 4, 5))
    assert cutouts.found["path"].tolist() == ["1.jpg", "sub/2.jpg", "3.jpg"]
    assert reasons(cutouts.refused) == {
        4: "is a link to nothing",
        5: "no image file; more is a link to nothing",
    }
    listed = list_cutouts(tmp_path / "images")
    assert listed.found["path"].tolist() == ["1.jpg", "sub/2.jpg", "3.jpg"]
    assert sorted(listed.refused["path"]) == ["4.jpg", "more"]


def test_the_cache_of_a_hub_is_a_folder_of_images(tmp_path: Path) -> None:
    make_files(tmp_path, "blobs/aa", "blobs/bb")
    for revision in ("first", "second"):
        (tmp_path / "snapshots" / revision / "data").mkdir(parents=True)
        (tmp_path / f"snapshots/{revision}/data/1.jpg").symlink_to("../../../blobs/aa")
    (tmp_path / "snapshots/second/data/2.png").symlink_to("../../../blobs/bb")
    cutouts = find_cutouts(tmp_path / "snapshots/second", ids(1, 2))
    assert cutouts.found["path"].tolist() == ["data/1.jpg", "data/2.png"]
    # Two revisions have the same file of a galaxy: there is no doubt which it is.
    assert find_cutouts(tmp_path, ids(1, 2)).found["object_id"].tolist() == [1, 2]
    assert len(list_cutouts(tmp_path).found) == 2


def test_links_between_folders_come_to_an_end(tmp_path: Path) -> None:
    for name in "abcdefghij":
        make_files(tmp_path, f"{name}/{ord(name)}.jpg")
        for other in "abcdefghij":
            (tmp_path / name / f"to_{other}").symlink_to(tmp_path / other)
    (tmp_path / "a/up").symlink_to(tmp_path)
    cutouts = list_cutouts(tmp_path)
    assert cutouts.found["path"].tolist() == [f"{name}/{ord(name)}.jpg" for name in "abcdefghij"]
    assert len(cutouts.refused) == 0


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    make_files(tmp_path, "images/1.jpg")
    (tmp_path / "link").symlink_to("images")
    assert len(find_cutouts(tmp_path / "link", ids(1)).found) == 1


def test_what_is_not_an_image_file_is_refused_with_the_reason_and_never_opened(tmp_path: Path) -> None:
    make_files(tmp_path, "1.jpg", "3.jpg/4.png", "5.HEIC", "6.fits.bz2", "7.npy", "7.jpg", "notes.txt", "8.txt")
    os.mkfifo(tmp_path / "2.jpg")
    (tmp_path / "9.png").symlink_to("2.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "10.fits"))
        cutouts, listed = find_cutouts(tmp_path, np.arange(1, 11)), list_cutouts(tmp_path)
    assert cutouts.found["object_id"].tolist() == [1, 4, 7]
    words = {2: "pipe", 3: "folder", 5: ".heic", 6: ".fits.bz2", 8: "no image file", 9: "pipe", 10: "socket"}
    found_reasons = reasons(cutouts.refused)
    assert found_reasons.keys() == words.keys()
    assert all(word in found_reasons[object_id] for object_id, word in words.items())
    assert cutouts.unused == 1
    assert listed.found["object_id"].tolist() == [1, 4, 7]
    assert sorted(listed.refused["object_id"]) == [2, 3, 5, 6, 7, 9, 10]


@pytest.mark.parametrize(
    "name", ["1.tif", "1.TIFF", "1.webp", "1.bmp", "1.gif", "1.jfif", "1.JPE", "1.fts", "1.FIT.GZ"]
)
def test_every_usual_suffix_is_that_of_an_image(tmp_path: Path, name: str) -> None:
    make_files(tmp_path, name)
    assert find_cutouts(tmp_path, ids(1)).found["path"].tolist() == [name]


def test_a_path_that_is_not_utf8_is_refused_and_can_be_stored(tmp_path: Path) -> None:
    make_files(tmp_path, "1.jpg")
    folder = os.fsencode(tmp_path) + b"/\xff"
    try:
        os.mkdir(folder)  # noqa: PTH102
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    Path(os.fsdecode(folder + b"/2.jpg")).write_bytes(b"2")
    cutouts = find_cutouts(tmp_path, ids(1, 2))
    assert reasons(cutouts.refused) == {2: "has a path that is not UTF-8"}
    cutouts.refused.to_parquet(tmp_path / "refused.parquet")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "There is no folder"),
        (lambda folder: folder.write_text("x"), "is a file, not a folder"),
        (lambda folder: folder.mkdir(), "holds no image files"),
    ],
)
def test_a_folder_that_holds_no_images_is_refused(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    make(tmp_path / "images")
    for read in (lambda folder: find_cutouts(folder, ids(1)), list_cutouts):
        with pytest.raises(ImageError, match=message):
            read(tmp_path / "images")


def test_no_image_for_any_galaxy_is_an_error_that_shows_both_spellings(tmp_path: Path) -> None:
    make_files(tmp_path, "123.jpg")
    with pytest.raises(ImageError, match=r"None of the 2 galaxies .* named like '123\.jpg', ids look like '456'"):
        find_cutouts(tmp_path, ids(456, 457))


def test_no_usable_image_for_any_galaxy_is_an_error_that_gives_the_reason(tmp_path: Path) -> None:
    make_files(tmp_path, "1.jpg", "1.png")
    with pytest.raises(ImageError, match=r"galaxy 1, 1\.jpg: has 2 image files"):
        find_cutouts(tmp_path, ids(1, 2))


def test_arguments_that_do_not_fit_are_wrong(tmp_path: Path) -> None:
    make_files(tmp_path, "1.jpg")
    with pytest.raises(ValueError, match="repeat"):
        find_cutouts(tmp_path, ids(1, 1))
    with pytest.raises(ValueError, match="integers"):
        find_cutouts(tmp_path, np.array([1.0]))
    with pytest.raises(ValueError, match="1 object_ids but 0 file_names"):
        find_cutouts(tmp_path, ids(1), [])


def test_without_a_catalogue_identifiers_come_from_the_names_in_increasing_order(tmp_path: Path) -> None:
    make_files(tmp_path, "10.jpg", "9.png", "sub/9223372036854775807.jpg")
    cutouts = list_cutouts(tmp_path)
    assert cutouts.found["object_id"].tolist() == [9, 10, 9223372036854775807]
    assert cutouts.found["path"].tolist() == ["9.png", "10.jpg", "sub/9223372036854775807.jpg"]
    assert (len(cutouts.refused), cutouts.unused) == (0, 0)


def test_without_a_catalogue_every_name_is_an_identifier_integers_first(tmp_path: Path) -> None:
    names = ["J000411.19+001122.3", "007", "9223372036854775808", "-3", "٣", "NGC 7", "a=b"]
    make_files(tmp_path, "10.jpg", "9.jpg", *(f"{name}.jpg" for name in names))
    cutouts = list_cutouts(tmp_path)
    assert cutouts.found["path"].tolist() == ["9.jpg", "10.jpg", *(f"{name}.jpg" for name in sorted(names))]
    assert [name_of(key) for key in cutouts.found["object_id"]] == ["9", "10", *sorted(names)]
    assert str(cutouts.found["object_id"].dtype) == "int64"
    assert len(cutouts.refused) == 0


def test_without_a_catalogue_files_that_cannot_be_told_are_refused_with_their_reason(tmp_path: Path) -> None:
    names = ["1.jpg", "._1.jpg", "nan.jpg", " 1.jpg", "2.jpg", "2.png", "a\nb.jpg"]
    make_files(tmp_path, *names)
    cutouts = list_cutouts(tmp_path)
    assert cutouts.found["path"].tolist() == ["1.jpg"]
    by_path = dict(zip(cutouts.refused["path"], cutouts.refused["reason"], strict=True))
    assert sorted(by_path) == sorted(set(names) - {"1.jpg"})
    assert by_path["2.jpg"] == by_path["2.png"]
    assert "2.jpg and 2.png" in by_path["2.jpg"]
    assert str(cutouts.refused["object_id"].dtype) == "Int64"
    assert cutouts.refused["object_id"].isna().sum() == 4


def test_without_a_catalogue_a_large_identifier_of_a_refused_file_is_exact(tmp_path: Path) -> None:
    make_files(tmp_path, "1.jpg", "1237648720693755919.jpg", "1237648720693755919.png", "null.jpg")
    refused = list_cutouts(tmp_path).refused
    assert refused["object_id"].dropna().tolist() == [1237648720693755919] * 2
    assert refused["object_id"].isna().sum() == 1


def test_without_a_catalogue_a_folder_without_identifiers_is_an_error(tmp_path: Path) -> None:
    make_files(tmp_path, "nan.jpg")
    with pytest.raises(ImageError, match=r"nan\.jpg has a name that"):
        list_cutouts(tmp_path)


def test_a_stage_is_redone_when_a_file_outside_the_folder_changes_that_the_catalogue_names(
    sample: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (sample / "images").rename(elsewhere)
    make_files(sample / "images", "1.jpg")
    catalog = pd.read_csv(sample / "catalog.csv")
    catalog["file_loc"] = [str(elsewhere / f"{object_id}.png") for object_id in catalog["objID"]]
    catalog.loc[0, "file_loc"] = str(elsewhere / "later.png")
    catalog["objID"] = [f"galaxy {row}" for row in range(len(catalog))]
    catalog.to_csv(sample / "catalog.csv", index=False)
    recipe = load_recipe(str(sample / "recipe.toml"), overrides=["catalog.file_name=file_loc"])

    def list_next() -> str:
        run_recipe(recipe, sample / "run", last="cutouts")
        return list_ahead(recipe, sample / "run")[0]

    assert list_next() == "pixels"
    assert len(load_table(sample / "run/cutouts.parquet").frame) == 39
    (elsewhere / "later.png").write_bytes(b"later")
    assert list_ahead(recipe, sample / "run")[0] == "cutouts"
    assert list_next() == "pixels"
    assert len(load_table(sample / "run/cutouts.parquet").frame) == 40
    os.utime(elsewhere / "later.png", ns=(0, 0))
    assert list_ahead(recipe, sample / "run")[0] == "cutouts"


def keys(*names: str) -> np.ndarray:
    return compute_keys(names)


NAMES = [
    "J000411.19+001122.3",
    "SDSS J0004+00",
    "-5312345678912345678",
    "a/b",
    "Ünï",
    "1_r",
    "00123",
    "5.fits",
    "x.jpg",
]


@pytest.mark.parametrize("suffix", [".jpg", ".PNG", ".fits", ".fits.gz"])
def test_files_are_found_by_any_text(tmp_path: Path, suffix: str) -> None:
    make_files(tmp_path, *(f"{name}{suffix}" for name in NAMES), "123.jpg")
    cutouts = find_cutouts(tmp_path, keys(*NAMES), bands=("g",))
    assert cutouts.found["path"].tolist() == [f"{name}{suffix}" for name in NAMES]
    assert cutouts.unused == 1


@pytest.mark.parametrize("pattern", ["{}_{}.fits", "{}-{}.fits", "{}.{}.fits.gz", "{}/{}.fits"])
def test_files_of_bands_are_found_by_any_text_with_a_catalogue_and_without(tmp_path: Path, pattern: str) -> None:
    names = ["J000411.19+001122.3", "NGC 7-b", "12"]
    make_files(tmp_path, *(pattern.format(name, band) for name in names for band in "giru"))
    found = find_cutouts(tmp_path, keys(*names), bands=("i", "r", "g"))
    listed = list_cutouts(tmp_path, bands=("i", "r", "g"))
    assert len(found.found) == len(listed.found) == 3
    assert found.unused == listed.unused == 3
    assert sorted(found.found["object_id"]) == sorted(listed.found["object_id"])


def test_a_file_that_may_be_of_two_galaxies_is_used_for_neither(tmp_path: Path) -> None:
    make_files(tmp_path, "A_r.fits", "A_g.fits", "B_r.fits", "B_g.fits")
    cutouts = find_cutouts(tmp_path, keys("A", "A_r", "B"), bands=("r", "g"))
    assert cutouts.found["object_id"].tolist() == keys("B").tolist()
    assert all("may be of" in reason for reason in cutouts.refused["reason"])


def test_an_accent_is_the_same_however_unicode_spells_it(tmp_path: Path) -> None:
    make_files(tmp_path, unicodedata.normalize("NFD", "é.jpg"))
    assert len(find_cutouts(tmp_path, keys(unicodedata.normalize("NFC", "é"))).found) == 1


def test_two_spellings_that_are_two_identifiers_have_their_own_files(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]
    make_files(tmp_path, *(f"{name}.jpg" for name in names))
    assert find_cutouts(tmp_path, keys(*names)).found["path"].tolist() == [f"{name}.jpg" for name in names]
